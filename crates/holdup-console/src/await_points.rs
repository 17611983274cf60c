//! The await points at which most requests wait, for Prometheus.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdup_model::Wait;
use metrics::{Unit, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusRecorder;

const REQUESTS: &str = "holdup_await_point_requests";

/// The shortest time from one look to the next one. Each wakes requests that wait.
const APART: Duration = Duration::from_secs(5);

/// Whoever scrapes less often than this does not profit from the looks that are taken for the page.
const SCRAPED: Duration = Duration::from_secs(120);

/// How many await points are told of each look.
const TOP: usize = 10;

/// The most await points that are told apart as long as the console runs.
const POINTS: usize = 100;

/// The label for await points beyond that.
const OTHER: &str = "other await points";

/// The label for what is not known.
const UNKNOWN: &str = "unknown";

/// The line, and the function that is awaited there.
type Point = (String, String);

/// The await points that were told so far, for the console's recorder.
pub(super) struct AwaitPoints {
    recorder: Arc<PrometheusRecorder>,
    points: Mutex<Points>,
}

#[derive(Debug, Default)]
struct Points {
    scraped_at: Option<Duration>,
    looked_at: Option<Duration>,
    /// How many requests wait at each, as of the latest look.
    requests: BTreeMap<Point, usize>,
}

impl AwaitPoints {
    pub(super) fn new(recorder: &Arc<PrometheusRecorder>) -> Self {
        Self {
            recorder: Arc::clone(recorder),
            points: Mutex::default(),
        }
    }

    /// Notes that somebody scrapes at `now`. Returns whether to look before.
    pub(super) fn is_look_due(&self, now: Duration) -> bool {
        self.lock().is_look_due(now)
    }

    /// Whether somebody has scraped lately, so that looks for others are of use.
    pub(super) fn are_scraped(&self, now: Duration) -> bool {
        self.lock().are_scraped(now)
    }

    /// Records a look at `now`: where requests wait, most of them first. `is_known` is false if the app cannot tell
    /// where they wait.
    pub(super) fn record(&self, waits: &[Wait], is_known: bool, now: Duration) {
        let mut points = self.lock();
        points.looked_at = Some(now);
        if !is_known && waits.iter().all(|wait| wait.point.is_none()) {
            return;
        }
        with_local_recorder(&self.recorder, || {
            let help =
                "Requests that wait at the await points with most of them, as of the latest look";
            describe_gauge!(REQUESTS, Unit::Count, help);
            for ((at, within), &requests) in points.update(waits) {
                let requests = f64::from(u32::try_from(requests).unwrap_or(u32::MAX));
                gauge!(REQUESTS, "at" => at.clone(), "in" => within.clone()).set(requests);
            }
        });
    }

    /// The lock is only held briefly.
    fn lock(&self) -> MutexGuard<'_, Points> {
        self.points.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Points {
    fn is_look_due(&mut self, now: Duration) -> bool {
        self.scraped_at = Some(now);
        let is_apart = |at: Duration| now.saturating_sub(at) >= APART;
        let is_due = self.looked_at.is_none_or(is_apart);
        if is_due {
            self.looked_at = Some(now);
        }
        is_due
    }

    fn are_scraped(&self, now: Duration) -> bool {
        let is_lately = |at| now.saturating_sub(at) < SCRAPED;
        self.scraped_at.is_some_and(is_lately)
    }

    /// Takes where requests wait, most of them first. Returns the await points that were told so far, each with how
    /// many requests wait there now.
    fn update(&mut self, waits: &[Wait]) -> &BTreeMap<Point, usize> {
        self.requests
            .values_mut()
            .for_each(|requests| *requests = 0);
        for wait in waits.iter().take(TOP) {
            let mut point = point(wait);
            if self.requests.len() >= POINTS && !self.requests.contains_key(&point) {
                point = (OTHER.to_owned(), OTHER.to_owned());
            }
            *self.requests.entry(point).or_default() += wait.requests;
        }
        &self.requests
    }
}

fn point(wait: &Wait) -> Point {
    let unknown = || UNKNOWN.to_owned();
    let line = wait.point.as_ref().and_then(|point| point.line.as_ref());
    let within = wait.point.as_ref().and_then(|point| point.within.clone());
    let line = line.map_or_else(unknown, ToString::to_string);
    (line, within.unwrap_or_else(unknown))
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use holdup_model::{AwaitPoint, Line, OpenRequest, RequestState, RouteName, waits};

    use super::*;

    /// So many requests that wait at this line.
    fn wait(line: Option<u32>, requests: u64) -> Wait {
        let at = line.map(|number| {
            let mut line = Line::new("app::report");
            (line.file, line.line) = (Some("src/report.rs".into()), Some(number));
            AwaitPoint::new(Some(line), Some("tokio::time::sleep".into()), Vec::new())
        });
        let open = |number| {
            let state = RequestState::Waiting {
                since: Duration::ZERO,
                at: at.clone().into_iter().collect(),
            };
            let route = RouteName::new("GET", "/report");
            OpenRequest::new(number, 0, route, Duration::ZERO, state)
        };
        let open: Vec<_> = (0..requests).map(open).collect();
        waits(&open, Duration::ZERO, Duration::ZERO).remove(0)
    }

    #[test]
    fn a_point_where_nobody_waits_any_longer_is_told_with_zero() {
        let mut points = Points::default();
        let told = |points: &BTreeMap<Point, usize>| {
            let told = points
                .iter()
                .map(|((at, within), n)| format!("{n} at {at} in {within}"));
            told.collect::<Vec<_>>()
        };
        let line = "app::report (src/report.rs:12) in tokio::time::sleep";
        let both = [wait(Some(12), 3), wait(None, 2)];
        assert_eq!(
            told(points.update(&both)),
            [format!("3 at {line}"), "2 at unknown in unknown".to_owned()]
        );
        assert_eq!(
            told(points.update(&[])),
            [format!("0 at {line}"), "0 at unknown in unknown".to_owned()]
        );
        assert_eq!(points.update(from_ref(&both[0])).values().sum::<usize>(), 3);
    }

    #[test]
    fn the_points_are_bounded_and_no_request_of_those_told_is_lost() {
        let mut points = Points::default();
        let many: Vec<_> = (0..50).map(|line| wait(Some(line), 1)).collect();
        assert_eq!(points.update(&many).len(), TOP);
        for line in 0..1_000 {
            points.update(&[wait(Some(line), 2)]);
        }
        let told = points.update(&[wait(Some(7_000), 2), wait(Some(7_001), 1)]);
        assert_eq!(told.len(), POINTS + 1);
        assert_eq!(told[&(OTHER.to_owned(), OTHER.to_owned())], 3);
        assert_eq!(told.values().sum::<usize>(), 3);
    }

    #[test]
    fn looks_are_five_seconds_apart() {
        let mut points = Points::default();
        let due = [100, 5_099, 5_100, 9_000, 30_000]
            .map(|now| points.is_look_due(Duration::from_millis(now)));
        assert_eq!(due, [true, false, true, false, true]);
        // One that is taken for the page counts, too.
        points.looked_at = Some(Duration::from_secs(40));
        assert!(!points.is_look_due(Duration::from_secs(42)));
        let scraped = [43, 161, 162].map(|now| points.are_scraped(Duration::from_secs(now)));
        assert_eq!(scraped, [true, true, false]);
    }
}
