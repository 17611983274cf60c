//! Guesses which worker holds the lock that another worker waits for.
//!
//! A lock does not record its holder. The stacks show, however, whether another held worker is further on in
//! the same function that takes the lock. That worker may have released the lock already, and the function
//! may take one of many locks. The holder is therefore logged as a guess, and only if there is one candidate.

use std::collections::HashMap;

use holdup_model::{Activity, Hold, Line};

use super::schedule::Schedule;
use crate::record::HoldId;
use crate::shared::Shared;

/// Prefixes of the functions that block until a lock is free.
const LOCKS: &[&str] = &[
    "lock_api::",
    "parking_lot::",
    "std::sync::Mutex::",
    "std::sync::RwLock::",
    "std::sync::mutex::",
    "std::sync::rwlock::",
];

/// The one worker that may hold the lock and the line that it is at, as part of a sentence; `None` if no
/// worker or more than one may hold it.
pub(super) fn of(
    shared: &Shared,
    latest: &HashMap<usize, Schedule>,
    hold: &Hold,
) -> Option<String> {
    if hold.activity != Some(Activity::WaitingForLock) {
        return None;
    }
    let line = hold.lines.first().filter(|line| takes_a_lock(line))?;
    let (file, number) = (line.file.as_ref()?, line.line?);
    let states = shared.workers.alive();
    let others = states.iter().filter(|state| state.worker != hold.worker);
    let mut holders = others.filter_map(|state| {
        let schedule = latest.get(&state.worker)?;
        let id = HoldId {
            worker: state.worker,
            started: schedule.started,
        };
        let stack = shared.lasting().latest_stack(id)?;
        let at = stack.further_on(&line.function, file, number)?;
        let is_there = shared.is_in(state, id);
        is_there.then(|| format!("{} on worker {}, at {at}", schedule.who, state.worker))
    });
    let holder = holders.next()?;
    holders.next().is_none().then_some(holder)
}

/// Whether a line of code takes a lock.
fn takes_a_lock(line: &Line) -> bool {
    let is_of = |called: &String| LOCKS.iter().any(|lock| called.starts_with(lock));
    line.called.as_ref().is_some_and(is_of)
}
