//! A replica with one worker: `traces NAME RECEIVER MIDDLEWARE [UPSTREAM]`. It prints its address, and ends when its
//! standard input does.

mod exporter;
mod handlers;

use std::io::{Read as _, stdin};
use std::thread;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use actix_web::web::{Data, ServiceConfig, get};
use actix_web::{App, Error, HttpServer, middleware as wrapping};
use holdup_watch::Watch;
use opentelemetry::propagation::Extractor;
use tracing::{Instrument as _, info_span};
use tracing_actix_web::TracingLogger;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

fn routes(config: &mut ServiceConfig) {
    config
        .route("/blocking", get().to(handlers::blocking))
        .route("/starving", get().to(handlers::starving))
        .route("/body", get().to(handlers::body))
        .route("/coroutine", get().to(handlers::coroutine))
        .route("/ask/{route}", get().to(handlers::ask));
}

/// The headers in which whoever asks names its trace.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

/// Puts a request into a span of its own, which belongs to the trace of whoever asks.
async fn in_span(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let route = request.match_pattern().unwrap_or_default();
    let name = format!("{} {route}", request.method());
    let span = info_span!("request", otel.name = name, otel.kind = "server");
    let context = opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.extract(&Headers(request.headers()))
    });
    span.set_parent(context).expect("it has not started");
    next.call(request).instrument(span).await
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().expect("an argument");
    let (name, receiver, middleware) = (argument(), argument(), argument());
    let upstream = Data::new(handlers::Upstream(argument()));
    let provider = exporter::start(name.leak(), &receiver);
    let client = Data::new(reqwest::Client::new());
    // On a busy machine, a thread may not run for longer than the usual 100 ms.
    let watch = Watch::new().threshold(Duration::from_millis(400));
    macro_rules! serve {
        ($spans:expr) => {
            HttpServer::new(move || {
                App::new()
                    .app_data(client.clone())
                    .app_data(upstream.clone())
                    .configure(routes)
                    .wrap(watch.clone())
                    .wrap($spans)
            })
            .workers(1)
            .bind(("127.0.0.1", 0))?
        };
    }
    let (address, server) = match middleware.as_str() {
        "tracing-actix-web" => {
            let server = serve!(TracingLogger::default());
            (server.addrs()[0], server.run())
        }
        _ => {
            let server = serve!(wrapping::from_fn(in_span));
            (server.addrs()[0], server.run())
        }
    };
    println!("http://{address}");
    let handle = server.handle();
    thread::spawn(move || {
        stdin().read_to_end(&mut Vec::new()).ok();
        drop(handle.stop(true));
    });
    server.await?;
    provider.shutdown().map_err(std::io::Error::other)
}
