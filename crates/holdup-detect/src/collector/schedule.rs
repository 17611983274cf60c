//! When the hold that a worker is in is announced, and again, and when stacks of it are taken. Pure: how
//! long the hold has lasted is given.

use std::sync::Arc;
use std::time::Duration;

use crate::samples::STACKS;
use crate::stack::StackSample;

/// A hold that lasts is logged again when it has lasted this long, and then every minute.
const AGAIN: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
];

/// The latest hold of a worker, and what was announced of it.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) started: Duration,
    /// How long it has to last to be announced; `None` when it is over.
    due: Option<Duration>,
    /// It is due, and its stack is being looked up, which takes no longer than until the next look.
    pub(super) deferred: Option<Arc<StackSample>>,
    pub(super) stacks: Stacks,
    pub(super) is_logged: bool,
    /// Whether a log line has named its line of code.
    pub(super) is_named: bool,
    /// Who holds the worker, in a few words, as far as it is known.
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

    /// A hold that is over, and was announced as such.
    pub(super) fn over(started: Duration) -> Self {
        Self {
            due: None,
            ..Self::new(started)
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.due.is_none()
    }

    /// Whether it is to be announced now that it has lasted so long; if so, the next time is later.
    pub(super) fn is_due(&mut self, lasted: Duration) -> bool {
        let is_due = self.due.is_some_and(|due| lasted >= due);
        if is_due {
            self.due = Some(after(lasted));
        }
        is_due
    }
}

/// How long a hold has to last to be announced again, when it was announced after so long.
fn after(lasted: Duration) -> Duration {
    let later = AGAIN.into_iter().find(|&again| again > lasted);
    let minutes = lasted.as_secs() / 60 + 1;
    later.unwrap_or_else(|| Duration::from_secs(60 * minutes))
}

/// When a held worker's stack is taken: as its hold is announced, and between ever more rarely. Each time
/// its thread is interrupted.
#[derive(Debug, Default)]
pub(super) struct Stacks {
    /// How long the hold has to last for the next one.
    due: Duration,
    taken: usize,
    /// How often in a row no stack was taken.
    missed: u32,
}

impl Stacks {
    /// The least time from one to the next.
    const PAUSE: Duration = Duration::from_millis(100);

    /// The pause grows with the hold, to a share of its length that is one in this many: ten in the
    /// first second, fifty in the first minute.
    const SHARE: u32 = 10;

    /// After one that did not come the pause is this, and twice as long each time: the machine may be
    /// too busy to give the thread its turn, or the thread cannot be interrupted.
    const PAUSE_AFTER_MISS: Duration = Duration::from_millis(20);

    /// A thread that did not answer this often in a row is left alone for the rest of its hold.
    const MISSES: u32 = 8;

    /// Whether one is to be taken of a hold that has lasted so long, or `at_once`.
    pub(super) fn is_time(&self, lasted: Duration, at_once: bool) -> bool {
        let is_due = self.taken < STACKS && lasted >= self.due;
        (is_due || at_once) && self.missed < Self::MISSES
    }

    /// A stack was taken.
    pub(super) fn take(&mut self, lasted: Duration) {
        (self.taken, self.missed) = (self.taken + 1, 0);
        self.due = lasted + Self::PAUSE.max(lasted / Self::SHARE);
    }

    /// No stack was taken.
    pub(super) fn miss(&mut self, lasted: Duration) {
        self.missed += 1;
        self.due = lasted + Self::PAUSE_AFTER_MISS * (1 << self.missed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_announced_at_once_then_at_one_ten_and_sixty_seconds_and_every_minute() {
        let mut schedule = Schedule::new(Duration::ZERO);
        // A look each 25 ms, from the threshold on.
        let looks = (4..9_700).map(|look| look * Duration::from_millis(25));
        let due: Vec<_> = looks.filter(|&lasted| schedule.is_due(lasted)).collect();
        let expected = [100, 1_000, 10_000, 60_000, 120_000, 180_000, 240_000];
        assert_eq!(due, expected.map(Duration::from_millis));
    }

    #[test]
    fn times_that_went_by_without_a_look_are_announced_once() {
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
    fn a_thread_that_does_not_answer_is_left_alone() {
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
