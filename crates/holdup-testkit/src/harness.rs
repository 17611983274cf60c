//! Helpers for the actix test harness: requests, and assertions that are expected to fail.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use actix_http::Request;
use actix_web::test::TestRequest;

/// Creates requests for distinct URLs of one route.
pub fn get(route: &str) -> impl Fn(usize) -> Request {
    move |x| {
        let separator = if route.contains('?') { '&' } else { '?' };
        TestRequest::with_uri(&format!("{route}{separator}x={x}")).to_request()
    }
}

/// The panic message of `asserted`, which must panic.
pub async fn panic_of(asserted: impl Future<Output = ()>) -> String {
    let mut asserted = pin!(asserted);
    let panic = poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| asserted.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(None),
            Err(panic) => Poll::Ready(Some(panic)),
        }
    });
    let panic = panic.await.expect("the assertion fails");
    *panic.downcast::<String>().expect("a message")
}
