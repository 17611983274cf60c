//! The prober's own time while requests are running: how long it works, and how late it starts to.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use holdup_model::ClientTime;

/// How often the prober checks whether it runs in time. It may miss a delay that is shorter than this, which
/// is small compared with any time that is judged.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// How late the runtime's own timers may fire: they count in milliseconds and round up.
const TIMER: Duration = Duration::from_millis(2);

/// Adds up the prober's time from its creation. Only one task uses it; the lock lets that task move between
/// threads.
#[derive(Debug)]
pub(super) struct OwnTime(Mutex<Sums>);

#[derive(Debug)]
struct Sums {
    busy: Duration,
    late: Duration,
    /// The longest time so far for which it was kept from working, or worked without a look at anything else.
    longest: Duration,
    /// The latest delays, in order.
    delays: VecDeque<Delay>,
    /// When its current work started, if it is working.
    working: Option<Instant>,
    /// When its last work ended: since then it was idle, or kept from working.
    waiting: Instant,
}

/// A time in which the prober was kept from working.
#[derive(Debug, Clone, Copy)]
struct Delay {
    from: Instant,
    by: Duration,
    /// When it ended.
    until: Instant,
}

impl Delay {
    /// Whether what was read at this time may have arrived during the delay.
    fn concerns(&self, at: Instant) -> bool {
        self.from <= at && at <= self.until + AFTERWARDS
    }
}

/// How long after a delay the prober still reads what arrived during it. Its timers may fire before it looks at
/// its sockets.
const AFTERWARDS: Duration = Duration::from_millis(10);

/// How many delays are kept.
const DELAYS: usize = 64;

impl Sums {
    /// How long it has worked so far.
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
            longest: Duration::ZERO,
            delays: VecDeque::new(),
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
            let worked = sums.working.map(|since| since.elapsed());
            sums.busy += worked.unwrap_or_default();
            sums.longest = sums.longest.max(worked.unwrap_or_default());
            sums.working = None;
            sums.waiting = Instant::now();
            poll
        })
        .await
    }

    /// Records that a timer that was `due` has fired. The prober was late for the time since then in which it
    /// was not working, although it had work to do.
    pub(super) fn fired(&self, due: Instant) {
        let mut sums = self.sums();
        let began = sums.working.unwrap_or_else(Instant::now);
        let from = due.max(sums.waiting);
        let by = began.saturating_duration_since(from).saturating_sub(TIMER);
        if by.is_zero() {
            return;
        }
        sums.late += by;
        sums.longest = sums.longest.max(by);
        if sums.delays.len() == DELAYS {
            sums.delays.pop_front();
        }
        sums.delays.push_back(Delay {
            from,
            by,
            until: began,
        });
    }

    /// By how much these moments of a request that began at `since` may have been noticed late. Each delay counts once,
    /// and only its part after the request began.
    pub(super) fn late_for(&self, since: Instant, moments: &[Instant]) -> Duration {
        let sums = self.sums();
        let concerned = sums.delays.iter().filter(|delay| {
            delay.until > since && moments.iter().any(|moment| delay.concerns(*moment))
        });
        concerned
            .map(|delay| delay.by.min(delay.until - since))
            .sum()
    }

    /// The sums so far. The lane adds the time that concerns only itself.
    pub(super) fn so_far(&self) -> ClientTime {
        let sums = self.sums();
        ClientTime {
            busy: sums.busy(),
            late: sums.late,
            late_for_it: Duration::ZERO,
            longest: sums.longest,
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
    async fn what_is_read_right_after_a_delay_may_have_come_during_it() {
        let own = OwnTime::new();
        let due = Instant::now();
        block(Duration::from_millis(100));
        own.fired(due);
        let now = Instant::now();
        let late = own.late_for(due, &[now]);
        assert!(late >= Duration::from_millis(90), "{late:?}");
        // The timer may have fired in one poll, and the sockets may have been ready in the next one.
        own.count(async {}).await;
        assert_eq!(own.late_for(due, &[now + AFTERWARDS / 2]), late);
        assert_eq!(own.late_for(due, &[now + AFTERWARDS * 2]), Duration::ZERO);
        // It counts once, and not for a request that began after it.
        assert_eq!(own.late_for(due, &[due, now, now + AFTERWARDS / 2]), late);
        assert_eq!(own.late_for(now, &[now]), Duration::ZERO);
        let most = Duration::from_millis(50);
        let since = due + Duration::from_millis(70);
        assert!(own.late_for(since, &[now]) + most <= late);
    }

    #[tokio::test]
    async fn work_counts_as_busy_and_delay_by_other_tasks_as_late() {
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
                latest = latest.max(own.late_for(begun, &[Instant::now()]));
            }
            latest
        });
        let (latest, ()) = tokio::join!(work, other);
        let ClientTime { busy, late, .. } = own.so_far();
        let told = format!("busy {busy:?}, late {late:?}, {latest:?} for one");
        assert!(busy >= Duration::from_millis(100), "{told}");
        // One tick may have been due when the block began.
        assert!(latest >= Duration::from_millis(250), "{told}");
        assert!(late >= latest, "{told}");
        // Most of the waiting is neither busy nor late.
        assert!(busy < Duration::from_millis(400), "{told}");
    }
}
