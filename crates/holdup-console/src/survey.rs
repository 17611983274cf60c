//! What all open requests do at one time, as `/requests` and `/waits` list it.

use std::time::Duration;

use serde::Serialize;

use super::await_points::AwaitPoints;
use holdup_model::millis::{self, Millis};
use holdup_model::{AwaitPoint, OpenRequest, RouteName, Victim, Wait, waits};
use holdup_watch::Watch;

/// The version of both documents. Adding a field does not change it.
const SCHEMA: u32 = 1;

/// The most places that `/waits` lists. An app's requests wait at fewer.
const PLACES: usize = 100;

/// All open requests, and what was lost so far.
#[derive(Debug, Clone)]
pub(super) struct Survey {
    /// When the requests were read, on the watch's clock.
    pub(super) at: Duration,
    /// The oldest first.
    pub(super) requests: Vec<OpenRequest>,
    /// Who lost how much time to whom, the most first.
    pub(super) victims: Vec<Victim>,
    pub(super) why_no_lines: Option<String>,
    /// The places as they were recorded, and how many more there were. Then `requests` are only some of all.
    pub(super) recorded: Option<(Vec<Wait>, usize)>,
}

#[derive(Debug, Serialize)]
struct RequestsDocument<'a> {
    schema: u32,
    now_ms: Millis,
    requests: Vec<&'a OpenRequest>,
    /// How many more there are.
    more: usize,
    why_no_lines: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct WaitsDocument<'a> {
    schema: u32,
    now_ms: Millis,
    waits: Vec<WaitView<'a>>,
    /// How many more places there are.
    more: usize,
    held_up: &'a [Victim],
    why_no_lines: Option<&'a str>,
}

/// A place, and those that wait there.
#[derive(Debug, Serialize)]
struct WaitView<'a> {
    /// The route of most of them.
    route: &'a RouteName,
    line: Option<String>,
    #[serde(rename = "in")]
    within: Option<&'a str>,
    requests: usize,
    #[serde(rename = "longest_ms", serialize_with = "millis::serialize")]
    longest: Duration,
    routes: Vec<RouteCount<'a>>,
    numbers: &'a [u64],
    point: Option<&'a AwaitPoint>,
}

/// How many requests of a route there are.
#[derive(Debug, Serialize)]
struct RouteCount<'a> {
    route: &'a RouteName,
    requests: usize,
}

impl Survey {
    /// Asks the requests that wait where they do. This takes some milliseconds, and up to two seconds when the
    /// line tables have to be read, so it must not run on a thread that answers.
    pub(super) fn take(watch: &Watch) -> Self {
        let requests = watch.requests();
        Self {
            at: watch.elapsed(),
            requests,
            victims: watch.victims(),
            why_no_lines: watch.why_no_lines().map(str::to_owned),
            recorded: None,
        }
    }

    /// A survey from a record.
    pub(super) fn recorded(survey: holdup_record::Survey, why_no_lines: Option<String>) -> Self {
        Self {
            at: survey.at,
            requests: survey.requests,
            victims: Vec::new(),
            why_no_lines,
            recorded: Some((survey.waits, survey.more)),
        }
    }

    /// A survey in which nothing is open.
    pub(super) fn none(at: Duration, why_no_lines: Option<String>) -> Self {
        Self {
            at,
            requests: Vec::new(),
            victims: Vec::new(),
            why_no_lines,
            recorded: None,
        }
    }

    /// How many places were not recorded.
    pub(super) fn more(&self) -> usize {
        self.recorded.as_ref().map_or(0, |(_, more)| *more)
    }

    /// Whether it knows of all open requests.
    pub(super) fn is_whole(&self) -> bool {
        self.recorded.is_none()
    }

    /// Where requests wait that have waited for at least `min_age`.
    pub(super) fn places(&self, min_age: Duration) -> Vec<Wait> {
        match &self.recorded {
            Some((places, _)) => {
                let places = places.iter().filter(|place| place.longest >= min_age);
                places.cloned().collect()
            }
            None => waits(&self.requests, self.at, min_age),
        }
    }

    /// Records where requests wait for Prometheus.
    pub(super) fn record_in(&self, points: &AwaitPoints) {
        let is_known = self.why_no_lines.is_none();
        points.record(&self.places(Duration::ZERO), is_known, self.at);
    }

    /// The answer of `/requests`: at most so many requests that have been open for at least `min_age`.
    pub(super) fn requests_json(&self, most: usize, min_age: Duration) -> String {
        let old = |request: &&OpenRequest| request.age >= min_age;
        let mut requests: Vec<_> = self.requests.iter().filter(old).collect();
        let more = requests.len().saturating_sub(most);
        requests.truncate(most);
        json(&RequestsDocument {
            schema: SCHEMA,
            now_ms: Millis(self.at),
            requests,
            more,
            why_no_lines: self.why_no_lines.as_deref(),
        })
    }

    /// The answer of `/waits`: where requests wait that have waited for at least `min_age`.
    pub(super) fn waits_json(&self, min_age: Duration) -> String {
        let places = self.places(min_age);
        let view = |wait| {
            let Wait {
                point,
                requests,
                longest,
                routes,
                numbers,
                ..
            }: &Wait = wait;
            let point = point.as_ref();
            // Somebody waits at each place, so each has a route.
            let (route, _) = routes.first()?;
            Some(WaitView {
                route,
                line: line_of(point),
                within: point.and_then(|point| point.within.as_deref()),
                requests: *requests,
                longest: *longest,
                routes: counts(routes),
                numbers,
                point,
            })
        };
        json(&WaitsDocument {
            schema: SCHEMA,
            now_ms: Millis(self.at),
            waits: places.iter().take(PLACES).filter_map(view).collect(),
            more: places.len().saturating_sub(PLACES),
            held_up: &self.victims,
            why_no_lines: self.why_no_lines.as_deref(),
        })
    }
}

/// The point's line in the form `app::report (src/report.rs:12)`.
fn line_of(point: Option<&AwaitPoint>) -> Option<String> {
    Some(point?.line.as_ref()?.to_string())
}

fn counts(routes: &[(RouteName, usize)]) -> Vec<RouteCount<'_>> {
    let routes = routes.iter();
    let count = |&(ref route, requests)| RouteCount { route, requests };
    routes.map(count).collect()
}

/// Serializing strings and numbers cannot fail.
fn json(document: &impl Serialize) -> String {
    serde_json::to_string(document).unwrap_or_default()
}
