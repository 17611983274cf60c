//! What a console showed while the app was probed.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde::Serialize;

use holdup_model::millis;

/// What the app itself saw while it was probed. As JSON, it is the field `inside` of the document.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Inside {
    /// The holds that fell in this time, the earliest first. There may be holds of other clients' requests
    /// among them. If there were more than 256, these are the longest.
    pub holds: Vec<InsideHold>,
    /// Where requests waited without holding a worker, the longest wait first. Empty if the app does not
    /// report it.
    pub waits: Vec<InsideWait>,
    /// The time for which this is known: from the beginning of the probe to its end, or to when the console
    /// went away.
    #[serde(skip)]
    pub watched: Range<Instant>,
    /// Why the console could not be read to the end of the probe, in a sentence without a period.
    #[serde(skip)]
    pub cut_off: Option<String>,
    /// Who waited where at which time, in order.
    #[serde(skip)]
    pub(super) looks: Vec<Look>,
}

/// A period in which a worker could do nothing else.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct InsideHold {
    /// The method of the request that held the worker. Of several requests, that of the route that took most
    /// of the time. `None` if something outside of the watched requests held it.
    pub method: Option<String>,
    /// The pattern of its route.
    pub route: Option<String>,
    /// The line of code at which the worker was, such as `src/report.rs:41`. `None` if the app was built
    /// without stacks, and if several routes held the worker so that it may be a line of any of them.
    pub line: Option<String>,
    /// How long the worker was held; if it still was at the end of the probe, until then.
    #[serde(rename = "ms", serialize_with = "millis::serialize")]
    pub held: Duration,
    /// The worker, counted from 0.
    pub worker: usize,
    /// When it began, on the clock of this process.
    #[serde(skip)]
    pub began: Instant,
    /// What the worker's thread was doing: `sleeping`. `None` if it is not known.
    #[serde(skip)]
    pub activity: Option<String>,
    /// The routes that held the worker, and how much of the time each of them took.
    #[serde(skip)]
    pub(super) shares: Vec<Share>,
}

/// A route's share in a hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Share {
    pub(super) method: String,
    pub(super) route: String,
    /// How much of the hold's time it took, from 0 to 1.
    pub(super) part: f64,
}

/// A place in the code at which requests waited without holding a worker.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct InsideWait {
    /// The route of these requests, such as `GET /report`; if they have several routes, the most frequent one.
    pub route: String,
    /// The line of code that waits, such as `src/report.rs:12`. `None` if it is not known.
    pub line: Option<String>,
    /// What it waits in, such as `tokio::sync::Mutex::lock`.
    #[serde(rename = "in")]
    pub within: Option<String>,
    /// The most requests that were seen to wait there at a time.
    pub requests: usize,
    /// The longest that one of them was seen to wait.
    #[serde(rename = "longest_ms", serialize_with = "millis::serialize")]
    pub longest: Duration,
}

/// Who waited where at one time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Look {
    /// When it was, on the clock of this process.
    pub(super) at: Instant,
    pub(super) waiting: Vec<Waiting>,
}

/// The requests of one route that waited at one place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Waiting {
    /// The route, such as `GET /report`.
    pub(super) route: String,
    pub(super) place: Place,
    pub(super) requests: usize,
    /// The numbers of all requests that waited at this place, of any route.
    pub(super) numbers: Vec<u64>,
}

/// A place in the code, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: Option<String>,
    pub(super) within: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_published_with_these_keys_and_no_others() {
        let now = Instant::now();
        let inside = Inside {
            holds: vec![InsideHold {
                method: Some("GET".to_owned()),
                route: Some("/report".to_owned()),
                line: None,
                held: Duration::from_micros(301_250),
                worker: 2,
                began: now,
                activity: Some("sleeping".to_owned()),
                shares: Vec::new(),
            }],
            waits: vec![InsideWait {
                route: "GET /report".to_owned(),
                line: Some("src/report.rs:12".to_owned()),
                within: None,
                requests: 3,
                longest: Duration::from_millis(900),
            }],
            watched: now..now,
            cut_off: Some("it went away".to_owned()),
            looks: Vec::new(),
        };
        let json = serde_json::to_value(&inside).expect("JSON");
        let expected = serde_json::json!({
            "holds": [{
                "method": "GET", "route": "/report", "line": null, "ms": 301.25, "worker": 2,
            }],
            "waits": [{
                "route": "GET /report", "line": "src/report.rs:12", "in": null, "requests": 3,
                "longest_ms": 900.0,
            }],
        });
        assert_eq!(json, expected);
    }
}
