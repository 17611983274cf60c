//! Publishes that a hold has ended, or that it is withdrawn.

use std::sync::Arc;
use std::time::Duration;

use holdup_model::{Culprit, Event, Hold, Spent};

use super::told::Told;
use crate::outlets::{Figure, LogEntry, Outlets};
use crate::record::HoldId;
use crate::shared::Shared;
use crate::worker_state::WorkerState;

/// Publishes a hold that is over and complete.
pub(super) fn released(shared: &Shared, outlets: &Outlets, told: &mut Told, mut hold: Hold) {
    shared.lasting().fill(&mut hold);
    shared.memory.complete(&hold);
    let is_allowed = shared.settings.allows(&hold);
    if !is_allowed {
        let hold = hold.clone();
        outlets.log.send(LogEntry::Released { hold });
    }
    told.tell_of(&outlets.log, &hold, is_allowed);
    outlets.metrics.send(Figure::Over(hold.clone()));
    outlets.callbacks.send(hold.clone());
    let mut lasting = shared.lasting();
    lasting.remove(HoldId::of(&hold));
    shared.events.publish(Event::Released(hold));
}

/// Publishes what requests lost that are over.
pub(super) fn losses(shared: &Shared, outlets: &Outlets, told: &mut Told) {
    let log = &outlets.log;
    told.pass(log, shared.elapsed());
    shared.losses.drain(
        |loss| shared.blamed(loss),
        |span, blamed| {
            let spent = Spent::new(Duration::ZERO, Duration::ZERO, blamed.by.clone());
            told.tell(log, span, blamed.route.clone(), spent);
        },
    );
    // At once, because the collector rests when the last request is over.
    told.drop_unused(log);
    shared.losses.want_spans(told.wants_spans(log));
    match shared.losses.take_dropped() {
        0 => {}
        requests => drop(log.send(LogEntry::Uncounted { requests })),
    }
    let send = |lost| outlets.metrics.send(Figure::HeldUp(lost));
    shared.losses.count(send);
}

/// Withdraws published holds that turned out not to be holds.
pub(super) fn withdraw_gone(shared: &Shared, outlets: &Outlets, states: &[Arc<WorkerState>]) {
    let mut lasting = shared.lasting();
    for hold in lasting.withdraw(|id| shared.is_any_in(states, id)) {
        withdrawn(shared, outlets, hold);
    }
}

/// Publishes that a hold is withdrawn. The caller has removed it from the ongoing holds and still holds their
/// lock.
pub(super) fn withdrawn(shared: &Shared, outlets: &Outlets, hold: Hold) {
    let id = HoldId::of(&hold);
    outlets.log.send(LogEntry::Withdrawn { id });
    outlets.metrics.send(Figure::Withdrawn(id));
    shared.events.publish(Event::Withdrawn(hold));
}

/// The culprits of a hold, in a few words.
pub(super) fn who(hold: &Hold) -> String {
    let name = |culprit: &Culprit| format!("{} {}", culprit.method, culprit.route);
    match hold.culprits.as_slice() {
        [] => "something outside the watched requests".to_owned(),
        [only] => name(only),
        [first, rest @ ..] => format!("{} and {} more", name(first), rest.len()),
    }
}
