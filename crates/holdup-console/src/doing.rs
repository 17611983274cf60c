//! What the page shows of a [`Survey`]: where open requests wait, what each lane does, and who lost time to whom,
//! in words. All of it is bounded.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;

use super::change::SHORTEST_LOSS;
use super::survey::Survey;
use holdup_model::{AwaitPoint, OpenRequest, RequestState, RouteName, Victim, Wait, millis};

/// The most places that are listed, and what is listed of each.
const PLACES: usize = 12;
const ROUTES: usize = 3;
const REQUESTS: usize = 10;
const FRAMES: usize = 30;
const OTHERS: usize = 3;

/// The most pairs of routes.
const PAIRS: usize = 8;

/// What open requests are doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Doing {
    /// Where requests have waited for at least a hold's threshold: where most wait comes first.
    waits: Vec<ListedPlace>,
    /// How many places are not listed.
    more: usize,
    /// The open requests whose lanes are drawn.
    pub(super) lanes: Vec<LaneDoing>,
    /// Who lost how much time to whom, the most first; only where one request lost a time that somebody notices.
    held_up: Vec<Victim>,
}

/// A place in the code, and the requests that wait there.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct ListedPlace {
    /// `app::report (src/report.rs:12), in tokio::sync::Mutex::lock`.
    place: String,
    requests: usize,
    /// Their routes, and since when the first of them has waited.
    #[serde(flatten)]
    they: Lasting,
    /// Those that have waited longest.
    waiting: Vec<Lasting>,
    /// What the other requests of these routes do, if they are no more than those that wait here: one of them may
    /// have what the others wait for.
    others: Vec<Lasting>,
    /// The functions, the innermost first.
    stack: Vec<String>,
}

/// Something that goes on, and since when.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Lasting {
    what: String,
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
    /// Where it waits, if that is known.
    place: Option<String>,
}

impl Doing {
    /// Requests that have waited for less than `least` are not counted at a place. `drawn` are the lanes that the page
    /// shows.
    pub(super) fn new(survey: &Survey, least: Duration, drawn: &HashSet<u64>) -> Self {
        let all = survey.places(least);
        let listed = &all[..all.len().min(PLACES)];
        let lane = |request: &OpenRequest| {
            let lane = request.lane.filter(|lane| drawn.contains(lane))?;
            let points = points(request);
            Some(LaneDoing {
                lane,
                state: request.state.name(),
                since: request.state.since(),
                place: (!points.is_empty()).then(|| in_words(points)),
            })
        };
        let named: HashSet<_> = listed.iter().flat_map(|wait| &wait.numbers).collect();
        let by_number: HashMap<_, _> = survey
            .requests
            .iter()
            .filter(|request| named.contains(&request.number))
            .map(|request| (request.number, request))
            .collect();
        let place = |wait| place(wait, survey, &by_number);
        let is_worth_it = |victim: &&Victim| victim.longest >= SHORTEST_LOSS;
        Self {
            waits: listed.iter().map(place).collect(),
            more: survey.more().saturating_add(all.len() - listed.len()),
            lanes: survey.requests.iter().filter_map(lane).collect(),
            held_up: survey
                .victims
                .iter()
                .filter(is_worth_it)
                .take(PAIRS)
                .cloned()
                .collect(),
        }
    }
}

fn place(wait: &Wait, survey: &Survey, by_number: &HashMap<u64, &OpenRequest>) -> ListedPlace {
    let waiter = |number| {
        let request: &OpenRequest = by_number.get(number)?;
        let lane = request.lane.map(|lane| format!(" #{lane}"));
        let (route, worker) = (request.route_name(), request.worker);
        Some(Lasting {
            what: format!("{route}{}, worker {worker}", lane.unwrap_or_default()),
            since: request.state.since()?,
        })
    };
    let waiting = wait.numbers.iter().filter_map(waiter).take(REQUESTS);
    let point = wait.point.as_ref();
    let unknown = || match &survey.why_no_lines {
        Some(why) => format!("a place that is not known: {why}"),
        None => "a place that is not known".to_owned(),
    };
    let stack = point.map(|point| point.stack.iter().take(FRAMES).cloned().collect());
    ListedPlace {
        place: point.map_or_else(unknown, ToString::to_string),
        requests: wait.requests,
        they: Lasting {
            what: routes(&wait.routes),
            since: survey.at.saturating_sub(wait.longest),
        },
        waiting: waiting.collect(),
        others: if survey.is_whole() {
            others(wait, &survey.requests)
        } else {
            Vec::new()
        },
        stack: stack.unwrap_or_default(),
    }
}

