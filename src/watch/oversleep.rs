//! How long the thread outside overslept: in that time the machine, or this process, was kept from
//! running, and no worker is to be blamed for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Every machine wakes a thread this late now and then, nanoseconds.
const LEAST: u64 = 10_000_000;

/// The most that are kept; the oldest are forgotten first.
const KEPT: usize = 64;

/// One pause of the monitor that took longer than it should. All times are nanoseconds of one clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    pub(super) from: u64,
    /// When it should have ended.
    pub(super) due: u64,
    /// When it did.
    pub(super) to: u64,
    /// How much of it the monitor was in the run queue.
    pub(super) queued: u64,
}

impl Pause {
    pub(super) fn is_late(&self) -> bool {
        self.late() >= LEAST
    }

    fn late(&self) -> u64 {
        self.to.saturating_sub(self.due)
    }

    /// How long the process may have been stopped, or the machine suspended. A thread that is ready is in the
    /// run queue, so what it was late for another reason is that. It may have begun early in the pause.
    fn stopped(&self) -> u64 {
        if self.late().saturating_sub(self.queued) < LEAST {
            return 0;
        }
        (self.to - self.from).saturating_sub(self.queued)
    }

    /// So much of this pause, but no more than of it is between those times.
    fn within(&self, start: u64, end: u64, time: u64) -> u64 {
        let common = end.min(self.to).saturating_sub(start.max(self.from));
        time.min(common)
    }
}

/// The monitor's pauses that took too long.
#[derive(Debug, Default)]
pub(super) struct Oversleeps {
    late: Mutex<VecDeque<Pause>>,
    /// Since when the monitor pauses; 0 when it does not.
    pausing: AtomicU64,
}

impl Oversleeps {
    /// The monitor pauses from now on.
    pub(super) fn begin(&self, now: u64) {
        self.pausing.store(now, Ordering::Release);
    }

    /// Its pause is over.
    pub(super) fn end(&self, pause: Pause) {
        if pause.is_late() {
            let mut late = self.lock();
            if late.len() == KEPT {
                late.pop_front();
            }
            late.push_back(pause);
        }
        self.pausing.store(0, Ordering::Release);
    }

    /// Whether all that it overslept up to then is known.
    pub(super) fn are_known(&self, until: u64) -> bool {
        let since = self.pausing.load(Ordering::Acquire);
        since == 0 || since >= until
    }

    /// The most that the process may have been stopped, or the machine suspended, between those times.
    pub(super) fn stopped(&self, start: u64, end: u64) -> u64 {
        let all = self.lock();
        all.iter()
            .map(|pause| pause.within(start, end, pause.stopped()))
            .sum()
    }

    /// The most that a thread may have been kept from running between those times, of which nobody knows how
    /// long it was in the run queue: as long as the monitor was.
    pub(super) fn missed(&self, start: u64, end: u64) -> u64 {
        let all = self.lock();
        all.iter()
            .map(|pause| pause.within(start, end, pause.stopped().max(pause.late())))
            .sum()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Pause>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Oversleeps with pauses of 25 ms: (from ms, to ms, ms in the run queue).
    fn oversleeps(pauses: &[(u64, u64, u64)]) -> Oversleeps {
        let oversleeps = Oversleeps::default();
        for &(from, to, queued) in pauses {
            oversleeps.begin(from * MS);
            oversleeps.end(Pause {
                from: from * MS,
                due: (from + 25) * MS,
                to: to * MS,
                queued: queued * MS,
            });
        }
        oversleeps
    }

    #[test]
    fn a_pause_in_time_is_none_and_one_in_the_run_queue_is_no_stop() {
        let oversleeps = oversleeps(&[(0, 26, 0), (30, 64, 0), (100, 425, 299)]);
        assert_eq!(oversleeps.stopped(0, 1000 * MS), 0);
        assert_eq!(oversleeps.missed(0, 1000 * MS), 300 * MS);
        assert_eq!(oversleeps.missed(200 * MS, 300 * MS), 100 * MS);
    }

    #[test]
    fn a_stop_may_have_begun_with_the_pause_and_counts_as_far_as_the_hold_goes() {
        let oversleeps = oversleeps(&[(100, 425, 5), (500, 1525, 0)]);
        assert_eq!(oversleeps.stopped(0, 450 * MS), 320 * MS);
        assert_eq!(oversleeps.stopped(400 * MS, 450 * MS), 25 * MS);
        assert_eq!(oversleeps.stopped(430 * MS, 490 * MS), 0);
        assert_eq!(oversleeps.stopped(0, 2000 * MS), 1345 * MS);
    }

    #[test]
    fn what_was_overslept_is_known_when_the_pause_of_that_time_is_over() {
        let oversleeps = oversleeps(&[(100, 425, 0)]);
        assert!(oversleeps.are_known(2000 * MS));
        oversleeps.begin(500 * MS);
        assert!(oversleeps.are_known(450 * MS) && !oversleeps.are_known(600 * MS));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let pauses: Vec<_> = (0..100).map(|n| (n * 100, n * 100 + 75, 0)).collect();
        let oversleeps = oversleeps(&pauses);
        assert_eq!(oversleeps.stopped(0, 3600 * MS), 0);
        assert_eq!(oversleeps.stopped(3600 * MS, 3700 * MS), 75 * MS);
    }
}
