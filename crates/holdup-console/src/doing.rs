//! What the page shows of a [`Survey`]: where open requests wait, what each lane does, and who lost time to whom.
//! All of it is bounded.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;

use super::survey::{RouteCount, Survey, counts, line_of};
use holdup_model::{AwaitPoint, OpenRequest, RequestState, RouteName, Victim, Wait, millis};

/// The most places that are listed, and what is listed of each.
const PLACES: usize = 8;
const ROUTES: usize = 4;
const REQUESTS: usize = 12;
const FRAMES: usize = 40;
const OTHERS: usize = 3;

/// The most pairs of routes.
const PAIRS: usize = 8;

/// What open requests are doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Doing {
    /// Where requests have waited for at least a hold's threshold: where most wait comes first.
    waits: Vec<Place>,
    /// How many places are not listed.
    more: usize,
    /// Every open request that has a lane.
    pub(super) lanes: Vec<LaneDoing>,
    /// Who lost how much time to whom, the most first.
    held_up: Vec<Victim>,
    /// Why the lines are not known.
    why_no_lines: Option<String>,
}

/// A place in the code, and the requests that wait there.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Place {
    line: Option<String>,
    #[serde(rename = "in")]
    within: Option<String>,
    requests: usize,
    /// Since when the first of them has waited.
    #[serde(rename = "since_ms", serialize_with = "millis::serialize")]
    since: Duration,
    routes: Vec<RouteCount>,
    /// Those that have waited longest.
    waiting: Vec<Waiter>,
    /// What the other requests of these routes do, if they are no more than those that wait here: one of them may
    /// have what the others wait for.
    others: Vec<Others>,
    /// The functions, the innermost first.
    stack: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Waiter {
    number: u64,
    lane: Option<u64>,
    worker: usize,
    route: RouteName,
    #[serde(rename = "since_ms", serialize_with = "millis::serialize")]
    since: Duration,
}

/// Requests of the same route that do the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Others {
    route: RouteName,
    state: &'static str,
    line: Option<String>,
    #[serde(rename = "in")]
    within: Option<String>,
    requests: usize,
    #[serde(rename = "since_ms", serialize_with = "millis::serialize")]
    since: Duration,
}

/// What the request of a lane does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LaneDoing {
    pub(super) lane: u64,
    state: &'static str,
    #[serde(rename = "since_ms", serialize_with = "millis::serialize_option")]
    since: Option<Duration>,
    /// The index of the place at which it waits, if that is listed.
    wait: Option<usize>,
}

impl Doing {
    /// Requests that have waited for less than `least` are not counted at a place.
    pub(super) fn new(survey: &Survey, least: Duration) -> Self {
        let all = survey.places(least);
        let listed = &all[..all.len().min(PLACES)];
        let lane = |request: &OpenRequest| {
            Some(LaneDoing {
                lane: request.lane?,
                state: request.state.name(),
                since: request.state.since(),
                wait: listed.iter().position(|wait| waits_at(request, wait)),
            })
        };
        let by_number: HashMap<_, _> = survey
            .requests
            .iter()
            .map(|request| (request.number, request))
            .collect();
        let place = |wait| place(wait, &survey.requests, &by_number, survey.at);
        Self {
            waits: listed.iter().map(place).collect(),
            more: all.len() - listed.len(),
            lanes: survey.requests.iter().filter_map(lane).collect(),
            held_up: survey.victims.iter().take(PAIRS).cloned().collect(),
            why_no_lines: survey.why_no_lines.clone(),
        }
    }
}

