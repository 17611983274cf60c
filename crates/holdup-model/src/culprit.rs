//! A request's share in a hold.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{HumanDuration, millis};

/// One request's share in a hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Culprit {
    /// The request's method; `OTHER` for one that is not in the HTTP standard.
    pub method: String,
    /// The pattern of its route, such as `/users/{id}`; `unmatched` where no route matched.
    pub route: String,
    /// The number of its lane, as in [`Event::Opened`](super::Event::Opened). `None` if no lane was recorded,
    /// because there was no subscription when the request came, and if several requests are summed up.
    pub lane: Option<u64>,
    /// The part of the request's processing that took the time.
    pub part: Part,
    /// How many times that part was polled in this hold, counted from its first long poll.
    pub polls: u64,
    /// The time that those polls took together.
    #[serde(rename = "busy_ms", with = "millis")]
    pub busy: Duration,
}

/// The parts of answering a request that run on the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Part {
    /// The synchronous part of calling the service: middleware, before the first poll.
    Call,
    /// The handler's future, with its extractors; and its drop.
    Future,
    /// The response body's stream; and its drop.
    Body,
}

impl Part {
    /// The lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Future => "future",
            Self::Body => "body",
        }
    }
}

impl Culprit {
    /// A culprit that took `busy` in one poll of `part`.
    pub fn new(
        method: impl Into<String>,
        route: impl Into<String>,
        part: Part,
        busy: Duration,
    ) -> Self {
        Self {
            method: method.into(),
            route: route.into(),
            lane: None,
            part,
            polls: 1,
            busy,
        }
    }
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            method,
            route,
            part,
            polls,
            busy,
            ..
        } = self;
        let times = if *polls == 1 { "poll" } else { "polls" };
        write!(
            f,
            "{method} {route} ({}, {polls} {times}, {})",
            part.name(),
            HumanDuration(*busy)
        )
    }
}
