//! When a held worker's stack is taken: as its hold is told of, and between ever more rarely. Each time
//! its thread is interrupted.

use std::sync::Arc;
use std::time::Duration;

use super::seen::STACKS;
use super::shared::Shared;
use super::slot::Slot;
use holdup_model::Hold;
use holdup_stack::{self as lines, Stack};

#[derive(Debug, Default)]
pub(super) struct Stacks {
    /// How long the hold has to last for the next one.
    due: Duration,
    taken: usize,
    /// How often in a row it did not come.
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

    /// The stack, if it is time for one, or `at_once`.
    pub(super) fn take(
        &mut self,
        shared: &Shared,
        slot: &Slot,
        hold: &Hold,
        at_once: bool,
    ) -> Option<Arc<Stack>> {
        let is_time = self.taken < STACKS && hold.duration >= self.due;
        if !(is_time || at_once) || self.missed == Self::MISSES || lines::off().is_some() {
            return None;
        }
        let stack = lines::take(slot.thread).ok().map(Arc::new);
        let pause = if let Some(stack) = &stack {
            (self.taken, self.missed) = (self.taken + 1, 0);
            let at = shared.since_origin(stack.at);
            shared.seen.add(hold.worker, hold.started, at, stack);
            Self::PAUSE.max(hold.duration / Self::SHARE)
        } else {
            self.missed += 1;
            Self::PAUSE_AFTER_MISS * (1 << self.missed)
        };
        self.due = hold.duration + pause;
        stack
    }
}
