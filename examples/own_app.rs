//! A small app that uses the watch.
//!
//! `/report` reads a file and searches it on the worker, an easy mistake. `/report/fixed` does the
//! same on the thread pool. `/hello` is the fast route that suffers from the first one.
//!
//! ```console
//! cargo run --example own_app
//! curl localhost:8080/report & curl localhost:8080/hello    # hello waits for the report
//! ```
//!
//! `cargo test --example own_app` shows how a test finds the blocking handler.

use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicU32, Ordering};

use actix_web::error::ErrorInternalServerError;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpServer};
use holdup_watch::Watch;

/// The file of measurements. It is created at the start, so that the example runs anywhere.
#[derive(Clone)]
struct Measurements(std::path::PathBuf);

impl Measurements {
    fn make() -> io::Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("measurements-{}-{}.csv", name.0, name.1));
        let mut file = io::BufWriter::new(std::fs::File::create(&path)?);
        for n in 0..1_000_000_u64 {
            writeln!(file, "{n},{}", n.wrapping_mul(2_654_435_761) % 100_003)?;
        }
        file.flush()?;
        Ok(Self(path))
    }

    /// Reads and sorts the whole file: real blocking work, which waits for the disk a little and
    /// computes most of the time.
    fn median(&self) -> io::Result<u64> {
        let file = io::BufReader::new(std::fs::File::open(&self.0)?);
        let mut values = Vec::new();
        for line in file.lines() {
            let line = line?;
            let value = line.split(',').nth(1).and_then(|value| value.parse().ok());
            values
                .push(value.ok_or_else(|| io::Error::other(format!("not a measurement: {line}")))?);
        }
        values.sort_unstable();
        values
            .get(values.len() / 2)
            .copied()
            .ok_or_else(|| io::Error::other("no measurements"))
    }
}

/// Blocks its worker until the report is done.
async fn report(measurements: Data<Measurements>) -> actix_web::Result<String> {
    let median = measurements.median().map_err(ErrorInternalServerError)?;
    Ok(format!("median {median}\n"))
}

/// The same on a thread of the pool.
async fn report_fixed(measurements: Data<Measurements>) -> actix_web::Result<String> {
    let median = web::block(move || measurements.median()).await?;
    Ok(format!(
        "median {}\n",
        median.map_err(ErrorInternalServerError)?
    ))
}

async fn hello() -> &'static str {
    "hello\n"
}

fn routes(config: &mut ServiceConfig) {
    config
        .route("/report", web::get().to(report))
        .route("/report/fixed", web::get().to(report_fixed))
        .route("/hello", web::get().to(hello));
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let watch = Watch::new();
    let measurements = Data::new(Measurements::make()?);
    // The warnings go to the app's tracing subscriber; this one prints them.
    tracing_subscriber::fmt().init();
    HttpServer::new(move || {
        App::new()
            .app_data(measurements.clone())
            .configure(routes)
            .wrap(watch.clone())
    })
    .bind("127.0.0.1:8080")?
    .run()
    .await
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;
    use std::time::Duration;

    use actix_web::test::{TestRequest, call_service, init_service};

    use super::*;

    /// Sends one request to `path`, and returns the watch that observed it. A report takes longer
    /// than this threshold even in an optimized build on a fast machine.
    async fn watched(path: &str) -> Watch {
        let watch = Watch::new().threshold(Duration::from_millis(30));
        let measurements = Data::new(Measurements::make().expect("a place for files"));
        let path_of_measurements = measurements.0.clone();
        let app = App::new()
            .app_data(measurements)
            .configure(routes)
            .wrap(watch.clone());
        let app = init_service(app).await;
        let response = call_service(&app, TestRequest::get().uri(path).to_request()).await;
        assert!(response.status().is_success());
        std::fs::remove_file(path_of_measurements).ok();
        watch
    }

    #[actix_web::test]
    async fn a_report_holds_its_worker() {
        let watch = watched("/report").await;
        let failed = std::panic::catch_unwind(AssertUnwindSafe(|| watch.assert_no_holds()));
        let message = failed.expect_err("a report blocks");
        let message = message.downcast_ref::<String>().expect("a message");
        assert!(
            message.contains("GET /report (future, 1 poll, "),
            "{message}"
        );
    }

    #[actix_web::test]
    async fn the_fixed_report_and_hello_hold_nobody() {
        watched("/report/fixed").await.assert_no_holds();
        watched("/hello").await.assert_no_holds();
    }
}
