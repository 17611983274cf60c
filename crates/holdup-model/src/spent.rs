//! What a request's time was spent on, and whom it was lost to.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{HumanDuration, RouteName, millis};

/// The time of a request from when its worker had read it to its end, split by what it was spent on. The three
/// add up to that time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Spent {
    /// The time in which its worker ran it.
    #[serde(rename = "running_ms", with = "millis")]
    pub running: Duration,
    /// The time in which it waited for something.
    #[serde(rename = "waiting_ms", with = "millis")]
    pub waiting: Duration,
    /// The time in which it could not run because its worker was busy with something else. This is the time from
    /// when it was woken until its worker came to it. While a worker is in a hold, it does not see that a socket
    /// or a timer is ready. So for a request that is found ready right after a hold, the time counts from when
    /// the hold began, or from when the request began to wait, if that was later.
    #[serde(rename = "held_up_ms", with = "millis")]
    pub held_up: Duration,
    /// Who held it up, the longest time first. The times add up to [`held_up`](Self::held_up).
    #[serde(rename = "held_up_by")]
    pub by: Vec<Blame>,
}

/// The time that a request lost to one route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Blame {
    /// The route whose requests its worker was busy with; `None` for something outside the watched requests, such
    /// as a spawned task, another process that the machine ran, or a time in which this process was stopped.
    pub by: Option<RouteName>,
    /// How long.
    #[serde(rename = "held_up_ms", with = "millis")]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Victim {
    /// The route that lost time.
    pub route: RouteName,
    /// The route that it lost the time to; `None` for something outside the watched requests.
    pub by: Option<RouteName>,
    /// How many requests lost time, of those that are over.
    pub requests: u64,
    /// How much time they lost together.
    #[serde(rename = "held_up_ms", with = "millis")]
    pub held_up: Duration,
    /// How much one of them lost at most.
    #[serde(rename = "longest_ms", with = "millis")]
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

impl fmt::Display for Victim {
    /// `3 requests of GET /coroutine were held up by GET /blocking for 12.0 s, one of them for 6.00 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (route, held_up) = (&self.route, HumanDuration(self.held_up));
        let were = if self.requests == 1 {
            "request"
        } else {
            "requests"
        };
        let was = if self.requests == 1 { "was" } else { "were" };
        write!(f, "{} {were} of {route} {was} held up by ", self.requests)?;
        match &self.by {
            Some(by) => write!(f, "{by}")?,
            None => f.write_str("something outside the watched requests")?,
        }
        write!(f, " for {held_up}")?;
        if self.requests > 1 {
            write!(f, ", one of them for {}", HumanDuration(self.longest))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences() {
        let (name, ms) = (RouteName::new, Duration::from_millis);
        let blocking = || Some(name("GET", "/blocking"));
        let blame = |by, held_up| Blame::new(by, ms(held_up));
        let spent = |by| Spent::new(ms(1), ms(2), by).to_string();
        assert_eq!(
            spent(vec![blame(blocking(), 6000)]),
            "held up for 6.00 s by GET /blocking"
        );
        assert_eq!(
            spent(vec![blame(blocking(), 6000), blame(None, 40)]),
            "held up for 6.04 s by GET /blocking for 6.00 s, by something outside the watched requests for 40 ms"
        );
        let mut victim = Victim::new(name("GET", "/a"), blocking(), 3, ms(12_000));
        victim.longest = ms(6000);
        assert_eq!(
            victim.to_string(),
            "3 requests of GET /a were held up by GET /blocking for 12.0 s, one of them for 6.00 s"
        );
        let victim = Victim::new(name("GET", "/a"), None, 1, ms(300));
        assert_eq!(
            victim.to_string(),
            "1 request of GET /a was held up by something outside the watched requests for 300 ms"
        );
    }
}
