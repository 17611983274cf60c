//! The apps, each in a process of its own.

use std::error::Error;
use std::time::Duration;

use actix_web::{App, HttpServer, Responder, web};
use holdup_console::Console;
use holdup_watch::Watch;
use tokio_metrics::TaskMonitor;

use crate::client::BODY;
use crate::plan::Kind;

/// How long a connection may have nothing to do: longer than all servers together are loaded in a round.
const UNTIL_ITS_TURN: Duration = Duration::from_secs(75);

async fn trivial() -> impl Responder {
    BODY
}

/// Serves until the process is ended. The first line of output is the app's address, and the second
/// one its console's, if it has one.
///
/// # Errors
///
/// If `address` cannot be listened on.
pub(crate) async fn serve(kind: Kind, address: &str, workers: usize) -> Result<(), Box<dyn Error>> {
    let (watch, monitor) = (Watch::new(), TaskMonitor::new());
    let mut console = None;
    macro_rules! run {
        ($app:expr) => {{
            let server = HttpServer::new($app)
                .workers(workers)
                .client_request_timeout(UNTIL_ITS_TURN)
                .keep_alive(UNTIL_ITS_TURN)
                .bind(address)?;
            println!("{}", server.addrs()[0]);
            if kind == Kind::WatchRead {
                let started = Console::builder(&watch, "127.0.0.1:0").start()?;
                println!("{}", started.address());
                console = Some(started);
            }
            server.run().await?;
        }};
    }
    match kind {
        Kind::Bare | Kind::BareAgain => run!(|| App::new().route("/", web::get().to(trivial))),
        Kind::Watch | Kind::WatchRead => run!({
            let watch = watch.clone();
            move || {
                App::new()
                    .route("/", web::get().to(trivial))
                    .wrap(watch.clone())
            }
        }),
        Kind::TaskMonitor => run!(move || {
            let monitor = monitor.clone();
            App::new().route("/", web::get().to(move || monitor.instrument(trivial())))
        }),
    }
    drop(console);
    Ok(())
}
