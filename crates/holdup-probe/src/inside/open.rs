//! The documents in which a console lists the open requests: `/requests`, and `/waits`, where they wait.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::text::{clean, harmless};
use holdup_model::{AwaitPoint, Line, OpenRequest, RequestState, RouteName, Victim};

/// The version of the documents that can be read.
pub(super) const VERSION: u64 = 1;

/// The largest document that is read. A console lists at most a thousand requests, each with a few stacks.
pub(super) const MOST_BYTES: usize = 32 * 1024 * 1024;

/// The longest time that is believed, in milliseconds: a year.
const LONGEST: f64 = 365.0 * 24.0 * 3600e3;

/// The requests that are open in an app, as its console lists them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OpenRequests {
    /// The requests, the oldest first.
    pub requests: Vec<OpenRequest>,
    /// How many more are open that the console does not list.
    pub more: usize,
    /// Why the app does not know at which lines its requests wait; `None` if it does.
    pub why_no_lines: Option<String>,
    /// The document as the console sent it. Control characters, which JSON allows within a text, are escaped.
    pub text: String,
}

/// Where the open requests of an app wait, and who holds up whom, as its console lists it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OpenWaits {
    /// The places, first where most requests wait.
    pub waits: Vec<OpenWait>,
    /// The routes whose requests were held up by those of another, the most time first.
    pub held_up: Vec<Victim>,
    /// Why the app does not know at which lines its requests wait; `None` if it does.
    pub why_no_lines: Option<String>,
    /// The document as the console sent it. Control characters, which JSON allows within a text, are escaped.
    pub text: String,
}

/// A place in the code, and the requests that wait there.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OpenWait {
    /// The line of code: `app::report (src/report.rs:12)`.
    pub line: Option<String>,
    /// What it waits in: `tokio::sync::Mutex::lock`.
    pub within: Option<String>,
    /// How many requests wait there.
    pub requests: usize,
    /// The longest time that one of them has waited.
    pub longest: Duration,
    /// Their routes, such as `GET /report`, each with how many of them wait there, the most frequent first.
    pub routes: Vec<(String, usize)>,
}

impl OpenWait {
    /// So many requests that wait at a line and in a function, as far as these are known.
    pub fn new(
        (line, within): (Option<String>, Option<String>),
        requests: usize,
        longest: Duration,
        routes: Vec<(String, usize)>,
    ) -> Self {
        Self {
            line,
            within,
            requests,
            longest,
            routes,
        }
    }
}

impl fmt::Display for OpenWait {
    /// `app::report (src/report.rs:12), in tokio::sync::Mutex::lock`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.line, &self.within) {
            (Some(line), Some(within)) => write!(f, "{line}, in {within}"),
            (Some(line), None) => f.write_str(line),
            (None, Some(within)) => write!(f, "in {within}"),
            (None, None) => f.write_str("at an unknown place"),
        }
    }
}

/// Why a document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadDocument {
    /// It is of this version.
    Version(String),
    /// Anything else.
    Other(String),
}

#[derive(Deserialize)]
struct RequestsDocument {
    requests: Vec<RequestEntry>,
    #[serde(default)]
    more: usize,
    #[serde(default)]
    why_no_lines: Option<String>,
}

#[derive(Deserialize)]
struct RequestEntry {
    number: u64,
    lane: Option<u64>,
    worker: usize,
    method: String,
    route: String,
    age_ms: f64,
    held_up_ms: f64,
    behind: Option<String>,
    state: String,
    #[serde(default)]
    since_ms: f64,
    #[serde(default)]
    at: Vec<PointEntry>,
}

#[derive(Deserialize)]
struct PointEntry {
    line: Option<LineEntry>,
    #[serde(rename = "in")]
    within: Option<String>,
    #[serde(default)]
    stack: Vec<String>,
}

#[derive(Deserialize)]
struct LineEntry {
    function: String,
    file: Option<String>,
    line: Option<u32>,
    called: Option<String>,
    #[serde(default)]
    library: bool,
}

#[derive(Deserialize)]
struct WaitsDocument {
    waits: Vec<WaitEntry>,
    #[serde(default)]
    held_up: Vec<VictimEntry>,
    #[serde(default)]
    why_no_lines: Option<String>,
}

#[derive(Deserialize)]
struct WaitEntry {
    line: Option<String>,
    #[serde(rename = "in")]
    within: Option<String>,
    requests: usize,
    longest_ms: f64,
    #[serde(default)]
    routes: Vec<RouteEntry>,
}

#[derive(Deserialize)]
struct RouteEntry {
    route: String,
    requests: usize,
}

