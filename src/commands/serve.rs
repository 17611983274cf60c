//! `holdup serve`: run the lab until a signal says stop.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{self, ExitCode};

use actix_rt::signal::unix::{SignalKind, signal};
use actix_rt::{System, spawn};
use holdup::serve::{Lab, Settings};
use tokio::sync::oneshot;
use tracing::info;

use crate::cli::Serve;
use crate::commands::metrics;
use crate::logs;

/// The exit code of a program that ctrl-C ended: 128 and the signal's number, as shells count.
const INTERRUPTED: i32 = 130;

pub(crate) fn run(options: &Serve) -> ExitCode {
    // Dropped last, so that what was logged is written.
    let _flush = logs::init(options.log_format);
    match System::new().block_on(serve(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("holdup: {}", with_sources(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: &Serve) -> Result<(), Box<dyn Error>> {
    let settings = options.settings();
    // Before anything is served: as a container's first process there is no default action.
    let stop = stop_signal()?;
    if let Some(address) = options.metrics {
        let address = metrics::start(address)?;
        info!(%address, "metrics are at /metrics");
    }
    let lab = Lab::start(&settings)?;
    super::print(&welcome(lab.address(), &settings))?;
    lab.run_until(stop).await?;
    Ok(())
}

/// Ready at the first SIGTERM or SIGINT. A second SIGINT ends the process at once.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (stop, stopped) = oneshot::channel();
    spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.send(()).ok();
        interrupt.recv().await;
        process::exit(INTERRUPTED);
    });
    Ok(async move { stopped.await.unwrap_or(()) })
}

fn welcome(address: SocketAddr, settings: &Settings) -> String {
    let lab = format!("http://{}", reachable(address));
    let workers = match settings.workers.get() {
        1 => "One worker, so that two requests meet on it. actix starts one per core, and then \
              two\nclients may land on different ones and nothing looks held up (--workers N)."
            .to_owned(),
        n => format!(
            "{n} workers: up to {n} blocking requests run side by side, and the next one waits.\n\
             With --workers 1, two are enough to see it."
        ),
    };
    format!(
        "holdup: the lab is at {lab}\n\
         \n\
         {workers}\n\
         \n\
         In two terminals, one right after the other:\n\
         \n  curl -N '{lab}/blocking?x=1'\n  curl -N '{lab}/blocking?x=2'\n\
         \n\
         Then the cures: /coroutine, /callback and /threadpool. {lab}/ tells more; Ctrl-C stops.\n"
    )
}

/// An address that a client on this machine can use, where `address` may be "all of them".
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other.ip(),
    };
    SocketAddr::new(ip, address.port())
}

fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
