//! The messages of a console that matter here, as `schema/events.schema.json` describes them. Everything comes
//! from outside: what does not fit is not used, and what is not needed is not kept.

use serde::Deserialize;
use serde_json::Value;

use super::found::Share;
use super::text::clean;

/// The version of the messages that can be read.
pub(super) const VERSION: u64 = 1;

/// A time on the clock of the app's watch, in microseconds.
pub(super) type WatchTime = i64;

/// The latest time on a watch's clock that is believed, in milliseconds: thirty years.
const LATEST: f64 = 1e12;

/// The most routes that are kept of a hold. There are seldom more than two.
const MOST_SHARES: usize = 8;

/// A line is that of a hold's main route if this route took at least so much of the hold's time. The line is
/// the one at which the worker was seen most often, and with less than this it may be another route's.
const MAIN_PART: f64 = 0.75;

/// A message of a console.
#[derive(Debug, PartialEq)]
pub(super) enum News {
    /// Everything that is known.
    Snapshot(Snapshot),
    /// A worker is held.
    Held(Told),
    /// A hold is over.
    Released(Told),
    /// A hold was none.
    Withdrawn(Told),
    /// The time.
    Now(WatchTime),
    /// The console sends nothing more, because this reader fell behind.
    Behind,
}

/// Everything that a console knows.
#[derive(Debug, PartialEq)]
pub(super) struct Snapshot {
    pub(super) now: WatchTime,
    /// A hold is at least so long.
    pub(super) threshold: WatchTime,
    /// The holds that last.
    pub(super) held: Vec<Told>,
    /// The newest holds that are over.
    pub(super) over: Vec<Told>,
}

/// A hold, as far as the console knows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) worker: usize,
    pub(super) started: WatchTime,
    pub(super) duration: WatchTime,
    pub(super) activity: Option<String>,
    pub(super) line: Option<String>,
    /// The routes that held the worker, the longest first.
    pub(super) shares: Vec<Share>,
}

impl Told {
    /// When it ended; of one that lasts, up to when it is known.
    pub(super) fn end(&self) -> WatchTime {
        self.started.saturating_add(self.duration)
    }
}

/// Why the first message is not one that can be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadSnapshot {
    /// It is of a console, but of another version.
    Version(String),
    /// It is not of a console.
    Other(&'static str),
}

/// Reads the first message of `/events`, or the answer of `/state`.
pub(super) fn snapshot(text: &[u8]) -> Result<Snapshot, BadSnapshot> {
    #[derive(Deserialize)]
    struct Head {
        event: Option<String>,
        schema: Option<Value>,
    }
    let head: Head = serde_json::from_slice(text)
        .map_err(|_| BadSnapshot::Other("its first message is not a JSON object"))?;
    if head.event.as_deref() != Some("snapshot") {
        return Err(BadSnapshot::Other("its first message is no snapshot"));
    }
    match head.schema {
        Some(version) if version.as_u64() == Some(VERSION) => {}
        Some(version @ (Value::Number(_) | Value::String(_))) => {
            return Err(BadSnapshot::Version(clean(&version.to_string())));
        }
        _ => return Err(BadSnapshot::Other("its snapshot has no version")),
    }
    whole(text).ok_or(BadSnapshot::Other(
        "its snapshot lacks the time, the workers or the holds",
    ))
}

fn whole(text: &[u8]) -> Option<Snapshot> {
    #[derive(Deserialize)]
    struct Whole {
        now_ms: f64,
        threshold_ms: f64,
        workers: Vec<Worker>,
        holds: Vec<Hold>,
    }
    #[derive(Deserialize)]
    struct Worker {
        held: Option<Hold>,
    }
    let whole: Whole = serde_json::from_slice(text).ok()?;
    let held = whole.workers.into_iter().filter_map(|worker| worker.held);
    Some(Snapshot {
        now: micros(whole.now_ms)?,
        threshold: micros(whole.threshold_ms)?,
        held: held.filter_map(Hold::told).collect(),
        over: whole.holds.into_iter().filter_map(Hold::told).collect(),
    })
}

