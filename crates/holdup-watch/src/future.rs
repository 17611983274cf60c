//! The handler's future, timed poll by poll.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use pin_project_lite::pin_project;

use super::body::WatchedBody;
use holdup_detect::Request;
use holdup_model::Part;

pin_project! {
    /// The future of the wrapped service for one request.
    #[derive(Debug)]
    pub struct WatchedFuture<F> {
        // None once the future has ended: it is dropped within its last poll, so its drop is timed too.
        #[pin]
        future: Option<F>,
        // None once the request has moved to the body.
        request: Option<Request>,
    }

    impl<F> PinnedDrop for WatchedFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() && let Some(request) = this.request {
                let _poll = request.enter(Part::Future);
                this.future.set(None);
            }
        }
    }
}

impl<F> WatchedFuture<F> {
    pub(super) fn new(future: F, request: Request) -> Self {
        Self {
            future: Some(future),
            request: Some(request),
        }
    }
}

impl<F, B> Future for WatchedFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<WatchedBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(request) = &*this.request else {
            panic!("polled after it was ready");
        };
        let polled = request.poll_for_answer(cx, |cx| {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                unreachable!("it ends together with its request")
            };
            let polled = future.poll(cx);
            if polled.is_ready() {
                this.future.set(None);
            }
            polled
        });
        // One match, so that the response is moved no more often than it has to be.
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(response)) => {
                let request = taken(this.request);
                request.record_answer(response.status().as_u16());
                // In parts, because `map_body` would move the whole response once more.
                let (about, response) = response.into_parts();
                let (response, body) = response.into_parts();
                let response = response.set_body(WatchedBody::new(body, request));
                Poll::Ready(Ok(ServiceResponse::new(about, response)))
            }
            Poll::Ready(Err(error)) => {
                let request = taken(this.request);
                let status = error.as_response_error().status_code().as_u16();
                request.record_answer(status);
                request.finish();
                Poll::Ready(Err(error))
            }
        }
    }
}

fn taken(request: &mut Option<Request>) -> Request {
    let Some(request) = request.take() else {
        unreachable!("it was there a moment ago")
    };
    request
}
