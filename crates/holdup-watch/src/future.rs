//! The handler's future, timed poll by poll.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
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
        let polled = request.poll_for_answer(
            cx,
            &mut this.future,
            |future, cx| match future.as_mut().as_pin_mut() {
                Some(future) => future.poll(cx),
                None => unreachable!("it ends together with its request"),
            },
            |future, polled| {
                if polled.is_ready() {
                    future.set(None);
                }
            },
        );
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(response)) => {
                // In parts, because `map_body` would move the whole response once more.
                let (about, response) = response.into_parts();
                let (response, body) = response.into_parts();
                let is_head = || about.method() == Method::HEAD;
                let body = WatchedBody::new(body, response.status(), is_head, this.request);
                Poll::Ready(Ok(ServiceResponse::new(about, response.set_body(body))))
            }
            Poll::Ready(Err(error)) => {
                failed(&error, this.request);
                Poll::Ready(Err(error))
            }
        }
    }
}

#[cold]
fn failed(error: &Error, request: &mut Option<Request>) {
    if let Some(request) = request.take() {
        let status = error.as_response_error().status_code().as_u16();
        request.record_answer(status);
        request.finish();
    }
}
