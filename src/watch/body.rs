//! The response body, timed poll by poll.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use pin_project_lite::pin_project;

use super::hold::Part;
use super::recorder::Moment;
use super::worker::Request;

pin_project! {
    /// A response's body, watched.
    #[derive(Debug)]
    pub struct WatchedBody<B> {
        #[pin]
        state: State<B>,
        request: Request,
        // What is still to come of a body that says its length.
        left: Option<u64>,
    }

    impl<B> PinnedDrop for WatchedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let StateProjection::Stream { .. } = this.state.as_mut().project() {
                let _piece = this.request.enter(Part::Body);
                this.state.set(State::Over);
            }
        }
    }
}

pin_project! {
    #[project = StateProjection]
    #[derive(Debug)]
    enum State<B> {
        Stream { #[pin] body: B },
        // All there already: nothing in it can take time.
        Whole { bytes: Bytes },
        Over,
    }
}

impl<B: MessageBody> WatchedBody<B> {
    pub(super) fn new(body: B, request: Request) -> Self {
        let size = body.size();
        let left = match size {
            BodySize::None => Some(0),
            BodySize::Sized(length) => Some(length),
            BodySize::Stream => None,
        };
        let state = match size {
            BodySize::Sized(_) if !request.is_recorded() => match body.try_into_bytes() {
                Ok(bytes) => State::Whole { bytes },
                Err(body) => State::Stream { body },
            },
            _ => State::Stream { body },
        };
        if left == Some(0) {
            request.finish();
        }
        Self {
            state,
            request,
            left,
        }
    }
}

impl<B: MessageBody> MessageBody for WatchedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        match &self.state {
            State::Stream { body } => body.size(),
            State::Whole { bytes } => bytes.size(),
            State::Over => BodySize::None,
        }
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let mut this = self.project();
        let chunk = match this.state.as_mut().project() {
            StateProjection::Stream { body } => {
                let _piece = this.request.enter(Part::Body);
                let chunk = ready!(body.poll_next(cx));
                if chunk.is_none() {
                    this.state.set(State::Over);
                }
                chunk
            }
            StateProjection::Whole { bytes } => {
                let bytes = std::mem::take(bytes);
                this.state.set(State::Over);
                Some(Ok(bytes))
            }
            StateProjection::Over => None,
        };
        match &chunk {
            Some(Ok(bytes)) => {
                let bytes = bytes.len();
                this.request.record(|| Moment::Chunk { bytes });
                if let Some(left) = this.left {
                    *left = left.saturating_sub(bytes as u64);
                    if *left == 0 {
                        this.request.finish();
                    }
                }
            }
            None => this.request.finish(),
            Some(Err(_)) => {}
        }
        Poll::Ready(chunk)
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        // It has a drop of its own, so its parts cannot be moved out. Whoever gathers a body can
        // poll it as well.
        Err(self)
    }
}
