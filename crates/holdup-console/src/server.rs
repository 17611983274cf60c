//! The console's own listener: the page, its events, and the probes that it starts.

use std::collections::VecDeque;
use std::future::ready;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes, Data, PayloadConfig, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse, Resource, Route};
use futures_util::{Stream, stream};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Deserialize;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{mpsc, oneshot};
use url::Url;

use super::guard;
use super::hub::{Command, News};
use super::message::{Button, Lab, Message};
use super::names::Names;
use super::trial::{Asked, REQUESTS, Trials};
use holdup_http::host;
use holdup_http::problem::Problem;
use holdup_probe::Target;

const HTML: &str = include_str!("page.html");
const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("page.js");

/// The most readers of `/events` at once.
const READERS: usize = 16;

/// The largest body that is read: an order for a probe is far smaller.
const BODY: usize = 4096;

const PATHS: &str = "/, /events, /state, /trace.json, /metrics, /healthz, /probe";

const FROM: RangeInclusive<u32> = 1..=20;
const PERIOD: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(2);
const DEFAULT_FROM: u32 = 3;
const DEFAULT_PERIOD: Duration = Duration::from_millis(500);

/// The longest that the requests of one phase may take, one after the other.
const LONGEST: Duration = Duration::from_secs(60);

/// What the listener's one worker knows.
pub(super) struct Site {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) trials: Arc<Trials>,
    pub(super) readers: Arc<AtomicUsize>,
    pub(super) metrics: PrometheusHandle,
    pub(super) buttons: Vec<Button>,
    /// Where the probe finds the app.
    pub(super) app: Option<Url>,
    /// Where a browser finds the lab, if the app is the lab.
    pub(super) lab: Option<Seen>,
    /// The names under which it answers.
    pub(super) names: Names,
}

/// Where a browser finds the lab.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// At the host that it found the console at, on this port.
    Port(u16),
    /// There.
    At(Url),
}

pub(super) fn configure(config: &mut ServiceConfig, site: Data<Site>) {
    config
        .app_data(site)
        .app_data(PayloadConfig::new(BODY))
        .service(at("/").route(web::get().to(page)))
        .service(at("/page.css").route(web::get().to(css)))
        .service(at("/page.js").route(web::get().to(js)))
        .service(at("/events").route(web::get().to(events)))
        .service(at("/state").route(web::get().to(state)))
        .service(at("/trace.json").route(web::get().to(trace)))
        .service(at("/metrics").route(web::get().to(metrics)))
        .service(at("/healthz").route(web::get().to(healthz)))
        .service(
            web::resource("/probe")
                .route(web::post().to(start_probe))
                .route(web::delete().to(stop_probe))
                .default_service(refusing("DELETE, POST")),
        )
        .default_service(web::to(|request: HttpRequest| async move {
            Problem::not_found(request.path(), PATHS).response()
        }));
}

fn at(path: &str) -> Resource {
    web::resource(path).default_service(refusing("GET"))
}

/// The answer to a method that the path does not have.
fn refusing(allowed: &'static str) -> Route {
    web::to(move |request: HttpRequest| {
        let problem = Problem::method_not_allowed(request.method().as_str(), allowed);
        ready(problem.response())
    })
}

