//! The lab as an actix app: every path, and its handler.

use std::sync::{Arc, OnceLock};

use actix_web::guard::{Any, Get, Head};
use actix_web::http::header::{self, Accept, Header, Quality, QualityItem};
use actix_web::mime::Mime;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource};

use crate::countdown::{self, Context};
use crate::handlers;
use crate::problem::Readable;
use holdup_http::host;
use holdup_http::problem::Problem;

/// All paths of the lab.
pub const PATHS: &str = "/, /blocking, /coroutine, /callback, /threadpool, /healthz";

/// The methods that every path answers. All others get 405.
const METHODS: &str = "GET, HEAD";

/// The console's port, once it listens. As app data of the lab, it adds a link to the console to
/// the index.
#[derive(Debug, Clone, Default)]
pub struct ConsolePort(Arc<OnceLock<u16>>);

impl ConsolePort {
    /// Sets the port on which the console listens. Only the first call has an effect.
    pub fn set(&self, port: u16) {
        self.0.get_or_init(|| port);
    }
}

/// Adds all of the lab's routes to an app, for one worker.
pub fn configure(config: &mut ServiceConfig, context: Context) {
    config
        .app_data(Data::new(context))
        .service(at("/", index))
        .service(countdown("blocking", handlers::blocking))
        .service(countdown("coroutine", handlers::coroutine))
        .service(countdown("callback", handlers::callback))
        .service(countdown("threadpool", handlers::threadpool))
        .service(at("/healthz", healthz))
        .default_service(web::to(not_found));
}

fn countdown<H>(name: &'static str, handler: H) -> Resource
where
    H: Handler<(countdown::Countdown,), Output = HttpResponse>,
{
    at(&format!("/{name}"), handler).app_data(countdown::Handler(name))
}

/// A resource that answers `GET` and `HEAD`, and 405 to all other methods.
fn at<H, Args>(path: &str, handler: H) -> Resource
where
    H: Handler<Args, Output = HttpResponse>,
    Args: FromRequest + 'static,
{
    web::resource(path)
        .route(web::route().guard(Any(Get()).or(Head())).to(handler))
        .default_service(web::to(method_not_allowed))
}

/// How to use the lab: a page for a browser, plain text for other clients.
async fn index(request: HttpRequest) -> HttpResponse {
    let host = host(&request);
    let lab = format!("http://{host}");
    let port = request.app_data::<ConsolePort>();
    let port = port.and_then(|ConsolePort(port)| port.get());
    let console = port.map(|port| format!("http://{}:{port}/", host::without_port(&host)));
    let html = |range: &QualityItem<Mime>| {
        range.item.essence_str() == "text/html" && range.quality > Quality::ZERO
    };
    let accept = Accept::parse(&request).unwrap_or(Accept(Vec::new()));
    let (content_type, text, live) = if accept.iter().any(html) {
        let live = |url| format!("<p>Watch it live on <a href=\"{url}\">the console</a>.\n");
        let text = include_str!("index.html");
        ("text/html; charset=utf-8", text, console.map(live))
    } else {
        let live = |url| format!("\nWatch it live, in a browser: {url}\n");
        let text = include_str!("usage.txt");
        ("text/plain; charset=utf-8", text, console.map(live))
    };
    let text = text.replace("{console}\n", &live.unwrap_or_default());
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::VARY, "accept"))
        .body(text.replace("{lab}", &lab))
}

/// The address that the client used, or else the one that it reached.
fn host(request: &HttpRequest) -> String {
    let named = host::named(request.headers()).map(str::to_owned);
    named.unwrap_or_else(|| request.app_config().local_addr().to_string())
}

/// The health check runs on a worker on purpose: it freezes with the worker, as an app's own would.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body("ok\n")
}

async fn not_found(request: HttpRequest) -> Result<HttpResponse, Readable> {
    Err(Problem::not_found(request.path(), PATHS).into())
}

async fn method_not_allowed(request: HttpRequest) -> Result<HttpResponse, Readable> {
    let method = request.method().as_str();
    Err(Problem::method_not_allowed(method, METHODS).into())
}