fn place(
    wait: &Wait,
    all: &[OpenRequest],
    by_number: &HashMap<u64, &OpenRequest>,
    now: Duration,
) -> Place {
    let point = wait.point.as_ref();
    let waiter = |number| {
        let request: &OpenRequest = by_number.get(number)?;
        Some(Waiter {
            number: request.number,
            lane: request.lane,
            worker: request.worker,
            route: request.route_name(),
            since: request.state.since()?,
        })
    };
    let mut routes = counts(&wait.routes);
    routes.truncate(ROUTES);
    let stack = point.map(|point| point.stack.iter().take(FRAMES).cloned().collect());
    Place {
        line: line_of(point),
        within: point.and_then(|point| point.within.clone()),
        requests: wait.requests,
        since: now.saturating_sub(wait.longest),
        routes,
        waiting: wait
            .numbers
            .iter()
            .filter_map(waiter)
            .take(REQUESTS)
            .collect(),
        others: others(wait, all),
        stack: stack.unwrap_or_default(),
    }
}

/// What the other requests of the wait's routes do. Empty if more of them are elsewhere than wait here: then nobody
/// is the odd one out.
fn others(wait: &Wait, all: &[OpenRequest]) -> Vec<Others> {
    let mut groups: Vec<Others> = Vec::new();
    let mut count = 0;
    for request in all {
        let is_its = |(route, _): &(RouteName, usize)| {
            (&route.method, &route.route) == (&request.method, &request.route)
        };
        let Some(since) = request.state.since() else {
            continue;
        };
        if !wait.routes.iter().any(is_its) || waits_at(request, wait) {
            continue;
        }
        count += 1;
        if count > wait.requests {
            return Vec::new();
        }
        let at = points(request).first();
        let one = Others {
            route: request.route_name(),
            state: request.state.name(),
            line: line_of(at),
            within: at.and_then(|at| at.within.clone()),
            requests: 1,
            since,
        };
        let is_same = |other: &&mut Others| {
            let what = |others: &Others| (others.route.clone(), others.state, others.line.clone());
            what(other) == what(&one) && other.within == one.within
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => {
                group.requests += 1;
                group.since = group.since.min(since);
            }
            None => groups.push(one),
        }
    }
    groups.sort_by_key(|group| (group.requests, group.since));
    groups.truncate(OTHERS);
    groups
}

/// Where the request waits, as far as that is known.
fn points(request: &OpenRequest) -> &[AwaitPoint] {
    match &request.state {
        RequestState::Waiting { at, .. } => at,
        _ => &[],
    }
}

