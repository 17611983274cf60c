//! The wait, by whichever timer there is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(target_os = "linux")]
use crate::timer;

/// Waits until `duration` has passed, and never ends before that.
///
/// On a thread that has its own timer (see [`install`]), the wait ends up to 1.25 ms later, as
/// long as nothing holds the worker. On all others this is [`tokio::time::sleep`].
///
/// # Panics
///
/// Without a timer of its own, panics when no tokio runtime is running.
pub fn sleep(duration: Duration) -> Sleep {
    #[cfg(target_os = "linux")]
    if let Some(timer) = timer::installed() {
        return Sleep(By::Timer(timer.wait(duration)));
    }
    Sleep(By::Runtime(Box::pin(tokio::time::sleep(duration))))
}

/// Gives this thread a timer of its own. All later calls of [`sleep`] on it use that, until the runtime ends. Does
/// nothing if the thread has one, and on systems other than Linux.
///
/// The timer goes by the system's clock. A test that pauses tokio's clock must not install it.
///
/// # Errors
///
/// Returns an error when the system gives no timer, because too many files are open. [`sleep`] works all the
/// same.
///
/// # Panics
///
/// Panics outside of a `LocalSet` of tokio's, which every thread of actix's has.
#[cfg_attr(
    not(target_os = "linux"),
    expect(clippy::unnecessary_wraps, reason = "it fails on Linux only")
)]
pub fn install() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    timer::install()?;
    Ok(())
}

/// A wait that [`sleep`] began.
#[derive(Debug)]
#[must_use = "a wait does nothing unless it is awaited"]
pub struct Sleep(By);

#[derive(Debug)]
enum By {
    #[cfg(target_os = "linux")]
    Timer(timer::Wait),
    Runtime(Pin<Box<tokio::time::Sleep>>),
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            #[cfg(target_os = "linux")]
            By::Timer(wait) => wait.poll(context),
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
