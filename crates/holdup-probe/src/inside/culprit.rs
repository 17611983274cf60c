//! Which route held the app's workers while requests of a probe ran. Pure, and no guess: if no route took most
//! of that time, there is no culprit.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::fit::{Fit, fit};
use super::found::{Inside, InsideHold};

/// How much of the time a culprit took, at least. The probed route need not have taken it of the whole time,
/// but of the time that others left to it.
const MOST_OF_IT: f64 = 0.5;

/// How much of the whole time the probed route took at least, whatever others left to it. With less, its
/// holds explain little of what was measured.
pub(super) const SOME_OF_IT: f64 = 0.1;

/// How much more of the time another route held a worker while the requests ran than it did otherwise. A route
/// that holds workers all the time does so because of its own clients.
const MORE_THAN_OTHERWISE: f64 = 2.0;

/// How long a worker has to be watched to tell how often a route holds it otherwise.
const OTHERWISE: Duration = Duration::from_millis(100);

/// A worker is named if it was held for this part of the time for which the most held one was.
const NAMED_FROM: f64 = 0.1;

/// The most workers that are named one by one.
const NAMED: usize = 4;

/// What was asked, and when.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The method of the requests.
    pub method: &'a str,
    /// The path of the URL that was probed.
    pub path: &'a str,
    /// When requests of that URL were open: a range for each round.
    pub rounds: &'a [Range<Instant>],
}

/// The route that held workers while requests of a probe ran. As JSON, it is the field `culprit` of a cause.
///
/// ```text
/// GET /report blocks worker 0 at src/report.rs:41 (sleeping)
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Culprit {
    /// The method of its requests.
    pub method: String,
    /// The pattern of the route.
    pub route: String,
    /// The line of code at which the workers were for the longest time.
    pub line: Option<String>,
    /// The workers that it held.
    #[serde(skip)]
    pub workers: Vec<usize>,
    /// What the workers' threads were doing for the longest time.
    #[serde(skip)]
    pub activity: Option<String>,
}

impl Inside {
    /// The route that held workers for most of the time in which the requests ran. The probed route comes
    /// first. Any other one is named only if it held workers clearly more while the requests ran than
    /// between the rounds. `None` if there is no such route.
    pub fn culprit(&self, asked: &Asked<'_>) -> Option<Culprit> {
        let rounds = within(&self.watched, asked.rounds);
        let between = between(&self.watched, &rounds);
        let mut candidates: Vec<_> = self
            .routes()
            .into_iter()
            .map(|route| {
                let fit = if route.0 == asked.method {
                    fit(route.1, asked.path)
                } else {
                    Fit::No
                };
                (fit, self.taken(route, &rounds), route)
            })
            .filter(|(fit, taken, route)| match fit {
                Fit::No => taken.is_more_than(&self.taken(*route, &between)),
                _ => taken.is_most_of_what_is_left(),
            })
            .collect();
        candidates.sort_by(|one, other| {
            let by_time = other.1.its.total_cmp(&one.1.its);
            other.0.cmp(&one.0).then(by_time)
        });
        let (_, _, route) = candidates.first()?;
        Some(self.described(*route, &rounds))
    }

    /// The methods and routes that held a worker.
    fn routes(&self) -> Vec<Route<'_>> {
        let shares = self.holds.iter().flat_map(|hold| &hold.shares);
        let mut routes: Vec<_> = shares
            .map(|share| (share.method.as_str(), share.route.as_str()))
            .collect();
        routes.sort_unstable();
        routes.dedup();
        routes
    }

    /// How much of these times the route took, each time on the worker on which it took the most.
    fn taken(&self, route: Route<'_>, times: &[Range<Instant>]) -> Taken {
        let mut sum = Taken::default();
        for time in times {
            let length = (time.end - time.start).as_secs_f64();
            let mut workers: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
            for hold in &self.holds {
                let (taken, part) = (overlap(hold, time), part(hold, route));
                let (its, others) = workers.entry(hold.worker).or_default();
                *its += taken * part;
                *others += taken * (1.0 - part);
            }
            let most = workers
                .into_values()
                .max_by(|one, other| one.0.total_cmp(&other.0));
            let (its, others) = most.unwrap_or_default();
            sum.all += length;
            sum.its += its.min(length);
            sum.left += (length - others).max(0.0);
        }
        sum
    }

    fn described(&self, route: Route<'_>, rounds: &[Range<Instant>]) -> Culprit {
        let mut workers = BTreeMap::new();
        let (mut lines, mut activities) = (BTreeMap::new(), BTreeMap::new());
        for hold in &self.holds {
            let taken: f64 = rounds.iter().map(|round| overlap(hold, round)).sum();
            let taken = taken * part(hold, route);
            *workers.entry(hold.worker).or_insert(0.0) += taken;
            if hold.method.as_deref().zip(hold.route.as_deref()) == Some(route) {
                if let Some(line) = &hold.line {
                    *lines.entry(line).or_insert(0.0) += taken;
                }
                if let Some(activity) = &hold.activity {
                    *activities.entry(activity).or_insert(0.0) += taken;
                }
            }
        }
        let least = workers.values().copied().fold(0.0, f64::max) * NAMED_FROM;
        let workers = workers.into_iter();
        Culprit {
            method: route.0.to_owned(),
            route: route.1.to_owned(),
            line: longest(lines),
            workers: workers
                .filter_map(|(worker, taken)| (taken > 0.0 && taken >= least).then_some(worker))
                .collect(),
            activity: longest(activities),
        }
    }
}

