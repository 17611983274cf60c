//! For tests in the actix test harness: do my handlers run in parallel?
//!
//! [`assert_concurrent`] sends several requests for one route at once, and fails unless they ran at
//! the same time. [`measure`] and [`race`] give the measurements that it is based on.
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

mod not_held_up;

use std::fmt::{Display, Write as _};
use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{sleep, timeout};

use holdup_model::{Failure, Lane, OpenRequest, Timeline};
use holdup_render::Style;
use holdup_verdict::experiment::{Experiment, Policy, Step};
use holdup_verdict::{Kind, Verdict};

pub use self::not_held_up::assert_not_held_up;
use super::watch::Watch;

/// An answer that takes longer is given up, so that a stream without an end fails a test instead of
/// hanging it. A handler that blocks cannot be given up before it comes back.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The picture in a message: a panic is read in terminals and logs of at least so many columns.
const PICTURE: Style = Style::plain(80);

/// The result of [`measure`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Measured {
    /// One or two requests, each alone, after one that warmed up and is not included. Where all was measured
    /// anew, this is from the last measurement, here and below.
    pub alone: Vec<Lane>,
    /// The requests that were sent at the same time; the first time, if they were sent once more to confirm
    /// the verdict.
    pub at_once: Timeline,
    /// How many of them ran at a time.
    pub verdict: Verdict,
}

/// Asks `app` for all of `requests` at the same time, bodies included, and records what came back
/// when. All lanes are asked at zero, also those that the handlers before them keep waiting.
///
/// Each request is a future of its own with its own waker: it is polled when it has something to do,
/// as on a worker. A lane's label is its request's URI, or its number if it had no response.
///
/// ```
/// use actix_web::test::{TestRequest, init_service};
/// use actix_web::{App, HttpResponse, web};
/// use holdup_watch::testing::race;
///
/// # #[actix_web::main]
/// # async fn main() {
/// let hello = || async { HttpResponse::Ok().body("hello") };
/// let app = init_service(App::new().route("/", web::get().to(hello))).await;
/// let request = |x| TestRequest::with_uri(&format!("/?x={x}")).to_request();
///
/// let timeline = race(&app, (1..=3).map(request)).await;
/// assert_eq!(timeline.lanes[2].label(), "/?x=3");
/// assert_eq!(timeline.lanes[2].bytes(), 5);
/// # }
/// ```
pub async fn race<S, R, B>(app: &S, requests: impl IntoIterator<Item = R>) -> Timeline
where
    S: Service<R, Response = ServiceResponse<B>>,
    S::Error: Display,
    B: MessageBody,
{
    race_within(app, requests, TIMEOUT).await
}

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
    watch.detector().look().await
}

/// As [`race`], but with a time-out for each response.
async fn race_within<S, R, B>(
    app: &S,
    requests: impl IntoIterator<Item = R>,
    longest: Duration,
) -> Timeline
where
    S: Service<R, Response = ServiceResponse<B>>,
    S::Error: Display,
    B: MessageBody,
{
    let requests: Vec<_> = requests.into_iter().collect();
    let start = Instant::now();
    let racing = requests.into_iter().enumerate();
    let mut racing: FuturesUnordered<_> = racing
        .map(|(place, request)| async move {
            (place, run(app, request, place + 1, start, longest).await)
        })
        .collect();

    let mut lanes = Vec::new();
    while let Some(lane) = racing.next().await {
        lanes.push(lane);
    }
    lanes.sort_by_key(|(place, _)| *place);
    let lanes: Vec<_> = lanes.into_iter().map(|(_, lane)| lane).collect();
    lanes.into()
}

/// One request, from `start` to its body's end.
async fn run<S, R, B>(app: &S, request: R, number: usize, start: Instant, longest: Duration) -> Lane
where
    S: Service<R, Response = ServiceResponse<B>>,
    S::Error: Display,
    B: MessageBody,
{
    let mut lane = Lane::start(format!("request {number}"), Duration::ZERO);
    let ended = timeout(longest, answer(app, request, &mut lane, start)).await;
    match ended.unwrap_or(Err(Failure::TimedOut)) {
        Ok(()) => lane.finish(start.elapsed()),
        Err(failure) => lane.fail(start.elapsed(), failure),
    }
    lane
}

async fn answer<S, R, B>(
    app: &S,
    request: R,
    lane: &mut Lane,
    start: Instant,
) -> Result<(), Failure>
where
    S: Service<R, Response = ServiceResponse<B>>,
    S::Error: Display,
    B: MessageBody,
{
    let response = app.call(request).await;
    let response = response.map_err(|error| Failure::Other(error.to_string()))?;
    lane.rename(response.request().uri().to_string());
    lane.record_head(start.elapsed(), response.status().as_u16());
    let mut body = pin!(response.into_body());
    while let Some(chunk) = poll_fn(|context| body.as_mut().poll_next(context)).await {
        let chunk = chunk.map_err(|error| Failure::Other(format!("body: {}", error.into())))?;
        lane.record_chunk(start.elapsed(), &chunk);
    }
    Ok(())
}

