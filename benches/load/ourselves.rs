//! What the client measures about itself, to distinguish its own lateness from the server's.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::stream::ms;

/// The interval of the timer. It includes tokio's own resolution of 1 ms.
const EVERY: Duration = Duration::from_millis(5);

/// What this process did during the measurement.
#[derive(Debug)]
pub(crate) struct Ourselves {
    /// The start of the run, by this machine's monotonic clock.
    pub(crate) started: Duration,
    pub(crate) gaps: Vec<Gap>,
    /// The processor time that the process used.
    pub(crate) cpu: Duration,
}

/// How late a timer fired on the thread that reads the streams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gap {
    /// The time since the start of the run, in milliseconds.
    pub(crate) at_ms: f64,
    pub(crate) late_ms: f64,
}

/// A measurement that is running.
pub(crate) struct Watching {
    stop: oneshot::Sender<()>,
    gaps: JoinHandle<Vec<Gap>>,
    started: Duration,
    cpu_before: Duration,
}

/// Starts to record how late this thread's timers fire.
pub(crate) fn watch(start: Instant) -> Watching {
    let (stop, mut stopped) = oneshot::channel();
    let gaps = tokio::spawn(async move {
        let mut gaps = Vec::new();
        let mut due = Instant::now() + EVERY;
        while timeout_at(due, &mut stopped).await.is_err() {
            let now = Instant::now();
            gaps.push(Gap {
                at_ms: ms(now - start),
                late_ms: ms(now - due),
            });
            due = now + EVERY;
        }
        gaps
    });
    Watching {
        stop,
        gaps,
        started: clock(ClockId::Monotonic).saturating_sub(start.elapsed()),
        cpu_before: clock(ClockId::ProcessCPUTime),
    }
}

impl Watching {
    pub(crate) async fn stop(self) -> Ourselves {
        let cpu = clock(ClockId::ProcessCPUTime).saturating_sub(self.cpu_before);
        self.stop.send(()).ok();
        let gaps = self
            .gaps
            .await
            .expect("the watch neither panics nor is cancelled");
        Ourselves {
            started: self.started,
            gaps,
            cpu,
        }
    }
}

fn clock(id: ClockId) -> Duration {
    clock_gettime(id).try_into().unwrap_or_default()
}
