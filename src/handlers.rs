//! The lesson: one countdown, four ways to wait.
//!
//! All handlers are the same loop; only the step after `yield` differs. That step decides whether
//! the worker can serve other requests meanwhile. The console shows it beside the handler's button:
//! the lines between the marks `lesson:begin` and `lesson:end`.

use std::thread;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use async_stream::stream;
use tokio::sync::oneshot;

use crate::countdown::Countdown;
// As `actix_rt::time`, which would do: this timer is exact and takes less work.
use holdup_timer as time;

/// The bug: a blocking call does not give control back to the event loop until it returns.
///
/// During the sleep, its worker serves no other request: no second client, no health check. The
/// sleep stands for anything slow: a query, a file, a lock, a long computation.
#[expect(clippy::disallowed_methods, reason = "blocking is the lesson")]
pub async fn blocking(countdown: Countdown) -> HttpResponse {
    let ticks = countdown.ticks();
    let ticking = stream!(for tick in ticks {
        yield tick;
        // lesson:begin
        thread::sleep(tick.pause());
        // lesson:end
    });
    countdown.respond(ticking).await
}

/// Cure 1: the coroutine-friendly equivalent of the call. This is usually the best cure.
pub async fn coroutine(countdown: Countdown) -> HttpResponse {
    let ticks = countdown.ticks();
    let ticking = stream!(for tick in ticks {
        yield tick;
        // lesson:begin
        time::sleep(tick.pause()).await;
        // lesson:end
    });
    countdown.respond(ticking).await
}

/// Cure 2: a callback-based equivalent, adapted to a future that the handler awaits.
pub async fn callback(countdown: Countdown) -> HttpResponse {
    let ticks = countdown.ticks();
    let ticking = stream!(for tick in ticks {
        yield tick;
        // lesson:begin
        let (done, called) = oneshot::channel();
        call_later(tick.pause(), move || done.send(()).unwrap_or(()));
        called.await.unwrap_or(());
        // lesson:end
    });
    countdown.respond(ticking).await
}

/// Cure 3: the blocking call itself, on a thread of the worker's pool. This works for any function,
/// for as many calls at a time as the pool has threads.
#[expect(clippy::disallowed_methods, reason = "a pool thread may block")]
pub async fn threadpool(countdown: Countdown) -> HttpResponse {
    let ticks = countdown.ticks();
    let ticking = stream!(for tick in ticks {
        yield tick;
        // lesson:begin
        let pause = tick.pause();
        web::block(move || thread::sleep(pause)).await.ok();
        // lesson:end
    });
    countdown.respond(ticking).await
}

/// A callback API like those of many libraries: returns at once, and runs `callback` on this
/// worker's event loop after `delay`.
fn call_later(delay: Duration, callback: impl FnOnce() + 'static) {
    actix_rt::spawn(async move {
        time::sleep(delay).await;
        callback();
    });
}
