//! Requests at the same time, on the test's own thread.

use std::fmt::Display;
use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use holdup_model::{ClientTime, Failure, Lane, RouteName, Timeline};

use super::looks::{Look, Looked};

/// An answer that takes longer is given up, so that a stream without an end fails a test instead of
/// hanging it. A handler that blocks cannot be given up before it comes back.
const TIMEOUT: Duration = Duration::from_secs(60);

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
    race_within(app, requests, TIMEOUT, &[]).await.timeline
}

/// Requests ended together if their ends are apart by at most this part of the time that they took. Others ended after
/// each other, which no wait for a CPU explains.
const TOGETHER: u32 = 10;

/// What came back when, and what was seen meanwhile.
#[derive(Debug)]
pub(super) struct Race {
    pub(super) timeline: Timeline,
    /// In the order of time.
    pub(super) looks: Vec<Look>,
    /// How long the polls of all requests took together.
    pub(super) running: Duration,
    /// The route of the first request that had a response.
    pub(super) route: Option<RouteName>,
}

/// As [`race`], but with a time-out for each response, and with looks at where the requests wait after the times in
/// `looks`, which are in order.
pub(super) async fn race_within<S, R, B>(
    app: &S,
    requests: impl IntoIterator<Item = R>,
    longest: Duration,
    looks: &[Duration],
) -> Race
where
    S: Service<R, Response = ServiceResponse<B>>,
    S::Error: Display,
    B: MessageBody,
{
    let requests: Vec<_> = requests.into_iter().collect();
    let looked: Vec<_> = requests.iter().map(|_| Looked::default()).collect();
    let waited_before = holdup_detect::waited_for_cpu();
    let start = Instant::now();
    let mut racing: FuturesUnordered<_> = requests
        .into_iter()
        .zip(&looked)
        .enumerate()
        .map(|(place, (request, looked))| async move {
            let lane = Lane::start(format!("request {}", place + 1), Duration::ZERO);
            (place, run(app, request, lane, start, longest, looked).await)
        })
        .collect();

    let mut lanes = Vec::new();
    let mut due = looks.iter().copied().peekable();
    let mut times = Vec::new();
    loop {
        // A time that has passed is too late: the thread was blocked meanwhile.
        while due.next_if(|&at| at <= start.elapsed()).is_some() {}
        let next = match due.peek() {
            Some(&at) => timeout(at.saturating_sub(start.elapsed()), racing.next()).await,
            None => Ok(racing.next().await),
        };
        match next {
            Ok(Some(lane)) => lanes.push(lane),
            Ok(None) => break,
            Err(_) => {
                times.push(start.elapsed());
                Looked::ask(&looked, times.len() - 1);
            }
        }
    }
    drop(racing);
    let waited = holdup_detect::waited_for_cpu();
    lanes.sort_by_key(|(place, _)| *place);
    let mut lanes: Vec<_> = lanes.into_iter().map(|(_, lane)| lane).collect();
    if let (Some(before), Some(after)) = (waited_before, waited) {
        note_wait(&mut lanes, after.saturating_sub(before));
    }
    Race {
        timeline: lanes.into(),
        running: looked.iter().map(Looked::running).sum(),
        route: looked.iter().find_map(Looked::route),
        looks: Look::all(&times, looked, start),
    }
}

/// Notes how long this thread waited for a CPU, which may be why requests that ended together ended late: on a busy
/// machine, all of them are seen to end when the thread comes to run.
fn note_wait(lanes: &mut [Lane], waited: Duration) {
    let ends = || lanes.iter().filter_map(Lane::ended_at);
    let (Some(first), Some(last)) = (ends().min(), ends().max()) else {
        return;
    };
    if lanes.len() > 1 && last.saturating_sub(first) <= last / TOGETHER {
        for lane in lanes {
            lane.record_client_time(ClientTime {
                late: waited,
                late_for_it: waited,
                ..ClientTime::default()
            });
        }
    }
}

/// One request, from `start` to its body's end.
async fn run<S, R, B>(
    app: &S,
    request: R,
    mut lane: Lane,
    start: Instant,
    longest: Duration,
    looked: &Looked,
) -> Lane
where
    S: Service<R, Response = ServiceResponse<B>>,
    S::Error: Display,
    B: MessageBody,
{
    let answer = looked.poll(answer(app, request, &mut lane, start, looked));
    let ended = timeout(longest, answer).await;
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
    looked: &Looked,
) -> Result<(), Failure>
where
    S: Service<R, Response = ServiceResponse<B>>,
    S::Error: Display,
    B: MessageBody,
{
    let response = app.call(request).await;
    let response = response.map_err(|error| Failure::Other(error.to_string()))?;
    let request = response.request();
    lane.rename(request.uri().to_string());
    let pattern = request.match_pattern();
    let pattern = pattern.unwrap_or_else(|| request.path().to_owned());
    looked.set_route(RouteName::new(request.method().as_str(), pattern));
    lane.record_head(start.elapsed(), response.status().as_u16());
    let mut body = pin!(response.into_body());
    while let Some(chunk) = poll_fn(|context| body.as_mut().poll_next(context)).await {
        let chunk = chunk.map_err(|error| Failure::Other(format!("body: {}", error.into())))?;
        lane.record_chunk(start.elapsed(), &chunk);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITED: Duration = Duration::from_millis(40);

    /// What is noted for requests that ended after so many milliseconds.
    fn noted(ends: &[u64]) -> Vec<Duration> {
        let lane = |&end: &u64| {
            let mut lane = Lane::start("/", Duration::ZERO);
            lane.finish(Duration::from_millis(end));
            lane
        };
        let mut lanes: Vec<_> = ends.iter().map(lane).collect();
        note_wait(&mut lanes, WAITED);
        lanes.iter().map(|lane| lane.client_time().late).collect()
    }

    #[test]
    fn a_wait_for_a_cpu_is_noted_only_where_it_may_explain_the_times() {
        assert_eq!(noted(&[186, 186, 188, 190]), [WAITED; 4]);
        assert_eq!(noted(&[100, 200, 300, 400]), [Duration::ZERO; 4]);
        assert_eq!(noted(&[100, 100, 200, 200]), [Duration::ZERO; 4]);
        assert_eq!(noted(&[104]), [Duration::ZERO], "one alone");
        assert!(noted(&[]).is_empty());
    }
}
