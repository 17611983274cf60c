//! A request that is open, and what it is doing.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{HumanDuration, Line, RouteName, millis};

/// A request that a worker has read and that is not answered completely.
///
/// As JSON, every time is in milliseconds, and the fields of its [state](RequestState) are among its own, with
/// the state's name as `state`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OpenRequest {
    /// Its number, from 1. No other request of the same watch has it.
    pub number: u64,
    /// The number of its lane, as in [`Event::Opened`](super::Event::Opened). `None` if no lane is recorded,
    /// because there was no subscription when the request came.
    pub lane: Option<u64>,
    /// Its worker, counted from 0.
    pub worker: usize,
    /// Its method; `OTHER` for one that is not in the HTTP standard.
    pub method: String,
    /// The pattern of its route, such as `/users/{id}`; `unmatched` where no route matched.
    pub route: String,
    /// How long it has been open.
    #[serde(rename = "age_ms", with = "millis")]
    pub age: Duration,
    /// How much of that it was held up in so far: see [`Spent::held_up`](super::Spent::held_up). The time of a
    /// hold that still lasts is not in it.
    #[serde(rename = "held_up_ms", with = "millis")]
    pub held_up: Duration,
    /// Another request's route that holds its worker at the moment. Whatever this request waits for, it cannot
    /// go on before that hold is over.
    pub behind: Option<RouteName>,
    /// What it is doing.
    #[serde(flatten)]
    pub state: RequestState,
}

/// What an open request is doing. All times are on the clock of the watch that recorded it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
#[non_exhaustive]
pub enum RequestState {
    /// Its worker runs it.
    Running {
        /// Since when.
        #[serde(rename = "since_ms", with = "millis")]
        since: Duration,
    },
    /// It is ready to run, but its worker has not come to it.
    Woken {
        /// Since when.
        #[serde(rename = "since_ms", with = "millis")]
        since: Duration,
    },
    /// It waits for something.
    Waiting {
        /// Since when.
        #[serde(rename = "since_ms", with = "millis")]
        since: Duration,
        /// What it waits for: several where it waits for several things at a time, as in a `join!` or a
        /// `select!`. Empty if that is not known: it was not asked, its worker could not answer in time, or the
        /// program takes no stacks.
        at: Vec<AwaitPoint>,
    },
    /// It has handed a chunk of its response to the server, which has not asked for the next one: the client
    /// reads slowly.
    Sending {
        /// Since when.
        #[serde(rename = "since_ms", with = "millis")]
        since: Duration,
    },
    /// It changed too fast to be read.
    Unknown,
}

impl RequestState {
    /// The lower-case name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Running { .. } => "running",
            Self::Woken { .. } => "woken",
            Self::Waiting { .. } => "waiting",
            Self::Sending { .. } => "sending",
            Self::Unknown => "unknown",
        }
    }

    /// Since when it is in this state, if that is known.
    pub fn since(&self) -> Option<Duration> {
        match *self {
            Self::Running { since }
            | Self::Woken { since }
            | Self::Waiting { since, .. }
            | Self::Sending { since } => Some(since),
            Self::Unknown => None,
        }
    }
}

/// A place in the code at which a request waits: it has given its waker to what it waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AwaitPoint {
    /// The innermost line of the app's own code: the line with the `.await`. If no code of the app was on the
    /// stack, the line is in a [`library`](Line::library). `None` if neither is known.
    pub line: Option<Line>,
    /// What that line waits in: `tokio::sync::Mutex::lock`. In JSON it is `in`.
    #[serde(rename = "in")]
    pub within: Option<String>,
    /// The functions, the innermost first, without the server around the app.
    pub stack: Vec<String>,
}

impl AwaitPoint {
    /// An await point at a line.
    pub fn new(line: Option<Line>, within: Option<String>, stack: Vec<String>) -> Self {
        Self {
            line,
            within,
            stack,
        }
    }
}

impl fmt::Display for AwaitPoint {
    /// `app::report (src/report.rs:12), in tokio::sync::Mutex::lock`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.line, &self.within) {
            (Some(line), Some(within)) => write!(f, "{line}, in {within}"),
            (Some(line), None) => write!(f, "{line}"),
            (None, Some(within)) => write!(f, "in {within}"),
            (None, None) => f.write_str("at an unknown place"),
        }
    }
}

impl OpenRequest {
    /// A request of which nothing but these facts is known.
    pub fn new(
        number: u64,
        worker: usize,
        route: RouteName,
        age: Duration,
        state: RequestState,
    ) -> Self {
        Self {
            number,
            lane: None,
            worker,
            method: route.method,
            route: route.route,
            age,
            held_up: Duration::ZERO,
            behind: None,
            state,
        }
    }

    /// The name of its route.
    pub fn route_name(&self) -> RouteName {
        RouteName::new(self.method.clone(), self.route.clone())
    }
}

impl fmt::Display for OpenRequest {
    /// `GET /report, open for 3.20 s on worker 0, waiting at app::report (src/report.rs:12), in …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (age, worker) = (HumanDuration(self.age), self.worker);
        let (method, route) = (&self.method, &self.route);
        write!(f, "{method} {route}, open for {age} on worker {worker}, ")?;
        match &self.state {
            RequestState::Running { .. } => f.write_str("running")?,
            RequestState::Woken { .. } => f.write_str("ready to run")?,
            RequestState::Sending { .. } => f.write_str("waiting for its client to read")?,
            RequestState::Unknown => f.write_str("in an unknown state")?,
            RequestState::Waiting { at, .. } => {
                f.write_str("waiting")?;
                for (index, point) in at.iter().enumerate() {
                    let and = match (index, &point.line) {
                        (0, Some(_)) => " at",
                        (0, None) => "",
                        (_, Some(_)) => " and at",
                        (_, None) => " and",
                    };
                    write!(f, "{and} {point}")?;
                }
            }
        }
        match &self.behind {
            Some(route) => write!(f, ", while {route} holds its worker"),
            None => Ok(()),
        }
    }
}
