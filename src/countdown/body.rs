//! A countdown as a response body: one tick, one chunk.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use futures_util::Stream;
use pin_project_lite::pin_project;

use super::format::Format;
use super::tick::Tick;
use crate::streams;

thread_local! {
    /// Where a worker writes its next line. What is sent is copied out of it, with the length it
    /// has: one allocation for each chunk, and no room kept in the thousands of streams.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pin_project! {
    /// Writes each tick of `ticking` as it comes, then the last one, 0, when `ticking` has waited
    /// for it and ends.
    ///
    /// It holds the stream's place, so the place is free when the body is dropped: at its end, or
    /// because the client left.
    pub(super) struct Body<S> {
        #[pin]
        ticking: S,
        format: Format,
        label: Option<String>,
        place: streams::Stream,
        state: State,
    }
}

enum State {
    /// The handler's loop runs; the tick that it made last.
    Counting(Option<Tick>),
    /// The last tick is out.
    Counted,
    Ended,
}

impl<S: Stream<Item = Tick>> Body<S> {
    pub(super) fn new(
        ticking: S,
        format: Format,
        label: Option<String>,
        place: streams::Stream,
    ) -> Self {
        Self {
            ticking,
            format,
            label,
            place,
            state: State::Counting(None),
        }
    }
}

impl<S: Stream<Item = Tick>> MessageBody for Body<S> {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.project();
        let chunk = match this.state {
            State::Counting(last) => {
                let tick = match (ready!(this.ticking.poll_next(cx)), *last) {
                    (Some(tick), _) => {
                        *last = Some(tick);
                        tick
                    }
                    (None, Some(last)) => {
                        *this.state = State::Counted;
                        this.place.finish();
                        last.following()
                    }
                    (None, None) => return Poll::Ready(None),
                };
                let (identity, label) = (this.place.identity(), this.label.as_deref());
                Some(LINE.with_borrow_mut(|line| {
                    line.clear();
                    this.format.write_tick(line, identity, label, tick);
                    Bytes::copy_from_slice(line)
                }))
            }
            State::Counted => {
                *this.state = State::Ended;
                this.format
                    .farewell()
                    .map(|text| Bytes::from_static(text.as_bytes()))
            }
            State::Ended => None,
        };
        Poll::Ready(chunk.map(Ok))
    }
}

/// The answer to `HEAD`: the head of a body of this size, and nothing after it.
pub(super) struct HeadOnly(pub(super) BodySize);

impl MessageBody for HeadOnly {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
