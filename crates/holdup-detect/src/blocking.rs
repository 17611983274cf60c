//! Who blocks a worker, and who loses time by that. The spans of both are noted here.

use std::sync::Arc;

use tracing::Span;

use crate::busy_period::Entry;
use crate::losses::Loss;
use crate::lost::Counts;
use crate::record::HoldId;
use crate::seat::{Seat, Victim};
use crate::spans::SpanNote;
use crate::worker::Worker;

/// The most requests of one hold that are told in their spans that they held the worker. They are those that took
/// longest.
const CULPRITS: usize = 8;

/// The most links of one request to others. A stream may be held up again and again.
const LINKS: usize = 16;

/// The span of a request is kept after a poll that took the threshold divided by this, because the poll may turn out to
/// be part of a hold.
const PART: u64 = 8;

impl Worker {
    /// Adds a time (from, to) to what a request lost, with the routes that the worker was busy with.
    #[cold]
    pub(crate) fn lose(&self, seat: &Seat, time: (u64, u64), counts: Counts) {
        let mut lost = seat.lost.borrow_mut();
        let before = lost.total();
        let added = lost.add(time, &seat.own.borrow(), &self.recent.borrow(), counts);
        seat.slot.add_held_up(added);
        let threshold = self.shared.threshold();
        drop(lost);
        if before + added >= threshold {
            self.note_victim(seat, time, before < threshold);
        }
    }

    /// Hands over what a request lost that is over.
    pub(crate) fn hand_over(&self, loss: Arc<Loss>, span: Option<Span>) {
        self.shared.losses.add(loss, span);
    }

    /// Notes the span of a request after a poll that took long enough to matter, or that is part of a hold already.
    pub(crate) fn note_blocker(&self, request: u64, time: (u64, u64), hold: u64) {
        let threshold = self.shared.threshold();
        let is_long = hold >= threshold || time.1 - time.0 >= threshold / PART;
        // Inside another watched service, a request has no number.
        if !is_long || request == 0 || !self.shared.losses.wants_spans() {
            return;
        }
        let gone = self.blockers.borrow_mut().note(request, time, current_span);
        drop(gone);
    }

    /// Hands over the spans of the requests that were the culprits of a hold. They have to be there before the hold is.
    pub(crate) fn hand_over_culprits(&self, start: u64, culprits: &[Entry]) {
        let blockers = self.blockers.borrow();
        if blockers.is_empty() {
            return;
        }
        let id = HoldId {
            worker: self.state.worker,
            started: self.shared.since_origin(start),
        };
        for (culprit, entry) in culprits.iter().enumerate().take(CULPRITS) {
            if let Some(span) = blockers.of(entry.request) {
                let span = span.clone();
                self.shared.spans.add(SpanNote::Held { id, culprit, span });
            }
        }
    }

    /// Notes the span of a request that has lost the threshold or more, and whose requests held it up in a time (from,
    /// to). `crosses` says whether it had lost less before.
    pub(crate) fn note_victim(&self, seat: &Seat, time: (u64, u64), crosses: bool) {
        if !self.shared.losses.wants_spans() {
            return;
        }
        let mut victim = seat.victim.borrow_mut();
        if crosses {
            *victim = current_span().map(|span| Victim {
                span,
                linked: Vec::new(),
            });
        }
        let Some(victim) = &mut *victim else { return };
        let blockers = self.blockers.borrow();
        let mut by = Vec::new();
        for (request, span) in blockers.between(time, seat.number.get()) {
            if victim.linked.len() < LINKS && !victim.linked.contains(&request) {
                victim.linked.push(request);
                by.push(span.clone());
            }
        }
        if !by.is_empty() {
            let span = victim.span.clone();
            self.shared.spans.add(SpanNote::HeldUp { span, by });
        }
    }

    /// Forgets the spans of requests that ran for long, because nobody can be held up by them any more.
    pub(crate) fn forget_blockers(&self) {
        if !self.blockers.borrow().is_empty() {
            let gone = self.blockers.borrow_mut().forget();
            drop(gone);
        }
    }
}

/// The span that the calling thread is in, if it is enabled.
fn current_span() -> Option<Span> {
    Some(Span::current()).filter(|span| !span.is_disabled())
}
