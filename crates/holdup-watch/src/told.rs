//! What was told of the hold that a worker is in, and what is still to be told while it lasts.

use std::time::Duration;

#[cfg(feature = "stacks")]
use {
    super::{hold::who, seen, shared::Shared, slot::Slot, stacks::Stacks},
    holdup_model::Hold,
    holdup_stack::Stack,
    std::sync::Arc,
};

/// A hold that lasts is told of again when it has lasted this long, and then every minute.
const AGAIN: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
];

/// A hold of which a warning has told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) started: Duration,
    /// How long it has to last to be told of; `None` when it is over.
    due: Option<Duration>,
    #[cfg(feature = "stacks")]
    stacks: Stacks,
    /// Whether a warning has named its line.
    #[cfg(feature = "stacks")]
    pub(super) is_named: bool,
    /// Who holds the worker, as far as it is known.
    #[cfg(feature = "stacks")]
    pub(super) who: String,
}

impl Told {
    pub(super) fn new(started: Duration) -> Self {
        Self {
            started,
            due: Some(Duration::ZERO),
            #[cfg(feature = "stacks")]
            stacks: Stacks::default(),
            #[cfg(feature = "stacks")]
            is_named: false,
            #[cfg(feature = "stacks")]
            who: String::new(),
        }
    }

    /// One that is over, and was told of as such.
    pub(super) fn over(started: Duration) -> Self {
        Self {
            due: None,
            ..Self::new(started)
        }
    }

    /// Whether it is to be told now that it has lasted so long; if so, the next time is later.
    pub(super) fn is_due(&mut self, lasted: Duration) -> bool {
        let is_due = self.due.is_some_and(|due| lasted >= due);
        if is_due {
            self.due = Some(after(lasted));
        }
        is_due
    }
}

#[cfg(feature = "stacks")]
impl Told {
    /// The stack of its worker, if it is time for one or the hold is told of now; read, unless that takes
    /// a while.
    pub(super) fn take_stack(
        &mut self,
        shared: &Shared,
        slot: &Slot,
        hold: &Hold,
        is_told: bool,
    ) -> Option<Arc<Stack>> {
        let stack = self.stacks.take(shared, slot, hold, is_told)?;
        // Between the look and the stack the hold may have ended.
        let stack = slot.is_in(shared, hold.started).then_some(stack)?;
        if stack.is_quick() {
            stack.reading();
        }
        Some(stack)
    }

    /// The hold is told of: with the line that it is at now, if that is known.
    pub(super) fn tells(&mut self, hold: &mut Hold, stack: Option<&Stack>) {
        self.who = who(hold);
        if let Some(reading) = stack.and_then(Stack::known_reading) {
            hold.lines = seen::line(reading, hold).into_iter().collect();
        }
        self.is_named |= !hold.lines.is_empty();
    }
}

/// How long a hold has to last to be told of again, when it was told of after so long.
fn after(lasted: Duration) -> Duration {
    let later = AGAIN.into_iter().find(|&again| again > lasted);
    let minutes = lasted.as_secs() / 60 + 1;
    later.unwrap_or_else(|| Duration::from_secs(60 * minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_told_of_at_once_then_at_one_ten_and_sixty_seconds_and_every_minute() {
        let mut told = Told::new(Duration::ZERO);
        // A look each 25 ms, from the threshold on.
        let looks = (4..9_700).map(|look| look * Duration::from_millis(25));
        let due: Vec<_> = looks.filter(|&lasted| told.is_due(lasted)).collect();
        let expected = [100, 1_000, 10_000, 60_000, 120_000, 180_000, 240_000];
        assert_eq!(due, expected.map(Duration::from_millis));
    }

    #[test]
    fn times_that_went_by_unseen_are_told_of_once() {
        let mut told = Told::new(Duration::ZERO);
        let lasted = [5, 5, 9, 75, 76, 119, 119, 400, 401].map(Duration::from_secs);
        let due: Vec<_> = lasted.map(|lasted| told.is_due(lasted)).into();
        assert_eq!(
            due,
            [true, false, false, true, false, false, false, true, false]
        );
        assert!(!Told::over(Duration::ZERO).is_due(lasted[8]));
    }
}
