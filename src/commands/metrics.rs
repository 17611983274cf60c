//! `--metrics`: the figures as a Prometheus page, from a worker of its own, which no handler of the
//! lab can hold.

use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpListener};

use actix_rt::spawn;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{App, HttpResponse, HttpServer, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Upper bounds for the histogram of hold durations, in seconds: from the threshold to the longest
/// countdown.
const BUCKETS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Installs the recorder and starts the listener; returns the address it really has.
pub(crate) fn start(address: SocketAddr) -> Result<SocketAddr, Box<dyn Error>> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&BUCKETS)?
        .install_recorder()?;
    let named = |error: io::Error| format!("cannot listen on {address} for --metrics: {error}");
    let listener = TcpListener::bind(address).map_err(named)?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(recorder.clone()))
            .route("/metrics", web::get().to(page))
    });
    let server = server.workers(1).disable_signals().listen(listener)?;
    spawn(server.run());
    Ok(address)
}

async fn page(recorder: web::Data<PrometheusHandle>) -> HttpResponse {
    recorder.run_upkeep();
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(recorder.render())
}