impl Culprit {
    /// What it does to `requests` at once, of which `at_a_time` ran at a time.
    ///
    /// ```text
    /// GET /report blocks worker 0 at src/report.rs:41 (sleeping): 4 requests one at a time
    /// ```
    pub fn sentence(&self, requests: usize, at_a_time: usize) -> String {
        match at_a_time {
            1 => format!("{self}: {requests} requests one at a time"),
            several => format!("{self}: {requests} requests {several} at a time"),
        }
    }
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} blocks ", self.method, self.route)?;
        match self.workers.as_slice() {
            [] => f.write_str("a worker")?,
            [worker] => write!(f, "worker {worker}")?,
            [workers @ .., last] if workers.len() < NAMED => {
                let workers: Vec<_> = workers.iter().map(usize::to_string).collect();
                write!(f, "workers {} and {last}", workers.join(", "))?;
            }
            workers => write!(f, "{} workers", workers.len())?,
        }
        if let Some(line) = &self.line {
            write!(f, " at {line}")?;
        }
        if let Some(activity) = &self.activity {
            write!(f, " ({activity})")?;
        }
        Ok(())
    }
}

/// A method, and the pattern of a route.
type Route<'a> = (&'a str, &'a str);

/// How much of some times a route held a worker, in seconds.
#[derive(Debug, Default)]
struct Taken {
    its: f64,
    /// The time that other routes left to it.
    left: f64,
    /// The times themselves.
    all: f64,
}

impl Taken {
    fn is_most_of_what_is_left(&self) -> bool {
        self.its > 0.0 && self.its >= SOME_OF_IT * self.all && self.its >= MOST_OF_IT * self.left
    }

    /// Whether it is most of the time, and clearly more than `otherwise`.
    fn is_more_than(&self, otherwise: &Self) -> bool {
        self.its > 0.0
            && self.its >= MOST_OF_IT * self.all
            && otherwise.all >= OTHERWISE.as_secs_f64()
            && self.its * otherwise.all >= MORE_THAN_OTHERWISE * otherwise.its * self.all
    }
}

/// How much of the hold this route took, from 0 to 1.
fn part(hold: &InsideHold, (method, route): Route<'_>) -> f64 {
    let shares = hold.shares.iter();
    let its = shares.filter(|share| share.method == method && share.route == route);
    its.map(|share| share.part).sum()
}

/// How much of the hold fell into that time, in seconds.
pub(super) fn overlap(hold: &InsideHold, time: &Range<Instant>) -> f64 {
    let end = hold.began.checked_add(hold.held).unwrap_or(time.end);
    let from = hold.began.max(time.start);
    end.min(time.end)
        .saturating_duration_since(from)
        .as_secs_f64()
}

/// The parts of the rounds that were watched, in order. Rounds that overlap are one.
pub(super) fn within(watched: &Range<Instant>, rounds: &[Range<Instant>]) -> Vec<Range<Instant>> {
    let mut rounds: Vec<_> = rounds
        .iter()
        .map(|round| round.start.max(watched.start)..round.end.min(watched.end))
        .filter(|round| round.start < round.end)
        .collect();
    rounds.sort_unstable_by_key(|round| round.start);
    let mut merged: Vec<Range<Instant>> = Vec::new();
    for round in rounds {
        match merged.last_mut() {
            Some(last) if round.start <= last.end => last.end = last.end.max(round.end),
            _ => merged.push(round),
        }
    }
    merged
}

/// The times that were watched and are in no round.
fn between(watched: &Range<Instant>, rounds: &[Range<Instant>]) -> Vec<Range<Instant>> {
    let starts = std::iter::once(watched.start).chain(rounds.iter().map(|round| round.end));
    let ends = rounds.iter().map(|round| round.start).chain([watched.end]);
    let times = starts.zip(ends).map(|(start, end)| start..end);
    times.filter(|time| time.start < time.end).collect()
}

/// What took the longest time. A time is never NaN.
fn longest(times: BTreeMap<&String, f64>) -> Option<String> {
    let longest = times
        .into_iter()
        .max_by(|one, other| one.1.total_cmp(&other.1));
    longest.map(|(what, _)| what.clone())
}

#[cfg(test)]
mod tests;