/// Reads a later message of `/events`. `None` if it is one that is not needed, or cannot be read.
pub(super) fn news(text: &[u8]) -> Option<News> {
    // Most messages are about lanes, and long: nothing of them is kept but the name.
    #[derive(Deserialize)]
    struct Name {
        event: String,
    }
    #[derive(Deserialize)]
    struct Now {
        now_ms: f64,
    }
    #[derive(Deserialize)]
    struct Held {
        hold: Hold,
    }
    let name: Name = serde_json::from_slice(text).ok()?;
    let hold = || serde_json::from_slice::<Held>(text).ok()?.hold.told();
    Some(match name.event.as_str() {
        "snapshot" => News::Snapshot(snapshot(text).ok()?),
        "held" => News::Held(hold()?),
        "released" => News::Released(hold()?),
        "withdrawn" => News::Withdrawn(hold()?),
        "now" => News::Now(micros(serde_json::from_slice::<Now>(text).ok()?.now_ms)?),
        "behind" => News::Behind,
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Hold {
    worker: usize,
    started_ms: f64,
    duration_ms: f64,
    activity: Option<String>,
    #[serde(default)]
    culprits: Vec<Culprit>,
    #[serde(default)]
    lines: Vec<Place>,
}

#[derive(Deserialize)]
struct Culprit {
    method: String,
    route: String,
    busy_ms: f64,
}

#[derive(Deserialize)]
struct Place {
    function: String,
    file: Option<String>,
    line: Option<u32>,
}

impl Hold {
    fn told(self) -> Option<Told> {
        let (started, duration) = (micros(self.started_ms)?, micros(self.duration_ms)?);
        let shares = shares(&self.culprits);
        let main = shares.first().map_or(1.0, |share| share.part);
        let line = self.lines.first().filter(|_| main >= MAIN_PART);
        Some(Told {
            worker: self.worker,
            started,
            duration,
            activity: self.activity.as_deref().map(clean),
            line: line.map(Place::line),
            shares,
        })
    }
}

impl Place {
    /// The file and the line; the function, where the app has no line tables.
    fn line(&self) -> String {
        let place = match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (Some(file), None) => file.clone(),
            (None, _) => self.function.clone(),
        };
        clean(&place)
    }
}

/// How much of the time each route took. The requests of one route count together.
fn shares(culprits: &[Culprit]) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    let mut all = 0.0;
    for culprit in culprits {
        let busy = if micros(culprit.busy_ms).is_some() {
            culprit.busy_ms
        } else {
            0.0
        };
        let (method, route) = (clean(&culprit.method), clean(&culprit.route));
        all += busy;
        let known = shares
            .iter()
            .position(|share| share.method == method && share.route == route);
        match known {
            Some(index) => shares[index].part += busy,
            None if shares.len() < MOST_SHARES => shares.push(Share {
                method,
                route,
                part: busy,
            }),
            None => {}
        }
    }
    for share in &mut shares {
        share.part = if all > 0.0 { share.part / all } else { 0.0 };
    }
    shares.sort_by(|one, other| other.part.total_cmp(&one.part));
    shares
}

/// A time of a message, unless it is none.
fn micros(milliseconds: f64) -> Option<WatchTime> {
    let is_time = (0.0..=LATEST).contains(&milliseconds);
    is_time.then(|| (milliseconds * 1e3).round() as WatchTime)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hold(worker: u32, culprits: &Value) -> Value {
        json!({
            "kind": "blocked", "worker": worker, "started_ms": 1000.5, "duration_ms": 300.25,
            "cpu_ms": null, "descheduled_ms": null, "culprits": culprits, "waiting": 3,
            "ongoing": false, "activity": "sleeping",
            "lines": [
                { "function": "app::report", "file": "src/report.rs", "line": 41, "called": null,
                  "library": false, "samples": 3 },
                { "function": "app::sum", "file": "src/sum.rs", "line": 9, "called": null,
                  "library": false, "samples": 1 },
            ],
            "stack": ["app::report"], "sentence": "…",
        })
    }

    fn culprit(route: &str, busy: f64) -> Value {
        json!({ "method": "GET", "route": route, "lane": 7, "part": "future", "polls": 1, "busy_ms": busy })
    }

    fn told(hold: &Value) -> Option<Told> {
        match news(
            json!({ "event": "released", "hold": hold })
                .to_string()
                .as_bytes(),
        ) {
            Some(News::Released(told)) => Some(told),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_hold_has_a_route_and_a_line() {
        let told = told(&hold(2, &json!([culprit("/report", 300.0)]))).expect("a hold");
        let share = Share {
            method: "GET".to_owned(),
            route: "/report".to_owned(),
            part: 1.0,
        };
        let expected = Told {
            worker: 2,
            started: 1_000_500,
            duration: 300_250,
            activity: Some("sleeping".to_owned()),
            line: Some("src/report.rs:41".to_owned()),
            shares: vec![share],
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn requests_of_one_route_count_together_and_a_doubtful_line_is_left_out() {
        let several = [
            culprit("/b", 100.0),
            culprit("/a", 60.0),
            culprit("/a", 140.0),
        ];
        let told = told(&hold(0, &json!(several))).expect("a hold");
        let shares: Vec<_> = told
            .shares
            .iter()
            .map(|s| (s.route.as_str(), s.part))
            .collect();
        assert_eq!(shares, [("/a", 200.0 / 300.0), ("/b", 100.0 / 300.0)]);
        assert_eq!(told.line, None);
    }

    #[test]
    fn a_line_without_line_tables_is_named_by_its_function() {
        let mut hold = hold(0, &json!([]));
        hold["lines"] = json!([{ "function": "app::sum", "file": null, "line": null }]);
        let told = told(&hold).expect("a hold");
        assert_eq!(told.line.as_deref(), Some("app::sum"));
        assert_eq!(told.shares, []);
    }

    #[test]
    fn a_hold_that_cannot_be_read_is_not_used() {
        for (key, value) in [
            ("worker", json!(-1)),
            ("worker", json!("one")),
            ("started_ms", json!(-5)),
            ("started_ms", json!(1e300)),
            ("duration_ms", Value::Null),
            ("culprits", json!("GET /")),
        ] {
            let mut hold = hold(0, &json!([]));
            hold[key] = value;
            assert_eq!(told(&hold), None, "{key}: {}", hold[key]);
        }
        for text in [
            "",
            "7",
            "null",
            "{\"event\":\"held\"}",
            "{\"event\":7}",
            "\u{1b}",
        ] {
            assert_eq!(news(text.as_bytes()), None, "{text}");
        }
        assert_eq!(news(b"{\"event\":\"opened\",\"lane\":1}"), None);
        assert_eq!(news(b"\xff\xfe"), None);
    }

    #[test]
    fn texts_of_a_hold_are_bounded() {
        let many: Vec<_> = (0..1000)
            .map(|n| culprit(&format!("/{n}\u{7}{}", "x".repeat(5000)), 1.0))
            .collect();
        let told = told(&hold(0, &json!(many))).expect("a hold");
        assert_eq!(told.shares.len(), MOST_SHARES);
        assert!(
            told.shares
                .iter()
                .all(|share| share.route.len() < 400 && !share.route.contains('\u{7}'))
        );
    }

    #[test]
    fn a_snapshot_is_read_and_what_is_none_is_named() {
        let mut state = json!({
            "event": "snapshot", "schema": 1, "version": "0.1.0", "now_ms": 5000, "threshold_ms": 100,
            "workers": [{ "worker": 0, "open": 1, "held": hold(0, &json!([])) }, { "worker": 1, "open": 0, "held": null }],
            "holds": [hold(1, &json!([]))], "new": "ignored",
        });
        let read = |state: &Value| snapshot(state.to_string().as_bytes());
        let found = read(&state).expect("a snapshot");
        assert_eq!((found.now, found.threshold), (5_000_000, 100_000));
        assert_eq!((found.held[0].worker, found.over[0].worker), (0, 1));

        state["schema"] = json!(2);
        assert_eq!(read(&state), Err(BadSnapshot::Version("2".to_owned())));
        let mut other = |key: &str, value: Value| {
            state["schema"] = json!(1);
            let before = std::mem::replace(&mut state[key], value);
            let bad = read(&state);
            state[key] = before;
            match bad {
                Err(BadSnapshot::Other(why)) => why,
                other => panic!("{key}: {other:?}"),
            }
        };
        assert_eq!(
            other("event", json!("held")),
            "its first message is no snapshot"
        );
        assert_eq!(other("schema", Value::Null), "its snapshot has no version");
        let lacks = "its snapshot lacks the time, the workers or the holds";
        assert_eq!(other("now_ms", json!("noon")), lacks);
        assert_eq!(other("workers", Value::Null), lacks);
        let none = snapshot(b"hello");
        assert_eq!(
            none,
            Err(BadSnapshot::Other("its first message is not a JSON object"))
        );
    }
}