/// `GET /report`, or `3 × GET /report, 1 × GET /other and 2 more routes`.
fn routes(routes: &[(RouteName, usize)]) -> String {
    if let [(only, _)] = routes {
        return only.to_string();
    }
    let listed = routes.iter().take(ROUTES);
    let listed: Vec<_> = listed.map(|(route, n)| format!("{n} × {route}")).collect();
    let more = match routes.len().saturating_sub(ROUTES) {
        0 => String::new(),
        1 => " and 1 more route".to_owned(),
        n => format!(" and {n} more routes"),
    };
    format!("{}{more}", listed.join(", "))
}

/// What the other requests of the wait's routes do. Empty if more of them are elsewhere than wait here: then nobody
/// is the odd one out. If it is as many, those that wait elsewhere are left out, because they have a place of their
/// own in the list.
fn others(wait: &Wait, all: &[OpenRequest]) -> Vec<Lasting> {
    let is_others = |request: &&OpenRequest| {
        let is_its = |(route, _): &(RouteName, usize)| {
            (&route.method, &route.route) == (&request.method, &request.route)
        };
        wait.routes.iter().any(is_its) && !waits_at(request, wait)
    };
    let most = wait.requests + 1;
    let mut others: Vec<_> = all.iter().filter(is_others).take(most).collect();
    if others.len() == most {
        return Vec::new();
    }
    if others.len() == wait.requests {
        others.retain(|request| points(request).is_empty());
    }
    let mut groups: Vec<(usize, Lasting)> = Vec::new();
    for request in others {
        let Some(since) = request.state.since() else {
            continue;
        };
        let mut what = match &request.state {
            RequestState::Running { .. } => "running".to_owned(),
            RequestState::Woken { .. } => "ready to run".to_owned(),
            RequestState::Sending { .. } => "waiting for its client to read".to_owned(),
            _ => match points(request) {
                [] => "waiting".to_owned(),
                points => format!("waiting at {}", in_words(points)),
            },
        };
        if wait.routes.len() > 1 {
            what = format!("of {} {what}", request.route_name());
        }
        match groups.iter_mut().find(|(_, group)| group.what == what) {
            Some((requests, group)) => {
                *requests += 1;
                group.since = group.since.min(since);
            }
            None => groups.push((1, Lasting { what, since })),
        }
    }
    groups.sort_by_key(|(requests, group)| (*requests, group.since));
    let counted = |(requests, group): (usize, Lasting)| Lasting {
        what: format!("elsewhere: {requests} {}", group.what),
        ..group
    };
    groups.into_iter().take(OTHERS).map(counted).collect()
}

/// Where the request waits, as far as that is known.
fn points(request: &OpenRequest) -> &[AwaitPoint] {
    match &request.state {
        RequestState::Waiting { at, .. } => at,
        _ => &[],
    }
}