#[derive(Deserialize)]
struct VictimEntry {
    route: String,
    by: Option<String>,
    requests: u64,
    held_up_ms: f64,
    #[serde(default)]
    longest_ms: f64,
}

/// Reads the document of `/requests`.
pub(super) fn requests(document: &[u8]) -> Result<OpenRequests, BadDocument> {
    let (text, read) = read::<RequestsDocument>(document)?;
    Ok(OpenRequests {
        requests: read.requests.into_iter().map(request).collect(),
        more: read.more,
        why_no_lines: read.why_no_lines.as_deref().map(clean),
        text,
    })
}

/// Reads the document of `/waits`.
pub(super) fn waits(document: &[u8]) -> Result<OpenWaits, BadDocument> {
    let (text, read) = read::<WaitsDocument>(document)?;
    Ok(OpenWaits {
        waits: read.waits.into_iter().map(wait).collect(),
        held_up: read.held_up.iter().map(victim).collect(),
        why_no_lines: read.why_no_lines.as_deref().map(clean),
        text,
    })
}

fn read<T: DeserializeOwned>(document: &[u8]) -> Result<(String, T), BadDocument> {
    #[derive(Deserialize)]
    struct Versioned {
        schema: serde_json::Value,
    }
    let other = |why: &dyn fmt::Display| BadDocument::Other(clean(&why.to_string()));
    let text = str::from_utf8(document).map_err(|error| other(&error))?;
    let Versioned { schema } = serde_json::from_str(text).map_err(|error| other(&error))?;
    if schema != VERSION {
        return Err(BadDocument::Version(clean(&schema.to_string())));
    }
    let read = serde_json::from_str(text).map_err(|error| other(&error))?;
    Ok((harmless(text), read))
}

fn request(entry: RequestEntry) -> OpenRequest {
    let since = time(entry.since_ms);
    let state = match entry.state.as_str() {
        "running" => RequestState::Running { since },
        "woken" => RequestState::Woken { since },
        "waiting" => RequestState::Waiting {
            since,
            at: entry.at.into_iter().map(point).collect(),
        },
        "sending" => RequestState::Sending { since },
        _ => RequestState::Unknown,
    };
    let route = RouteName::new(clean(&entry.method), clean(&entry.route));
    let age = time(entry.age_ms);
    let mut request = OpenRequest::new(entry.number, entry.worker, route, age, state);
    request.lane = entry.lane;
    request.held_up = time(entry.held_up_ms);
    request.behind = entry.behind.as_deref().map(route_name);
    request
}

fn point(entry: PointEntry) -> AwaitPoint {
    let line = entry.line.map(|entry| {
        let mut line = Line::new(clean(&entry.function));
        line.file = entry.file.as_deref().map(clean);
        line.line = entry.line;
        line.called = entry.called.as_deref().map(clean);
        line.library = entry.library;
        line
    });
    let stack = entry.stack.iter().map(|function| clean(function)).collect();
    AwaitPoint::new(line, entry.within.as_deref().map(clean), stack)
}

fn wait(entry: WaitEntry) -> OpenWait {
    let routes = entry.routes.into_iter();
    let routes = routes.map(|entry| (clean(&entry.route), entry.requests));
    OpenWait::new(
        (
            entry.line.as_deref().map(clean),
            entry.within.as_deref().map(clean),
        ),
        entry.requests,
        time(entry.longest_ms),
        routes.collect(),
    )
}

fn victim(entry: &VictimEntry) -> Victim {
    let (route, by) = (
        route_name(&entry.route),
        entry.by.as_deref().map(route_name),
    );
    let mut victim = Victim::new(route, by, entry.requests, time(entry.held_up_ms));
    victim.longest = time(entry.longest_ms);
    victim
}

/// Reads `GET /report`.
fn route_name(name: &str) -> RouteName {
    let name = clean(name);
    let (method, route) = name.split_once(' ').unwrap_or(("", &name));
    RouteName::new(method, route)
}

