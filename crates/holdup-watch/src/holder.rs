//! Who may have the lock that a held worker waits for.
//!
//! A lock does not tell who has it. What can be seen is another held worker that is further on in the very
//! function that takes the lock. It may have let go of it, and a function may take one of many locks: so
//! it is told as a guess, and not at all when there are two such workers.

use std::collections::HashMap;

use super::seen::takes_a_lock;
use super::shared::Shared;
use super::told::Told;
use holdup_model::{Activity, Hold};

/// The one worker that may have it, with where it is, in the words of a sentence.
pub(super) fn of(shared: &Shared, told: &HashMap<usize, Told>, hold: &Hold) -> Option<String> {
    if hold.activity != Some(Activity::WaitingForLock) {
        return None;
    }
    let line = hold.lines.first().filter(|line| takes_a_lock(line))?;
    let (file, number) = (line.file.as_ref()?, line.line?);
    let slots = shared.slots();
    let others = slots.iter().filter(|slot| slot.worker != hold.worker);
    let mut holders = others.filter_map(|slot| {
        let told = told.get(&slot.worker)?;
        let stack = shared.seen.latest(slot.worker, told.started)?;
        let at = stack.known_reading()?;
        let at = at.further_on(&line.function, file, number)?;
        let is_there = slot.is_in(shared, told.started);
        is_there.then(|| format!("{} on worker {}, at {at}", told.who, slot.worker))
    });
    let holder = holders.next()?;
    holders.next().is_none().then_some(holder)
}
