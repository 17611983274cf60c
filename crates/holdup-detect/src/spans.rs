//! What workers hand over for the spans of requests: that a request has held its worker, and by whose requests one was
//! held up.

use crossbeam_queue::ArrayQueue;
use tracing::Span;

use crate::record::HoldId;

/// The most notes that wait for the collector, which takes them every few milliseconds.
const NOTES: usize = 1024;

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