fn in_words(points: &[AwaitPoint]) -> String {
    let listed = points.iter().take(OTHERS).map(ToString::to_string);
    let listed = listed.collect::<Vec<_>>().join(" and ");
    match points.len().saturating_sub(OTHERS) {
        0 => listed,
        n => format!("{listed} and {n} more"),
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

    /// Those that a test of this file can have.
    fn all_lanes() -> HashSet<u64> {
        (100..200).collect()
    }

    fn shown(requests: Vec<OpenRequest>) -> Value {
        let survey = Survey {
            at: ms(1000),
            requests,
            victims: Vec::new(),
            why_no_lines: None,
            recorded: None,
        };
        serde_json::to_value(Doing::new(&survey, ms(100), &all_lanes())).expect("JSON")
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
        let first = json!({
            "place": format!("app::report (src/report.rs:12), in {LOCK}"),
            "requests": 3,
            "what": "2 × GET /report, 1 × GET /other",
            "since_ms": 300.0,
            "waiting": [
                { "what": "GET /report #102, worker 0", "since_ms": 300.0 },
                { "what": "GET /report #103, worker 0", "since_ms": 400.0 },
                { "what": "GET /other #104, worker 0", "since_ms": 400.0 },
            ],
            "others": [{
                "what": format!(
                    "elsewhere: 1 of GET /report waiting at app::report (src/report.rs:14), in {SLEEP}"
                ),
                "since_ms": 200.0,
            }],
            "stack": ["inner", "outer"],
        });
        assert_eq!(doing["waits"][0], first);
        // More of its route are elsewhere.
        let holder = &doing["waits"][2];
        assert_eq!(
            (&holder["what"], &holder["others"]),
            (&json!("GET /report"), &json!([]))
        );
        let lane = json!({
            "lane": 101, "state": "waiting", "since_ms": 200.0,
            "place": format!("app::report (src/report.rs:14), in {SLEEP}"),
        });
        assert_eq!(doing["lanes"][0], lane);
    }

    #[test]
    fn those_that_run_or_are_ready_are_odd_ones_out_too() {
        let doing = shown(vec![
            request(1, "/report", RequestState::Running { since: ms(900) }),
            request(2, "/report", RequestState::Woken { since: ms(800) }),
            request(3, "/report", RequestState::Woken { since: ms(700) }),
            waiting(4, "/report", 300, at(12, LOCK)),
            // It waits there, but not for long enough to be counted.
            waiting(5, "/report", 950, at(12, LOCK)),
            waiting(6, "/report", 350, at(12, LOCK)),
            waiting(7, "/report", 350, at(12, LOCK)),
        ]);
        let others = json!([
            { "what": "elsewhere: 1 running", "since_ms": 900.0 },
            { "what": "elsewhere: 2 ready to run", "since_ms": 700.0 },
        ]);
        assert_eq!(doing["waits"][0]["others"], others);
        assert_eq!(doing["waits"][0]["requests"], 3);
        assert_eq!(doing["lanes"][4]["state"], "waiting");
        assert_eq!(doing["lanes"][0]["place"], Value::Null);
    }

    #[test]
    fn those_with_a_place_of_their_own_are_listed_once() {
        let doing = shown(vec![
            waiting(1, "/report", 200, at(14, SLEEP)),
            waiting(2, "/report", 300, at(12, LOCK)),
        ]);
        let others: Vec<_> = [0, 1].map(|n| &doing["waits"][n]["others"]).to_vec();
        assert_eq!(others, [&json!([]), &json!([])]);
    }

    #[test]
    fn a_loss_that_nobody_notices_is_not_listed() {
        let route = |path: &str| RouteName::new("GET", path);
        let victim = |path, requests, longest, all| {
            let mut victim = Victim::new(route(path), None, requests, ms(all));
            victim.longest = ms(longest);
            victim
        };
        let survey = Survey {
            at: ms(1000),
            requests: Vec::new(),
            victims: vec![
                // However many lose what any request does.
                victim("/many", 1000, 9, 9000),
                victim("/a", 2, 299, 300),
                victim("/b", 1, 10, 10),
                victim("/c", 1, 9, 9),
            ],
            why_no_lines: None,
            recorded: None,
        };
        let doing = Doing::new(&survey, ms(100), &all_lanes());
        let listed: Vec<_> = doing.held_up.iter().map(|v| &v.route.route).collect();
        assert_eq!(listed, ["/a", "/b"]);
    }

    #[test]
    fn requests_whose_place_is_not_known_are_one_place_and_it_is_said_why() {
        let mut survey = Survey {
            at: ms(1000),
            requests: vec![
                waiting(1, "/a", 100, Vec::new()),
                waiting(2, "/b", 200, Vec::new()),
            ],
            victims: Vec::new(),
            why_no_lines: None,
            recorded: None,
        };
        let shown = |survey: &Survey| {
            let doing = Doing::new(survey, ms(100), &all_lanes());
            let [place] = doing.waits.as_slice() else {
                panic!("{doing:?}");
            };
            assert_eq!((place.requests, place.stack.len()), (2, 0));
            assert_eq!(doing.lanes[0].place, None);
            place.place.clone()
        };
        assert_eq!(shown(&survey), "a place that is not known");
        survey.why_no_lines = Some("musl".to_owned());
        assert_eq!(shown(&survey), "a place that is not known: musl");
    }

    #[test]
    fn several_places_of_one_request_are_all_named() {
        let both = [at(12, LOCK), at(14, SLEEP)].concat();
        let doing = shown(vec![waiting(1, "/report", 100, both)]);
        let place = format!(
            "app::report (src/report.rs:12), in {LOCK} and app::report (src/report.rs:14), in {SLEEP}"
        );
        assert_eq!(doing["lanes"][0]["place"], place);
        assert_eq!(doing["waits"].as_array().map(Vec::len), Some(2));
        let many: Vec<_> = (1..=9).flat_map(|line| at(line, LOCK)).collect();
        assert!(
            in_words(&many).ends_with("(src/report.rs:3), in tokio::sync::Mutex::lock and 6 more")
        );
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
        let what = doing["waits"][0]["what"].as_str().expect("a text");
        assert!(what.ends_with(" and 7 more routes"), "{what}");
        let length = doing.to_string().len();
        assert!(length < 40_000, "{length} bytes");
    }
}
