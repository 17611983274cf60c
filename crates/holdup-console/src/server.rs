//! The console's paths, and the checks and headers that all answers share.

use std::future::ready;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse, Resource};

use super::asked::{Asked, MIN_AGE_NAME as MIN_AGE, MOST_NAME as MOST};
use super::events::events;
use super::guard;
use super::health::healthz;
use super::hub::Command;
use super::page::Asset;
use super::probes::{self, Probes};
use super::replay;
use super::site::Site;
use super::survey::Survey;
use holdup_http::problem::Problem;

const PATHS: &str = "/, /events, /state, /requests, /waits, /trace.json, /metrics, /healthz";

/// Says that no app is behind the page, but a record: its requests are not open now.
const REPLAY: HeaderName = HeaderName::from_static("x-holdup-replay");

pub(super) fn configure(
    config: &mut ServiceConfig,
    site: Data<Site>,
    assets: &[Asset],
    probes: &Arc<Probes>,
) {
    let is_replay = site.replay.is_some();
    config
        .app_data(site)
        .service(at("/events").route(web::get().to(events)))
        .service(at("/state").route(web::get().to(state)))
        .service(at("/requests").route(web::get().to(requests)))
        .service(at("/waits").route(web::get().to(waits)))
        .service(at("/trace.json").route(web::get().to(trace)))
        .service(at("/metrics").route(web::get().to(metrics)))
        .service(at("/healthz").route(web::get().to(healthz)));
    for Asset {
        path,
        content_type,
        body,
    } in assets.iter().cloned()
    {
        let file = move || ready(text(content_type, body.clone()));
        config.service(at(&path).route(web::get().to(file)));
    }
    if is_replay {
        replay::configure(config);
    } else {
        probes::configure(config, probes);
    }
    config.default_service(web::to(move |request: HttpRequest| async move {
        let more = if is_replay {
            replay::PATHS
        } else {
            probes::PATHS
        };
        let paths = format!("{PATHS}{more}");
        Problem::not_found(request.path(), &paths).response()
    }));
}

/// A resource that answers only GET.
fn at(path: &str) -> Resource {
    let refused = |request: HttpRequest| {
        let problem = Problem::method_not_allowed(request.method().as_str(), "GET");
        ready(problem.response())
    };
    web::resource(path).default_service(web::to(refused))
}

/// Checks that a request is allowed, and adds the headers that every answer has.
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
            // A refused client's connection is closed, so that it does not take the place of an
            // allowed one.
            refusal
                .head_mut()
                .set_connection_type(ConnectionType::Close);
            request.into_response(refusal).map_into_right_body()
        }
    };
    let app = site.app_url(response.request());
    let connect = app.filter(|_| site.connects_to_app);
    let connect = connect.map_or(String::new(), |url| format!(" {}", guard::source(&url)));
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'{connect}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let headers = response.headers_mut();
    if site.replay.is_some() {
        headers.insert(REPLAY, HeaderValue::from_static("record"));
    }
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
    guard::check_host(request, &site.names, |name| {
        site.remedy.replace("{name}", name)
    })?;
    guard::check_site(request)
}

async fn metrics(site: Data<Site>) -> HttpResponse {
    text(
        "text/plain; version=0.0.4; charset=utf-8",
        Site::figures(site).await,
    )
}

async fn state(site: Data<Site>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let app = site.app_url(&request);
    let state = site.ask(|reply| Command::State(app, reply)).await?;
    Ok(text("application/json", state))
}

async fn requests(site: Data<Site>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let Asked { most, min_age } = Asked::parse(request.query_string(), &[MOST, MIN_AGE])?;
    surveyed(&site, move |survey| survey.requests_json(most, min_age)).await
}

async fn waits(site: Data<Site>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let Asked { min_age, .. } = Asked::parse(request.query_string(), &[MIN_AGE])?;
    surveyed(&site, move |survey| survey.waits_json(min_age)).await
}

/// A document about the open requests. A long one is made on another thread.
async fn surveyed(
    site: &Site,
    document: impl FnOnce(&Survey) -> String + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let surveyed = site.ask(Command::Survey).await?;
    let made = web::block(move || document(&surveyed.survey)).await;
    let document = made.map_err(|error| Problem::unavailable(error.to_string()))?;
    Ok(text("application/json", document))
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
