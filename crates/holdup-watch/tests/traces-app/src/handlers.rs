//! Handlers that block in different ways, one that is held up meanwhile, and one that asks another replica.

use std::future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use actix_web::rt::time;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{Error, HttpResponse, error};
use futures_util::stream;
use opentelemetry_http::HeaderInjector;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// How long a worker is blocked.
const BLOCKS: Duration = Duration::from_millis(1200);

/// How many pieces that time is cut into by a handler that always wakes itself.
const PIECES: u32 = 20;

/// How many requests wait until the worker has been blocked.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// How often it was blocked.
static BLOCKED: AtomicUsize = AtomicUsize::new(0);

/// The address of the replica that is asked.
pub struct Upstream(pub String);

/// Blocks its worker in its last poll, as soon as another request waits there.
pub async fn blocking() -> &'static str {
    another_waits().await;
    block(BLOCKS);
    has_blocked();
    "done"
}

/// Blocks in short pieces, and wakes itself after each. The loop turns, but does not look at its sockets and timers.
pub async fn starving() -> &'static str {
    another_waits().await;
    for _ in 0..PIECES {
        block(BLOCKS / PIECES);
        let mut is_woken = false;
        future::poll_fn(|context| {
            if is_woken {
                return Poll::Ready(());
            }
            is_woken = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
    has_blocked();
    "done"
}

/// Its answer's body blocks when it is polled for the last time.
pub async fn body() -> HttpResponse {
    another_waits().await;
    HttpResponse::Ok().streaming(stream::iter((0..2).map(|chunk| {
        if chunk == 1 {
            block(BLOCKS);
            has_blocked();
        }
        Ok::<_, Error>(Bytes::from_static(b"chunk"))
    })))
}

/// Waits, without blocking, until another request has blocked.
pub async fn coroutine() -> &'static str {
    let before = BLOCKED.load(Ordering::Relaxed);
    WAITING.fetch_add(1, Ordering::Relaxed);
    while BLOCKED.load(Ordering::Relaxed) == before {
        time::sleep(Duration::from_millis(20)).await;
    }
    WAITING.fetch_sub(1, Ordering::Relaxed);
    "done"
}

/// Answers what the other replica answers. The other's span belongs to the same trace.
pub async fn ask(
    route: Path<String>,
    client: Data<reqwest::Client>,
    upstream: Data<Upstream>,
) -> Result<Vec<u8>, Error> {
    let mut request = client
        .get(format!("{}/{route}", upstream.0))
        .build()
        .map_err(error::ErrorInternalServerError)?;
    let context = Span::current().context();
    opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&context, &mut HeaderInjector(request.headers_mut()));
    });
    let answer = client
        .execute(request)
        .await
        .map_err(error::ErrorBadGateway)?;
    let body = answer.bytes().await.map_err(error::ErrorBadGateway)?;
    Ok(body.to_vec())
}

async fn another_waits() {
    while WAITING.load(Ordering::Relaxed) == 0 {
        time::sleep(Duration::from_millis(5)).await;
    }
}

fn block(time: Duration) {
    thread::sleep(time); // the line that blocks
}

/// The requests that waited for it need not wait any more.
fn has_blocked() {
    BLOCKED.fetch_add(1, Ordering::Relaxed);
}
