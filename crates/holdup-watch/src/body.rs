//! The response body, timed poll by poll.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use pin_project_lite::pin_project;

use holdup_detect::Request;
use holdup_model::Part;

/// A response body that records how long each of its polls takes.
#[derive(Debug)]
pub struct WatchedBody<B>(State<B>);

/// Kept as small as a body of bytes, because actix moves it a dozen times.
#[derive(Debug)]
enum State<B> {
    /// The whole body is in memory, so no poll of it can block.
    Whole(Bytes),
    /// The response has no body, not even one of length zero.
    Empty,
    Stream(Pin<Box<Stream<B>>>),
}

pin_project! {
    #[derive(Debug)]
    struct Stream<B> {
        // None once the body has ended: it is dropped within its last poll, so its drop is timed too.
        #[pin]
        body: Option<B>,
        size: BodySize,
        // How many bytes the body has yielded so far.
        bytes: u64,
        request: Request,
    }

    impl<B> PinnedDrop for Stream<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.body.is_some() {
                let _poll = this.request.enter(Part::Body);
                this.body.set(None);
            }
        }
    }
}

impl<B: MessageBody> WatchedBody<B> {
    /// The body of a response, which is not sent if `is_head`. Its request is over, unless it goes on with the body.
    #[inline]
    pub(super) fn new(
        body: B,
        status: StatusCode,
        is_head: impl FnOnce() -> bool,
        request: &mut Option<Request>,
    ) -> Self {
        let is_recorded = request.as_ref().is_some_and(Request::is_recorded);
        let whole = match body.size() {
            _ if is_recorded => Err(body),
            BodySize::None => Ok(State::Empty),
            BodySize::Sized(_) => body.try_into_bytes().map(State::Whole),
            BodySize::Stream => Err(body),
        };
        match whole {
            Ok(whole) => {
                *request = None;
                Self(whole)
            }
            Err(body) => Self::stream(body, status, is_head(), request),
        }
    }

    #[inline(never)]
    fn stream(body: B, status: StatusCode, is_head: bool, request: &mut Option<Request>) -> Self {
        let Some(request) = request.take() else {
            unreachable!("it was polled a moment ago")
        };
        request.record_answer(status.as_u16());
        let size = body.size();
        // In HTTP/2, actix drops the body of an answer to HEAD without a poll.
        if is_head || matches!(size, BodySize::None | BodySize::Sized(0)) {
            request.finish();
        }
        request.goes_on();
        let body = Some(body);
        Self(State::Stream(Box::pin(Stream {
            body,
            size,
            bytes: 0,
            request,
        })))
    }
}

impl<B: MessageBody> MessageBody for WatchedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        match &self.0 {
            State::Whole(bytes) => bytes.size(),
            State::Empty => BodySize::None,
            State::Stream(stream) => stream.body.as_ref().map_or(stream.size, MessageBody::size),
        }
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        match &mut self.get_mut().0 {
            State::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            State::Whole(bytes) => Poll::Ready(Some(Ok(mem::take(bytes)))),
            State::Empty => Poll::Ready(None),
            State::Stream(stream) => stream.as_mut().poll_next(cx),
        }
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        match self.0 {
            State::Whole(bytes) => Ok(bytes),
            state => Err(Self(state)),
        }
    }
}

impl<B: MessageBody> Stream<B> {
    // Out of line, so that a body in memory needs no room on the stack.
    #[inline(never)]
    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, B::Error>>> {
        let mut this = self.project();
        if this.body.is_none() {
            return Poll::Ready(None);
        }
        let polled = this.request.poll_in(
            Part::Body,
            cx,
            &mut this.body,
            |body, cx| match body.as_mut().as_pin_mut() {
                Some(body) => body.poll_next(cx),
                None => Poll::Ready(None),
            },
            |body, polled| {
                if let Poll::Ready(None) = polled {
                    body.set(None);
                }
            },
        );
        let Poll::Ready(chunk) = polled else {
            return Poll::Pending;
        };

        match &chunk {
            Some(Ok(chunk)) => {
                let bytes = chunk.len();
                this.request.record_chunk(bytes);
                *this.bytes += bytes as u64;
                if *this.size == BodySize::Sized(*this.bytes) {
                    this.request.finish();
                }
            }
            Some(Err(_)) => {}
            None => this.request.finish(),
        }
        Poll::Ready(chunk)
    }
}