/// Measures how `app` runs `n` requests at once, by the plan of an [`Experiment`]: one to warm up, one or two
/// alone, then all `n`.
///
/// If a single pause of the machine can have caused that verdict ([`Verdict::needs_confirmation`]), all `n` are
/// asked once more, and both have to agree. If the verdict is then inconclusive because of noise, all but
/// the warming up is done anew, at most four times. So a handler is asked `n + 3` times on a quiet machine,
/// and `10 n + 11` times at most.
///
/// `request` makes the requests. It is given a number that differs each time, for a URL that is
/// unique: a handler that keeps its answers would be measured once and then not any more.
///
/// ```
/// use std::time::Duration;
///
/// use actix_web::test::{TestRequest, init_service};
/// use actix_web::{App, HttpResponse, rt::time, web};
/// use holdup_watch::testing::measure;
/// use holdup_verdict::Kind;
/// use tokio::sync::Semaphore;
///
/// /// Stands for a pool of two database connections.
/// static POOL: Semaphore = Semaphore::const_new(2);
///
/// async fn report() -> HttpResponse {
///     let _connection = POOL.acquire().await;
///     time::sleep(Duration::from_millis(80)).await;
///     HttpResponse::Ok().finish()
/// }
///
/// # #[actix_web::main]
/// # async fn main() {
/// let app = init_service(App::new().route("/", web::get().to(report))).await;
/// let request = |_| TestRequest::get().to_request();
/// let verdict = measure(&app, request, 4).await.verdict;
/// assert_eq!(verdict.kind, Kind::Limited);
/// assert_eq!(verdict.at_a_time, Some(2));
/// # }
/// ```
pub async fn measure<S, R, B>(app: &S, request: impl Fn(usize) -> R, n: usize) -> Measured
where
    S: Service<R, Response = ServiceResponse<B>>,
    S::Error: Display,
    B: MessageBody,
{
    let mut requests = (0..).map(request);
    let mut experiment = Experiment::new(Policy::in_process(n));
    loop {
        let (pause, asked, longest) = match experiment.next() {
            Step::Ask(round) => (round.pause, round.asks.len(), round.timeout),
            Step::Done(findings) => {
                let findings = (**findings).clone();
                return Measured {
                    alone: findings.alone,
                    at_once: findings.unique.unwrap_or_default(),
                    verdict: findings.verdict,
                };
            }
        };
        if !pause.is_zero() {
            sleep(pause).await;
        }
        let timeline = race_within(app, requests.by_ref().take(asked), longest).await;
        experiment.feed(timeline.lanes);
    }
}

/// Asserts that `app` runs `n` requests at the same time.
///
/// `request` makes them, as for [`measure`], which documents how many. Choose a route that takes some 50 ms or more,
/// and an `n` of four or more.
///
/// # Panics
///
/// The future panics if the verdict is anything but [`Kind::Concurrent`], including
/// [`Kind::Inconclusive`]. The message names the calling line, shows the requests as lanes, and names the
/// remedy.
#[track_caller]
pub fn assert_concurrent<S, R, B>(
    app: &S,
    request: impl Fn(usize) -> R,
    n: usize,
) -> impl Future<Output = ()>
where
    S: Service<R, Response = ServiceResponse<B>>,
    S::Error: Display,
    B: MessageBody,
{
    // An `async fn` does not know who called it.
    let caller = Location::caller();
    async move {
        let measured = measure(app, request, n).await;
        let concurrent = measured.verdict.kind == Kind::Concurrent;
        assert!(concurrent, "{}", message(&measured, caller));
    }
}

/// The failure message: expected, actual, the picture, the reason and the remedy.
fn message(measured: &Measured, caller: &Location<'_>) -> String {
    let verdict = &measured.verdict;
    let mut message = format!(
        "requests do not run at the same time, at {caller}\n\
         expected: concurrent, {n} at a time\n  \
           actual: {kind}{at_a_time}\n\n\
         {sentence}\n\n{picture}\n",
        n = verdict.lanes,
        kind = verdict.kind,
        at_a_time = match verdict.at_a_time {
            Some(at_a_time) => format!(", {at_a_time} at a time"),
            None => String::new(),
        },
        sentence = verdict.sentence,
        picture = holdup_render::text(&measured.at_once, &PICTURE),
    );
    for line in verdict.evidence.iter().chain(&verdict.advice) {
        let _ = writeln!(message, "- {line}");
    }
    message
}
