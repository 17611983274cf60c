//! The signals that stop a service.

use std::io;
use std::process;

use actix_rt::signal::unix::{SignalKind, signal};
use actix_rt::spawn;
use tokio::sync::oneshot;

/// The exit code of a program that Ctrl-C ended: 128 plus the signal's number, the convention of
/// shells.
const INTERRUPTED: i32 = 130;

/// A future that is ready at the first SIGTERM or SIGINT. A second SIGINT ends the process at once.
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
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
