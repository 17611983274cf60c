//! What a request's time was spent on, and whom it was lost to.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{HumanDuration, RouteName, millis};

/// The time of a request from when its worker had read it to its end, split by what it was spent on. The three
/// add up to that time.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Spent {
    /// The time in which its worker ran it.
    #[serde(rename = "running_ms", serialize_with = "millis::serialize")]
    pub running: Duration,
    /// The time in which it waited for something.
    #[serde(rename = "waiting_ms", serialize_with = "millis::serialize")]
    pub waiting: Duration,
    /// The time in which it could not run because its worker was busy with something else. This is the time from
    /// when it was woken until its worker came to it. While a worker is in a hold, it does not see that a socket
    /// or a timer is ready. So for a request that is found ready right after a hold, the time counts from when
    /// the hold began, or from when the request began to wait, if that was later.
    #[serde(rename = "held_up_ms", serialize_with = "millis::serialize")]
    pub held_up: Duration,
    /// Who held it up, the longest time first. The times add up to [`held_up`](Self::held_up).
    #[serde(rename = "held_up_by")]
    pub by: Vec<Blame>,
}

/// The time that a request lost to one route.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Blame {
    /// The route whose requests its worker was busy with; `None` for something outside the watched requests, such
    /// as a spawned task, another process that the machine ran, or a time in which this process was stopped.
    pub by: Option<RouteName>,
    /// How long.
    #[serde(rename = "held_up_ms", serialize_with = "millis::serialize")]
    pub held_up: Duration,
}

impl Blame {
    /// The time lost to a route, or to something outside the watched requests.
    pub fn new(by: Option<RouteName>, held_up: Duration) -> Self {
        Self { by, held_up }
    }
}

impl Spent {
    /// The split of a request's time.
    pub fn new(running: Duration, waiting: Duration, by: Vec<Blame>) -> Self {
        Self {
            running,
            waiting,
            held_up: by.iter().map(|blame| blame.held_up).sum(),
            by,
        }
    }
}

impl fmt::Display for Spent {
    /// `held up for 6.0 s by GET /blocking`, or by several, each with its time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "held up for {}", HumanDuration(self.held_up))?;
        for (index, blame) in self.by.iter().enumerate() {
            f.write_str(if index == 0 { " by " } else { ", by " })?;
            match &blame.by {
                Some(route) => write!(f, "{route}")?,
                None => f.write_str("something outside the watched requests")?,
            }
            if self.by.len() > 1 {
                write!(f, " for {}", HumanDuration(blame.held_up))?;
            }
        }
        Ok(())
    }
}

/// A route whose requests were held up by those of another.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Victim {
    /// The route that lost time.
    pub route: RouteName,
    /// The route that it lost the time to; `None` for something outside the watched requests.
    pub by: Option<RouteName>,
    /// How many requests lost time, of those that are over.
    pub requests: u64,
    /// How much time they lost together.
    #[serde(rename = "held_up_ms", serialize_with = "millis::serialize")]
    pub held_up: Duration,
    /// How much one of them lost at most.
    #[serde(rename = "longest_ms", serialize_with = "millis::serialize")]
    pub longest: Duration,
}

impl Victim {
    /// So many requests of a route that lost so much time. `longest` is left at zero.
    pub fn new(route: RouteName, by: Option<RouteName>, requests: u64, held_up: Duration) -> Self {
        Self {
            route,
            by,
            requests,
            held_up,
            longest: Duration::ZERO,
        }
    }
}
