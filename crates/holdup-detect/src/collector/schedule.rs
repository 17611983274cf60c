//! Decides when an ongoing hold is announced, when it is announced again, and when stacks of it are taken.
//! This code reads no clock: the caller passes how long the hold has lasted.

use std::sync::Arc;
use std::time::Duration;

use crate::samples::STACKS;
use crate::stack::StackSample;

/// An ongoing hold is logged again at these durations, and then every minute.
const AGAIN: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
];

/// The latest hold of a worker, and what was already announced of it.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) started: Duration,
    /// The duration at which the hold is announced next; `None` when it is over.
    due: Option<Duration>,
    /// The stack whose names are being looked up while the announcement is due. The lookup is expected to end
    /// before the next sample, and the hold is then announced.
    pub(super) deferred: Option<Arc<StackSample>>,
    pub(super) stacks: Stacks,
    pub(super) is_logged: bool,
    /// Whether a log line has named the line of code that holds the worker.
    pub(super) is_named: bool,
    /// A short description of the requests that hold the worker, as far as they are known.
    pub(super) who: String,
}

impl Schedule {
    pub(super) fn new(started: Duration) -> Self {
        Self {
            started,
            due: Some(Duration::ZERO),
            deferred: None,
            stacks: Stacks::default(),
            is_logged: false,
            is_named: false,
            who: String::new(),
        }
    }

    /// The schedule of a hold that is over: nothing more of it is announced.
    pub(super) fn over(started: Duration) -> Self {
        Self {
            due: None,
            ..Self::new(started)
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.due.is_none()
    }

    /// Whether the hold is to be announced now that it has lasted `lasted`. If so, this also sets when it is
    /// announced next.
    pub(super) fn is_due(&mut self, lasted: Duration) -> bool {
        let is_due = self.due.is_some_and(|due| lasted >= due);
        if is_due {
            self.due = Some(after(lasted));
        }
        is_due
    }
}

/// The duration at which a hold is announced again, if it was last announced at `lasted`.
fn after(lasted: Duration) -> Duration {
    let later = AGAIN.into_iter().find(|&again| again > lasted);
    let minutes = lasted.as_secs() / 60 + 1;
    later.unwrap_or_else(|| Duration::from_secs(60 * minutes))
}

/// Decides when a held worker's stack is taken: whenever its hold is announced, and in between at growing
/// intervals, because taking a stack interrupts the thread.
#[derive(Debug, Default)]
pub(super) struct Stacks {
    /// The duration of the hold at which the next stack is taken.
    due: Duration,
    taken: usize,
    /// How many attempts in a row have failed.
    missed: u32,
}

impl Stacks {
    /// The least time between two stacks.
    const PAUSE: Duration = Duration::from_millis(100);

    /// The pause grows with the hold, to its duration divided by this. That makes ten stacks in the first
    /// second and fifty in the first minute.
    const SHARE: u32 = 10;

    /// The pause after a failed attempt, doubled with each further failure. Attempts fail when the machine is
    /// too busy to schedule the thread, or when the thread cannot be interrupted.
    const PAUSE_AFTER_MISS: Duration = Duration::from_millis(20);

    /// After this many failures in a row, no more stacks are taken of the hold.
    const MISSES: u32 = 8;

    /// Whether a stack is to be taken of a hold that has lasted `lasted`. With `at_once` the schedule is
    /// ignored, but not the number of failures.
    pub(super) fn is_time(&self, lasted: Duration, at_once: bool) -> bool {
        let is_due = self.taken < STACKS && lasted >= self.due;
        (is_due || at_once) && self.missed < Self::MISSES
    }

    /// Records that a stack was taken.
    pub(super) fn take(&mut self, lasted: Duration) {
        (self.taken, self.missed) = (self.taken + 1, 0);
        self.due = lasted + Self::PAUSE.max(lasted / Self::SHARE);
    }

    /// Records that no stack could be taken.
    pub(super) fn miss(&mut self, lasted: Duration) {
        self.missed += 1;
        self.due = lasted + Self::PAUSE_AFTER_MISS * (1 << self.missed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_announced_at_once_then_at_1_10_and_60_s_then_every_minute() {
        let mut schedule = Schedule::new(Duration::ZERO);
        // One sample every 25 ms, from the threshold on.
        let looks = (4..9_700).map(|look| look * Duration::from_millis(25));
        let due: Vec<_> = looks.filter(|&lasted| schedule.is_due(lasted)).collect();
        let expected = [100, 1_000, 10_000, 60_000, 120_000, 180_000, 240_000];
        assert_eq!(due, expected.map(Duration::from_millis));
    }

    #[test]
    fn several_missed_times_lead_to_one_announcement() {
        let mut schedule = Schedule::new(Duration::ZERO);
        let lasted = [5, 5, 9, 75, 76, 119, 119, 400, 401].map(Duration::from_secs);
        let due: Vec<_> = lasted.map(|lasted| schedule.is_due(lasted)).into();
        assert_eq!(
            due,
            [true, false, false, true, false, false, false, true, false]
        );
        assert!(!Schedule::over(Duration::ZERO).is_due(lasted[8]));
    }

    #[test]
    fn stacks_are_taken_ten_times_in_the_first_second_and_ever_more_rarely() {
        let mut stacks = Stacks::default();
        let looks = (4..2_400).map(|look| look * Duration::from_millis(25));
        let taken: Vec<_> = looks
            .filter(|&lasted| {
                let is_time = stacks.is_time(lasted, false);
                if is_time {
                    stacks.take(lasted);
                }
                is_time
            })
            .collect();
        let within = |seconds| taken.iter().filter(|at| at.as_secs() < seconds).count();
        assert_eq!((within(1), within(60)), (9, 52));
    }

    #[test]
    fn no_more_stacks_are_taken_of_a_thread_that_does_not_answer() {
        let mut stacks = Stacks::default();
        let hour = Duration::from_secs(3600);
        let asked = (0..20).filter(|_| {
            let is_time = stacks.is_time(hour, true);
            if is_time {
                stacks.miss(hour);
            }
            is_time
        });
        assert_eq!(asked.count(), 8);
    }
}