/// For every request: whether it may be asked here, and what its answer must say.
pub(super) async fn guarded(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let site = request.app_data::<Data<Site>>().cloned();
    let site = site.expect("configured with a site");
    let mut response = match admitted(&site, request.request()) {
        Ok(()) => next.call(request).await?.map_into_left_body(),
        Err(problem) => {
            let mut refusal = problem.response();
            // Its connections must not take the places of those that may ask, either.
            refusal
                .head_mut()
                .set_connection_type(ConnectionType::Close);
            request.into_response(refusal).map_into_right_body()
        }
    };
    let named = host::named(response.request().headers()).map(host::without_port);
    let lab = site.lab_url(named.unwrap_or_default());
    let connect = lab.map_or(String::new(), |url| format!(" {}", guard::source(&url)));
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'{connect}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let headers = response.headers_mut();
    headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

fn admitted(site: &Site, request: &HttpRequest) -> Result<(), Problem> {
    guard::check_host(request, &site.names, |name| match site.lab {
        Some(_) => format!("start with --allow-host {name}"),
        None => format!("allow it with Builder::allow_host({name:?})"),
    })?;
    if guard::may_ask(request) {
        return Ok(());
    }
    Err(another_site())
}

async fn page() -> HttpResponse {
    text("text/html; charset=utf-8", HTML)
}

async fn css() -> HttpResponse {
    text("text/css; charset=utf-8", CSS)
}

async fn js() -> HttpResponse {
    text("text/javascript; charset=utf-8", JS)
}

async fn healthz() -> HttpResponse {
    text("text/plain; charset=utf-8", "ok\n")
}

async fn metrics(site: Data<Site>) -> HttpResponse {
    text(
        "text/plain; version=0.0.4; charset=utf-8",
        site.metrics.render(),
    )
}

async fn state(site: Data<Site>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let lab = site.lab(&request);
    let state = site.ask(|reply| Command::State(lab, reply)).await?;
    Ok(text("application/json", state))
}

async fn trace(site: Data<Site>) -> Result<HttpResponse, Problem> {
    let trace = site.ask(Command::Trace).await?;
    Ok(text("application/json", trace.to_string()))
}

fn text(content_type: &'static str, body: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, content_type))
        .body(body)
}

async fn events(site: Data<Site>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let reader = Reader::enter(&site.readers).ok_or_else(|| {
        Problem::unavailable(format!("{READERS} readers are connected, the most at once"))
    })?;
    let lab = site.lab(&request);
    let (snapshot, news) = site.ask(|reply| Command::Join(lab, reply)).await?;
    let first = VecDeque::from([Bytes::from_static(b"retry: 1000\n\n"), snapshot]);
    let body = told(first, news, reader);
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body))
}

/// What a reader gets: the beginning, then all news, until it is too far behind.
fn told(
    first: VecDeque<Bytes>,
    news: broadcast::Receiver<Bytes>,
    reader: Reader,
) -> impl Stream<Item = Result<Bytes, Error>> {
    let begin = Some((first, news, reader));
    stream::unfold(begin, async |reading| {
        let (mut first, mut news, reader) = reading?;
        if let Some(piece) = first.pop_front() {
            return Some((Ok(piece), Some((first, news, reader))));
        }
        match news.recv().await {
            Ok(piece) => Some((Ok(piece), Some((first, news, reader)))),
            Err(RecvError::Lagged(missed)) => {
                let detail = format!(
                    "this reader fell behind by {missed} batches; reconnect for a fresh picture"
                );
                let mut last = News::default();
                last.add(&Message::Behind { detail });
                Some((Ok(last.into_bytes()), None))
            }
            Err(RecvError::Closed) => None,
        }
    })
}

/// A reader of the events, counted until it is dropped.
struct Reader(Arc<AtomicUsize>);

impl Reader {
    fn enter(readers: &Arc<AtomicUsize>) -> Option<Self> {
        let enter = |n| (n < READERS).then_some(n + 1);
        readers
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter)
            .ok()?;
        Some(Self(Arc::clone(readers)))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What `POST /probe` is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    button: usize,
    requests: usize,
    from: Option<u32>,
    period: Option<String>,
}

async fn start_probe(
    site: Data<Site>,
    request: HttpRequest,
    body: Result<Bytes, Error>,
) -> Result<HttpResponse, Problem> {
    same_origin(&request)?;
    let json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
    if !request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(json)
    {
        let detail = "Content-Type is not application/json, the only one that is read";
        return Err(Problem::unsupported_type(detail.to_owned()));
    }
    let body = body.map_err(|_| Problem::too_large(BODY))?;
    let order: Order = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_body(format!("the body cannot be used: {error}")))?;
    let (target, asked) = site.read(&order)?;
    match site.trials.start(target, asked) {
        Ok(id) => Ok(HttpResponse::Accepted().json(serde_json::json!({ "id": id }))),
        Err(_busy) => Err(Problem::conflict(
            "a probe is running; wait for it, or stop it with DELETE /probe".to_owned(),
        )),
    }
}

