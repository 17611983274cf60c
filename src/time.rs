//! How the handlers wait without blocking: as `actix_rt::time`, but more exactly on a lab's workers.
//!
//! A server with thousands of streams waits more often than it does anything else. Each of a lab's
//! workers has one timer for all of its streams: it takes less work than the runtime's timers, and
//! goes by the time itself and not by the runtime's rounded milliseconds.

#[cfg(target_os = "linux")]
mod wheel;
#[cfg(target_os = "linux")]
mod worker;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Waits until `duration` has passed, and never ends before that.
///
/// On a thread that has its own timer (see [`install`]), the wait ends up to a millisecond later, as
/// long as nothing holds the worker. On all others this is [`actix_rt::time::sleep`].
///
/// # Panics
///
/// Without a timer of its own, panics when no tokio runtime is running.
pub fn sleep(duration: Duration) -> Sleep {
    #[cfg(target_os = "linux")]
    if let Some(timer) = worker::installed() {
        return Sleep(By::Worker(timer.wait(duration)));
    }
    Sleep(By::Runtime(Box::pin(actix_rt::time::sleep(duration))))
}

/// Gives this thread a timer of its own, which all later calls of [`sleep`] on it use. Does nothing if
/// it has one, or where there is none for this system.
///
/// A test with a paused clock must not call this: the timer goes by the system's clock.
///
/// # Panics
///
/// Panics when no tokio runtime is running, or one without I/O.
pub fn install() {
    #[cfg(target_os = "linux")]
    if let Err(error) = worker::install() {
        tracing::warn!(
            %error,
            "no timer for this worker: its streams wait by the runtime's, and end up to 2 ms later"
        );
    }
}

/// A wait that [`sleep`] began.
#[derive(Debug)]
#[must_use = "a wait does nothing unless it is awaited"]
pub struct Sleep(By);

#[derive(Debug)]
enum By {
    #[cfg(target_os = "linux")]
    Worker(worker::Wait),
    Runtime(Pin<Box<actix_rt::time::Sleep>>),
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            #[cfg(target_os = "linux")]
            By::Worker(wait) => wait.poll(context),
            By::Runtime(sleep) => sleep.as_mut().poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn without_a_timer_of_its_own_a_thread_waits_by_the_runtimes() {
        let begun = tokio::time::Instant::now();
        sleep(Duration::from_secs(3600)).await;
        let waited = begun.elapsed();
        assert!(waited >= Duration::from_secs(3600), "{waited:?}");
    }
}
