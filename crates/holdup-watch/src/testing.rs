//! For tests in the actix test harness: do my handlers run in parallel?
//!
//! [`assert_concurrent`] sends several requests for one route at once, and fails unless they ran at
//! the same time. If they did not, it says where they waited meanwhile. [`measure`] and [`race`] give the
//! measurements that it is based on.
//!
//! The harness runs everything on the one thread of the test, as an actix worker runs all of its
//! requests on one thread. So a handler, or a body, that blocks holds up all the others here just as
//! it does there. Handlers that wait correctly take turns on that thread, and none waits for
//! another.
//!
//! ```
//! use std::time::Duration;
//!
//! use actix_web::test::{TestRequest, init_service};
//! use actix_web::{App, HttpResponse, rt::time, web};
//! use holdup_watch::testing::assert_concurrent;
//!
//! async fn report() -> HttpResponse {
//!     time::sleep(Duration::from_millis(50)).await;
//!     HttpResponse::Ok().body("done")
//! }
//!
//! #[actix_web::main] // in a test: #[actix_web::test]
//! async fn main() {
//!     let app = init_service(App::new().route("/report", web::get().to(report))).await;
//!     let request = |x| TestRequest::with_uri(&format!("/report?x={x}")).to_request();
//!     assert_concurrent(&app, request, 4).await;
//! }
//! ```
//!
//! Times are real: the handler should take some 50 ms or more, and a paused clock shows nothing.

mod concurrent;
mod looks;
mod measured;
mod not_held_up;
mod racing;
mod waited;

use holdup_model::{OpenRequest, RequestState};

use super::watch::Watch;

pub use self::concurrent::assert_concurrent;
pub use self::measured::{Measured, measure};
pub use self::not_held_up::assert_not_held_up;
pub use self::racing::race;
pub use self::waited::Waited;

/// How many times [`look`] looks at most. What gives its waker to nobody never tells where it waits.
const LOOKS: usize = 3;

/// All open requests of a watched app, the oldest first, with where they wait: as [`Watch::requests`], for a test
/// whose own thread is the worker. Requests that are open have to be polled meanwhile, as by a spawned task or a
/// `join!`.
///
/// ```
/// use std::time::Duration;
///
/// use actix_web::test::{TestRequest, call_service, init_service};
/// use actix_web::{App, rt, web};
/// use holdup_watch::{RequestState, Watch, testing::look};
///
/// # #[actix_web::main]
/// # async fn main() {
/// async fn never() -> &'static str {
///     std::future::pending().await
/// }
///
/// let watch = Watch::new();
/// let app = App::new().route("/", web::get().to(never)).wrap(watch.clone());
/// let app = init_service(app).await;
/// let open = rt::spawn(async move {
///     call_service(&app, TestRequest::get().to_request()).await;
/// });
/// rt::time::sleep(Duration::from_millis(10)).await;
/// let requests = look(&watch).await;
/// assert!(matches!(requests[0].state, RequestState::Waiting { .. }));
/// open.abort();
/// # }
/// ```
pub async fn look(watch: &Watch) -> Vec<OpenRequest> {
    let mut requests = Vec::new();
    for _ in 0..LOOKS {
        // What has been woken goes on first.
        tokio::task::yield_now().await;
        requests = watch.detector().look().await;
        if !requests.iter().any(has_moved) {
            break;
        }
    }
    requests
}

/// Whether it is not known where a request waits, as when it went on during the look. Then another look may tell.
fn has_moved(request: &OpenRequest) -> bool {
    match &request.state {
        RequestState::Waiting { at, .. } => at.is_empty(),
        state => matches!(state, RequestState::Woken { .. }),
    }
}