/// Whether the request waits at this place, for however short a time.
fn waits_at(request: &OpenRequest, wait: &Wait) -> bool {
    let points = points(request);
    match &wait.point {
        Some(point) => {
            let place = (&point.line, &point.within);
            points.iter().any(|at| (&at.line, &at.within) == place)
        }
        None => points.is_empty() && matches!(request.state, RequestState::Waiting { .. }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use holdup_model::Line;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn at(line: u32, within: &str) -> Vec<AwaitPoint> {
        let mut place = Line::new("app::report");
        (place.file, place.line) = (Some("src/report.rs".to_owned()), Some(line));
        vec![AwaitPoint::new(
            Some(place),
            Some(within.to_owned()),
            vec!["inner".to_owned(), "outer".to_owned()],
        )]
    }

    fn request(number: u64, route: &str, state: RequestState) -> OpenRequest {
        let mut request = OpenRequest::new(number, 0, RouteName::new("GET", route), ms(0), state);
        request.lane = Some(number + 100);
        request
    }

    fn waiting(number: u64, route: &str, since: u64, at: Vec<AwaitPoint>) -> OpenRequest {
        let since = ms(since);
        request(number, route, RequestState::Waiting { since, at })
    }

    fn shown(requests: Vec<OpenRequest>) -> Value {
        let survey = Survey {
            at: ms(1000),
            requests,
            victims: Vec::new(),
            why_no_lines: None,
        };
        serde_json::to_value(Doing::new(&survey, ms(100))).expect("JSON")
    }

    const LOCK: &str = "tokio::sync::Mutex::lock";
    const SLEEP: &str = "tokio::time::sleep";

    #[test]
    fn who_has_the_lock_stands_beside_those_that_wait_for_it() {
        let doing = shown(vec![
            waiting(1, "/report", 200, at(14, SLEEP)),
            waiting(2, "/report", 300, at(12, LOCK)),
            waiting(3, "/report", 400, at(12, LOCK)),
            waiting(4, "/other", 400, at(12, LOCK)),
            // Another route's request is nobody's odd one out.
            waiting(5, "/hello", 100, at(20, SLEEP)),
        ]);
        let lock = &doing["waits"][0];
        assert_eq!(lock["line"], "app::report (src/report.rs:12)");
        assert_eq!((&lock["in"], &lock["requests"]), (&json!(LOCK), &json!(3)));
        assert_eq!(lock["since_ms"], 300.0);
        let routes = json!([
            {"route": "GET /report", "requests": 2},
            {"route": "GET /other", "requests": 1},
        ]);
        assert_eq!(lock["routes"], routes);
        assert_eq!(lock["stack"], json!(["inner", "outer"]));
        let first = json!({
            "number": 2, "lane": 102, "worker": 0, "route": "GET /report", "since_ms": 300.0,
        });
        assert_eq!(lock["waiting"][0], first);
        let holder = json!([{
            "route": "GET /report", "state": "waiting", "line": "app::report (src/report.rs:14)",
            "in": SLEEP, "requests": 1, "since_ms": 200.0,
        }]);
        assert_eq!(lock["others"], holder);
        // More of its route are elsewhere.
        assert_eq!(doing["waits"][2]["in"], SLEEP);
        assert_eq!(doing["waits"][2]["others"], json!([]));
        let lanes = doing["lanes"].as_array().expect("a list");
        let places: Vec<_> = lanes.iter().map(|lane| lane["wait"].as_u64()).collect();
        assert_eq!(places, [Some(2), Some(0), Some(0), Some(0), Some(1)]);
    }

    #[test]
    fn one_that_runs_or_is_ready_is_an_odd_one_out_too() {
        let doing = shown(vec![
            request(1, "/report", RequestState::Running { since: ms(900) }),
            request(2, "/report", RequestState::Woken { since: ms(800) }),
            waiting(3, "/report", 300, at(12, LOCK)),
            // It waits there, but not for long enough to be counted.
            waiting(4, "/report", 950, at(12, LOCK)),
            waiting(5, "/report", 350, at(12, LOCK)),
        ]);
        let others = doing["waits"][0]["others"].as_array().expect("a list");
        let states: Vec<_> = others.iter().map(|other| &other["state"]).collect();
        assert_eq!(states, ["woken", "running"]);
        assert_eq!(doing["waits"][0]["requests"], 2);
        assert_eq!(doing["lanes"][3]["wait"], 0);
        assert_eq!(doing["lanes"][0]["wait"], Value::Null);
    }

    #[test]
    fn requests_whose_place_is_not_known_are_one_place() {
        let doing = shown(vec![
            waiting(1, "/a", 100, Vec::new()),
            waiting(2, "/b", 200, Vec::new()),
        ]);
        let wait = &doing["waits"][0];
        assert_eq!((&wait["line"], &wait["in"]), (&Value::Null, &Value::Null));
        assert_eq!((&wait["requests"], &wait["stack"]), (&json!(2), &json!([])));
        assert_eq!(doing["lanes"][1]["wait"], 0);
    }

    #[test]
    fn what_is_sent_is_bounded() {
        let mut requests = Vec::new();
        for number in 0..10_000 {
            let line = u32::try_from(number % 50).expect("small");
            let mut at = at(line, LOCK);
            at[0].stack = vec!["frame".repeat(8); 300];
            let mut request = waiting(number, &format!("/{}", number % 500), 100, at);
            request.lane = None;
            requests.push(request);
        }
        let doing = shown(requests);
        assert_eq!(doing["waits"].as_array().map(Vec::len), Some(PLACES));
        assert_eq!(doing["more"], 50 - PLACES);
        let length = doing.to_string().len();
        assert!(length < 40_000, "{length} bytes");
    }
}
