//! Handlers that wait for something through something else: several futures at a time, a time-out, a trait.

use std::pin::Pin;

use actix_web::web::{self, ServiceConfig};
use async_trait::async_trait;
use futures_util::future::{FutureExt, join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::primitives::{LONG, TAKEN};

static NEVER: Notify = Notify::const_new();

async fn join() -> &'static str {
    let blocks = async {
        NEVER.notified().await; // join block
    };
    let _ = tokio::join!(TAKEN.lock(), sleep(LONG), blocks); // join
    "done"
}

async fn select() -> &'static str {
    let named = async {
        NEVER.notified().await; // select block
    };
    tokio::select! { // select
        _ = TAKEN.lock() => {}
        () = sleep(LONG) => {}
        () = named => {}
    }
    "done"
}

/// Two `select!`s in a `join!`.
async fn both() -> &'static str {
    let one = async {
        tokio::select! { // both one
            _ = TAKEN.lock() => {}
            () = sleep(LONG) => {}
        }
    };
    let other = async {
        tokio::select! { // both other
            () = NEVER.notified() => {}
            () = sleep(LONG) => {}
        }
    };
    tokio::join!(one, other);
    "done"
}

async fn timeouts() -> &'static str {
    timeout(LONG, TAKEN.lock()).await.ok(); // timeouts
    "done"
}

async fn timeout_of_sleep() -> &'static str {
    timeout(LONG, sleep(LONG)).await.ok(); // timeout_of_sleep
    "done"
}

async fn boxed() -> &'static str {
    let future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async {
        NEVER.notified().await; // boxed
    });
    future.await;
    "done"
}

/// No code of the app's own is in the box.
async fn boxed_primitive() -> &'static str {
    let future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(sleep(LONG));
    future.await; // boxed_primitive
    "done"
}

async fn mapped() -> &'static str {
    sleep(LONG).map(|()| "done").await // mapped
}

async fn all() -> &'static str {
    let _ = join_all([TAKEN.lock(), TAKEN.lock()]).await; // all
    "done"
}

/// It polls only what was woken, so that the stack ends there.
async fn unordered() -> &'static str {
    let mut sleeps: FuturesUnordered<_> = (0..3).map(|_| sleep(LONG)).collect();
    sleeps.next().await; // unordered
    "done"
}

trait Native {
    async fn wait(&self);
}

#[async_trait]
trait Boxed {
    async fn wait(&self);
}

struct Waits;

impl Native for Waits {
    async fn wait(&self) {
        NEVER.notified().await; // native_trait
    }
}

#[async_trait]
impl Boxed for Waits {
    async fn wait(&self) {
        NEVER.notified().await; // boxed_trait
    }
}

async fn native_trait() -> &'static str {
    Native::wait(&Waits).await;
    "done"
}

async fn boxed_trait() -> &'static str {
    let waits: &dyn Boxed = &Waits;
    waits.wait().await;
    "done"
}

async fn nested() -> &'static str {
    outer().await;
    "done"
}

async fn outer() {
    middle().await;
}

async fn middle() {
    inner().await;
}

async fn inner() {
    let _taken = TAKEN.lock().await; // nested
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/join", web::to(join))
        .route("/select", web::to(select))
        .route("/both", web::to(both))
        .route("/timeouts", web::to(timeouts))
        .route("/timeout_of_sleep", web::to(timeout_of_sleep))
        .route("/boxed", web::to(boxed))
        .route("/boxed_primitive", web::to(boxed_primitive))
        .route("/mapped", web::to(mapped))
        .route("/all", web::to(all))
        .route("/unordered", web::to(unordered))
        .route("/native_trait", web::to(native_trait))
        .route("/boxed_trait", web::to(boxed_trait))
        .route("/nested", web::to(nested));
}