fn time(ms: f64) -> Duration {
    Duration::from_secs_f64(ms.clamp(0.0, LONGEST) / 1e3)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    fn bytes(document: &Value) -> Vec<u8> {
        document.to_string().into_bytes()
    }

    /// What a console sends for these requests.
    fn sent(requests: &[OpenRequest]) -> Value {
        json!({ "schema": 1, "now_ms": 0, "requests": requests, "more": 7 })
    }

    #[test]
    fn requests_are_read_as_they_were_written() {
        let ms = Duration::from_millis;
        let mut line = Line::new("app::report");
        (line.file, line.line) = (Some("src/report.rs".to_owned()), Some(12));
        let lock = Some("tokio::sync::Mutex::lock".to_owned());
        let point = AwaitPoint::new(Some(line), lock, vec!["app::report".to_owned()]);
        let states = [
            RequestState::Running { since: ms(1) },
            RequestState::Woken { since: ms(2) },
            RequestState::Waiting {
                since: ms(3),
                at: vec![point, AwaitPoint::new(None, None, Vec::new())],
            },
            RequestState::Sending { since: ms(4) },
            RequestState::Unknown,
        ];
        let mut requests: Vec<_> = states
            .into_iter()
            .zip(1..)
            .map(|(state, number)| {
                let route = RouteName::new("GET", "/users/{id}");
                OpenRequest::new(number, 3, route, ms(900), state)
            })
            .collect();
        requests[1].behind = Some(RouteName::new("POST", "/blocking"));
        requests[1].held_up = ms(250);
        requests[1].lane = Some(17);
        let mut document = sent(&requests);
        let read = super::requests(&bytes(&document)).expect("a document");
        assert_eq!(read.requests, requests);
        assert_eq!((read.more, read.text), (7, document.to_string()));
        assert_eq!(read.why_no_lines, None);
        document["why_no_lines"] = json!("\u{1b}stripped");
        let read = super::requests(&bytes(&document)).expect("a document");
        let why = read.why_no_lines.expect("a reason");
        assert!(
            why.ends_with("stripped") && !why.contains('\u{1b}'),
            "{why:?}"
        );
    }

    #[test]
    fn waits_are_read_with_their_routes_and_with_who_holds_up_whom() {
        let route = RouteName::new("GET", "/quick");
        let mut victim = Victim::new(route, None, 3, Duration::from_millis(1500));
        victim.longest = Duration::from_millis(1200);
        let document = json!({
            "schema": 1, "now_ms": 1.5,
            "waits": [{
                "route": "GET /a", "line": "app::a (src/a.rs:1)", "in": null, "requests": 4, "longest_ms": 1250.0,
                "routes": [{ "route": "GET /a", "requests": 3 }, { "route": "GET /b", "requests": 1 }],
                "numbers": [1, 2, 3, 4], "point": null,
            }],
            "held_up": [victim], "why_no_lines": "the program is stripped",
        });
        let read = super::waits(&bytes(&document)).expect("a document");
        assert_eq!(
            read.waits,
            [OpenWait {
                line: Some("app::a (src/a.rs:1)".to_owned()),
                within: None,
                requests: 4,
                longest: Duration::from_millis(1250),
                routes: vec![("GET /a".to_owned(), 3), ("GET /b".to_owned(), 1)],
            }]
        );
        assert_eq!(read.held_up, [victim]);
        assert_eq!(
            read.why_no_lines.as_deref(),
            Some("the program is stripped")
        );
    }

    #[test]
    fn what_a_console_sends_controls_no_terminal_and_no_number_is_too_large() {
        let state = RequestState::Waiting {
            since: Duration::ZERO,
            at: vec![AwaitPoint::new(
                None,
                Some("\u{1b}[2J".to_owned()),
                Vec::new(),
            )],
        };
        let route = RouteName::new("GET", "/\u{9b}31m");
        let mut document = sent(&[OpenRequest::new(1, 0, route, Duration::ZERO, state)]);
        document["requests"][0]["age_ms"] = json!(1e300);
        document["requests"][0]["held_up_ms"] = json!(-1e300);
        document["requests"][0]["behind"] = json!("unmatched");
        let read = super::requests(&bytes(&document)).expect("a document");
        let shown = read.requests[0].to_string();
        assert!(!shown.contains(char::is_control), "{shown:?}");
        assert!(!read.text.contains(char::is_control), "{:?}", read.text);
        let same: Value = serde_json::from_str(&read.text).expect("JSON");
        assert_eq!(same, document, "escapes change nothing");
        assert_eq!(
            read.requests[0].age,
            Duration::from_secs(365 * 24 * 60 * 60)
        );
        assert_eq!(read.requests[0].held_up, Duration::ZERO);
    }

    #[test]
    fn what_is_no_such_document_is_not_used() {
        for bad in ["", "[]", "{}", "<html>", "\u{1b}", "{\"schema\":1}"] {
            let why = super::requests(bad.as_bytes());
            assert!(matches!(why, Err(BadDocument::Other(_))), "{bad}: {why:?}");
        }
        let later = super::waits(b"{\"schema\":2,\"waits\":3}");
        assert_eq!(later, Err(BadDocument::Version("2".to_owned())));
        assert!(super::requests(b"\"\xff\"").is_err());
    }
}