async fn stop_probe(site: Data<Site>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    same_origin(&request)?;
    site.trials.stop();
    Ok(HttpResponse::NoContent().finish())
}

fn same_origin(request: &HttpRequest) -> Result<(), Problem> {
    if guard::is_same_origin(request) {
        return Ok(());
    }
    Err(another_site())
}

fn another_site() -> Problem {
    let detail = "another site's page asks (Origin, Sec-Fetch-Site); only the console's own may";
    Problem::forbidden(detail.to_owned())
}

impl Site {
    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Problem> {
        let stopping = || Problem::unavailable("the console is stopping".to_owned());
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).await;
        sent.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    fn lab(&self, request: &HttpRequest) -> Option<Lab> {
        let host = host::named(request.headers()).unwrap_or_default();
        let url = self.lab_url(host::without_port(host))?;
        Some(Lab { url })
    }

    /// The lab's origin as the browser has to name it that found the console at `host`.
    fn lab_url(&self, host: &str) -> Option<String> {
        match self.lab.as_ref()? {
            Seen::Port(port) => Some(format!("http://{host}:{port}")),
            Seen::At(url) => Some(url.origin().ascii_serialization()),
        }
    }

    /// What the order asks for, if that is allowed.
    fn read(&self, order: &Order) -> Result<(Target, Asked), Problem> {
        let bad = |parameter, value: &dyn ToString, allowed: String| {
            Problem::bad_parameter(parameter, &value.to_string(), allowed)
        };
        let (Some(button), Some(app)) = (self.buttons.get(order.button), &self.app) else {
            let allowed = match self.buttons.len() {
                0 => "none: this console has no routes to probe".to_owned(),
                n => format!("0 to {}", n - 1),
            };
            return Err(bad("button", &order.button, allowed));
        };
        if !REQUESTS.contains(&order.requests) {
            let allowed = format!("{} to {}", REQUESTS.start(), REQUESTS.end());
            return Err(bad("requests", &order.requests, allowed));
        }
        let mut url = app
            .join(&button.path)
            .map_err(|error| Problem::bad_body(format!("the route {}: {error}", button.path)))?;
        let (mut from, mut period) = (None, None);
        if button.countdown {
            let ticks = order.from.unwrap_or(DEFAULT_FROM);
            if !FROM.contains(&ticks) {
                let allowed = format!("{} to {}", FROM.start(), FROM.end());
                return Err(bad("from", &ticks, allowed));
            }
            let given = order.period.as_deref();
            let read = given.map_or(Ok(DEFAULT_PERIOD), humantime::parse_duration);
            let pause = read.ok().filter(|pause| PERIOD.contains(pause));
            let Some(pause) = pause else {
                let allowed = "50ms to 2s".to_owned();
                return Err(bad("period", &given.unwrap_or_default(), allowed));
            };
            let whole = pause * ticks * u32::try_from(order.requests).unwrap_or(u32::MAX);
            if whole > LONGEST {
                let allowed = "requests × from × period of at most 60 s".to_owned();
                return Err(bad("from", &ticks, allowed));
            }
            url.query_pairs_mut()
                .append_pair("from", &ticks.to_string())
                .append_pair("period", &format!("{}ms", pause.as_millis()));
            (from, period) = (Some(ticks), Some(pause));
        }
        let target = Target::parse(url.as_str())
            .map_err(|error| Problem::bad_body(format!("the route {}: {error}", button.path)))?;
        let asked = Asked {
            button: order.button,
            requests: order.requests,
            from,
            period,
        };
        Ok((target, asked))
    }
}
