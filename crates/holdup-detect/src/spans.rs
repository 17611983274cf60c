//! What workers hand over for the spans of requests: that a request has held its worker, and by whose requests one was
//! held up.

use crossbeam_queue::ArrayQueue;
use tracing::Span;

use crate::busy_period::Entry;
use crate::record::HoldId;
use crate::seat::{Seat, Victim};
use crate::worker::Worker;

/// The most notes that wait for the collector, which takes them every few milliseconds.
const NOTES: usize = 1024;

/// The most requests of one hold that are told in their spans that they held the worker. They are those that took
/// longest.
const CULPRITS: usize = 8;

/// The most links of one request to others. A stream may be held up again and again.
const LINKS: usize = 16;

/// The span of a request is kept after a poll that took the threshold divided by this, because the poll may turn out to
/// be part of a hold.
const PART: u64 = 8;

/// What is to be written into a span.
#[derive(Debug)]
pub(crate) enum SpanNote {
    /// The request of this span is a culprit of a hold.
    Held {
        id: HoldId,
        /// Which of the hold's culprits it is.
        culprit: usize,
        span: Span,
    },
    /// The request of this span was held up by the requests of these.
    HeldUp { span: Span, by: Vec<Span> },
}

/// Takes notes from the workers, which never wait for it.
#[derive(Debug)]
pub(crate) struct SpanNotes(ArrayQueue<SpanNote>);

impl SpanNotes {
    pub(crate) fn new() -> Self {
        Self(ArrayQueue::new(NOTES))
    }

    /// Takes a note. If there is no room, it is dropped.
    pub(crate) fn add(&self, note: SpanNote) {
        drop(self.0.push(note));
    }

    /// The notes that are there now.
    pub(crate) fn drain(&self) -> impl Iterator<Item = SpanNote> {
        (0..self.0.len()).map_while(|_| self.0.pop())
    }
}

impl Worker {
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
