//! A countdown as a response body, with one chunk for each tick.

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
    /// The buffer in which a worker formats each line. The chunk is a copy of exactly the line's
    /// length: one allocation for each chunk, and no spare capacity in thousands of streams.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pin_project! {
    /// Sends each tick of `ticking` as it is yielded. When `ticking` ends, after the wait that
    /// follows tick 1, sends the last tick, 0.
    ///
    /// The body owns the stream's place. Dropping the body frees the place, both at the end of the
    /// stream and when the client leaves.
    pub(super) struct Body<S> {
        #[pin]
        ticking: S,
        format: Format,
        label: Option<Box<str>>,
        place: streams::Stream,
        state: State,
    }
}

enum State {
    /// The handler's loop is running. This is its latest tick.
    Counting(Option<Tick>),
    /// The last tick was sent.
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
            label: label.map(String::into_boxed_str),
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

/// The body of the answer to `HEAD`: it has a size but no content.
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

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use async_stream::stream;

    use super::*;
    use crate::countdown::Ticks;

    // Each open stream has one. An allocator in whose classes 384 bytes are followed by 448 takes 64 more for
    // the first byte that is too many.
    #[test]
    fn a_body_fits_into_384_bytes() {
        let place = Arc::new(streams::Streams::new(1)).enter("coroutine", 0);
        let place = place.expect("a free place");
        let ticks = Ticks::new(5, Duration::from_secs(1));
        let ticking = stream!(for tick in ticks {
            yield tick;
            holdup_timer::sleep(tick.pause()).await;
        });
        let body = Body::new(ticking, Format::Ndjson, None, place);
        let size = size_of_val(&body);
        assert!(size <= 384, "{size} bytes");
    }
}
