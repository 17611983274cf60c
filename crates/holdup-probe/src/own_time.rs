//! What the prober itself needs while lanes are going: how long it works, and how late it comes to it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use holdup_model::ClientTime;

/// How often the prober looks whether it comes to its work in time. A delay that is shorter than this
/// may go unseen; it is small against any time that is judged.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// A timer of the runtime may fire so much late by itself: it counts in milliseconds and rounds up.
const TIMER: Duration = Duration::from_millis(2);

/// Adds up, from its making on. Only one task uses it; the lock lets that task move between threads.
#[derive(Debug)]
pub(super) struct OwnTime(Mutex<Sums>);

#[derive(Debug)]
struct Sums {
    busy: Duration,
    late: Duration,
    /// By how much it is late for what it is at work on.
    late_now: Duration,
    /// Since when it has been at work, while it is.
    working: Option<Instant>,
    /// Since when it has had nothing to do, or has been kept from it.
    waiting: Instant,
}

impl Sums {
    /// How long it has been at work, up to now.
    fn busy(&self) -> Duration {
        let working = self.working.map(|since| since.elapsed());
        self.busy + working.unwrap_or_default()
    }
}

impl OwnTime {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Sums {
            busy: Duration::ZERO,
            late: Duration::ZERO,
            late_now: Duration::ZERO,
            working: None,
            waiting: Instant::now(),
        }))
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work`, and counts as busy each time in which it has something to do. That is time on the
    /// clock, so being interrupted meanwhile counts as well.
    pub(super) async fn count<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| {
            self.sums().working = Some(Instant::now());
            let poll = work.as_mut().poll(context);
            let mut sums = self.sums();
            sums.busy = sums.busy();
            sums.late_now = Duration::ZERO;
            sums.working = None;
            sums.waiting = Instant::now();
            poll
        })
        .await
    }

    /// A timer that was `due` has fired. Late is the time after that in which the prober was neither
    /// at work nor had a reason to wait.
    pub(super) fn fired(&self, due: Instant) {
        let mut sums = self.sums();
        let began = sums.working.unwrap_or_else(Instant::now);
        let late = began.saturating_duration_since(due.max(sums.waiting));
        let late = late.saturating_sub(TIMER);
        sums.late += late;
        sums.late_now = sums.late_now.max(late);
    }

    /// By how much the prober is late for what it sees now. Ask its timer before.
    pub(super) fn late_now(&self) -> Duration {
        self.sums().late_now
    }

    /// All so far. What only concerns one lane is for the lane to add.
    pub(super) fn so_far(&self) -> ClientTime {
        let sums = self.sums();
        ClientTime {
            busy: sums.busy(),
            late: sums.late,
            late_for_it: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time;

    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "the test's own thread is what is measured"
    )]
    fn block(time: Duration) {
        std::thread::sleep(time);
    }

    #[tokio::test]
    async fn work_is_busy_waiting_is_not_and_what_others_do_meanwhile_is_late() {
        let own = OwnTime::new();
        let other = async {
            time::sleep(Duration::from_millis(20)).await;
            block(Duration::from_millis(300));
        };
        let work = own.count(async {
            block(Duration::from_millis(100));
            let busy = own.so_far().busy;
            assert!(busy >= Duration::from_millis(100), "{busy:?}");
            let mut ticks = time::interval(TICK);
            let (begun, mut latest) = (Instant::now(), Duration::ZERO);
            while begun.elapsed() < Duration::from_millis(400) {
                let due = ticks.tick().await;
                own.fired(due.into_std());
                latest = latest.max(own.late_now());
            }
            latest
        });
        let (latest, ()) = tokio::join!(work, other);
        let ClientTime { busy, late, .. } = own.so_far();
        let told = format!("busy {busy:?}, late {late:?}, {latest:?} for one");
        assert!(busy >= Duration::from_millis(100), "{told}");
        // One tick may have been due when it began.
        assert!(latest >= Duration::from_millis(250), "{told}");
        assert!(late >= latest, "{told}");
        // Most of the waiting is neither.
        assert!(busy < Duration::from_millis(400), "{told}");
    }
}
