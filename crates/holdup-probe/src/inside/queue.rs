//! Where requests of the probed route wait for each other, without holding a worker: at a lock or a pool. Pure,
//! and no guess: if the looks do not show the place, there is none.
//!
//! If `n` requests run at a time, and more are open, the others are in the queue. So it is the place at which most of
//! those are that are too many. A request also waits at other places while it is served, for a database perhaps.
//! There are two signs that a place is no such place: more than `n` requests waited there at a time, or nobody
//! waited there whenever at most `n` requests waited. A request may wait at several places at a time: what is around
//! its whole handler, such as a time-out, and the lock within. The queue is then where the fewest of those wait that
//! are served. If two places are alike in that, neither is named.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::culprit::{Asked, SOME_OF_IT, overlap, within};
use super::fit::{Fit, fit};
use super::found::{Inside, Look, Place, Waiting};

/// How many looks have to show more waiting requests than run at a time. What all requests do at the same time, such
/// as a query before they take a lock, may be seen in one look by chance.
const LOOKS: usize = 2;

/// How many of the requests that have to be in the queue were seen at the place: three of four.
const MOST_OF_THEM: (usize, usize) = (3, 4);

/// How far from a round a look has to be to show that others ask for the route, too. The clocks of the app and of
/// this process are compared with the help of messages that take a moment to arrive.
const BESIDE: Duration = Duration::from_millis(250);

/// The place at which requests of the probed route wait for each other.
///
/// ```text
/// GET /report waits at src/report.rs:12, in tokio::sync::Mutex::lock
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queue {
    /// The method of the requests.
    pub method: String,
    /// The pattern of their route.
    pub route: String,
    /// The line of code that waits, if it is known.
    pub line: Option<String>,
    /// What it waits in, such as `tokio::sync::Mutex::lock`.
    pub within: Option<String>,
    /// The most requests of the route that were seen there at a time.
    pub most: usize,
}

impl Inside {
    /// The place at which requests of the probed route waited for each other, of which `at_a_time` ran at a time.
    /// `None` if the looks do not show it, and if other clients ask for the route as well: then it is not known how
    /// many ran at a time in all.
    pub fn queue(&self, asked: &Asked<'_>, at_a_time: usize) -> Option<Queue> {
        let rounds = within(&self.watched, asked.rounds);
        let (method, route) = self.waiting_route(asked)?;
        let name = format!("{method} {route}");
        // A console may answer with a look from before the probe.
        let looks = || {
            let looks = self.looks.iter();
            looks.filter(|look| self.watched.contains(&look.at))
        };
        let is_of_others = |look: &Look| {
            is_beside(&rounds, look.at) && look.waiting.iter().any(|waiting| waiting.route == name)
        };
        if looks().any(is_of_others) {
            return None;
        }
        let in_rounds = looks().filter(|look| rounds.iter().any(|round| round.contains(&look.at)));
        let (crowded, mut calm): (Vec<_>, Vec<_>) = in_rounds
            .map(|look| Seen::of(look, &name))
            .partition(|seen| seen.waiting > at_a_time);
        calm.retain(|seen| seen.is_complete);
        if crowded.len() < LOOKS {
            return None;
        }
        let (place, most) = place(&crowded, &calm, at_a_time)?;
        Some(Queue {
            method: method.to_owned(),
            route: route.to_owned(),
            line: place.line.clone(),
            within: place.within.clone(),
            most,
        })
    }

    /// Whether no worker was held for a considerable part of the rounds. Where one was, requests may wait for it
    /// at any place.
    pub(crate) fn is_hardly_held(&self, asked: &Asked<'_>) -> bool {
        let rounds = within(&self.watched, asked.rounds);
        let all: f64 = rounds
            .iter()
            .map(|round| (round.end - round.start).as_secs_f64())
            .sum();
        let mut workers: BTreeMap<usize, f64> = BTreeMap::new();
        for hold in &self.holds {
            let held: f64 = rounds.iter().map(|round| overlap(hold, round)).sum();
            *workers.entry(hold.worker).or_default() += held;
        }
        workers.into_values().fold(0.0, f64::max) < SOME_OF_IT * all
    }

    /// The method and the pattern of the route that was probed, as the looks name it.
    fn waiting_route(&self, asked: &Asked<'_>) -> Option<(&str, &str)> {
        let waiting = self.looks.iter().flat_map(|look| &look.waiting);
        let routes: BTreeSet<_> = waiting
            .filter_map(|waiting| waiting.route.split_once(' '))
            .filter(|(method, _)| *method == asked.method)
            .collect();
        let fits = routes
            .into_iter()
            .map(|(method, route)| (fit(route, asked.path), (method, route)));
        let best = fits.filter(|(fit, _)| *fit != Fit::No).max();
        best.map(|(_, route)| route)
    }
}

impl Queue {
    /// What it does to `requests` at once, of which `at_a_time` ran at a time.
    ///
    /// ```text
    /// GET /report waits at src/report.rs:12, in tokio::sync::Mutex::lock: 4 requests one at a time
    /// ```
    pub fn sentence(&self, requests: usize, at_a_time: usize) -> String {
        match at_a_time {
            1 => format!("{self}: {requests} requests one at a time"),
            several => format!("{self}: {requests} requests {several} at a time"),
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} waits", self.method, self.route)?;
        match (&self.line, &self.within) {
            (Some(line), Some(within)) => write!(f, " at {line}, in {within}"),
            (Some(line), None) => write!(f, " at {line}"),
            (None, Some(within)) => write!(f, " in {within}"),
            (None, None) => Ok(()),
        }
    }
}

/// Who of a route waited where at one time.
#[derive(Debug)]
struct Seen<'a> {
    /// How many waited in all at a place that is known. One that waits for several things at a time counts once.
    waiting: usize,
    /// Whether it is known of all of them where they waited.
    is_complete: bool,
    places: Vec<(&'a Place, usize)>,
}

impl<'a> Seen<'a> {
    fn of(look: &'a Look, route: &str) -> Self {
        let is_known = |place: &Place| place.line.is_some() || place.within.is_some();
        let waiting = look.waiting.iter();
        let waiting = waiting.filter(|waiting| waiting.route == route);
        let (known, unknown): (Vec<_>, Vec<_>) =
            waiting.partition(|waiting| is_known(&waiting.place));
        let mut all = known.iter().map(|waiting| waiting.requests).sum();
        // A long list of numbers is cut off.
        let has_all = |waiting: &&Waiting| waiting.numbers.len() >= waiting.requests;
        if known.iter().all(has_all) {
            let numbers: BTreeSet<_> = known.iter().flat_map(|waiting| &waiting.numbers).collect();
            all = numbers.len().min(all);
        }
        let places = known
            .iter()
            .map(|waiting| (&waiting.place, waiting.requests));
        Self {
            waiting: all,
            is_complete: unknown.is_empty(),
            places: places.collect(),
        }
    }

    fn at(&self, place: &Place) -> usize {
        let at = self.places.iter().filter(|(other, _)| *other == place);
        at.map(|(_, requests)| requests).sum()
    }
}

/// The place of the queue, and the most requests that were seen there at a time. `crowded` are the looks in which
/// more requests waited than run at a time, and `calm` the others.
fn place<'a>(
    crowded: &[Seen<'a>],
    calm: &[Seen<'a>],
    at_a_time: usize,
) -> Option<(&'a Place, usize)> {
    let queued: usize = crowded.iter().map(|seen| seen.waiting - at_a_time).sum();
    let places: BTreeSet<_> = crowded
        .iter()
        .flat_map(|seen| seen.places.iter().map(|(place, _)| *place))
        .collect();
    let candidates = places.into_iter().filter_map(|place| {
        let at: usize = crowded.iter().map(|seen| seen.at(place)).sum();
        let its = crowded
            .iter()
            .map(|seen| seen.at(place).min(seen.waiting - at_a_time));
        let its: usize = its.sum();
        let most = crowded.iter().map(|seen| seen.at(place)).max()?;
        let is_seen_calm = calm.iter().any(|seen| seen.at(place) > 0);
        let is_no_service =
            most > at_a_time || !is_seen_calm && calm.iter().any(|seen| seen.waiting > 0);
        let is_most = its * MOST_OF_THEM.1 >= queued * MOST_OF_THEM.0;
        // What is around the whole handler, such as a time-out, is where the requests that are served wait as well.
        let served = at - its;
        let fit = (!is_timer(place), Reverse(served), its);
        (is_no_service && is_most).then_some((fit, place, most))
    });
    let mut candidates: Vec<_> = candidates.collect();
    candidates.sort_by_key(|(fit, ..)| Reverse(*fit));
    match candidates.as_slice() {
        // Nothing tells which of the two is the queue.
        [(best, ..), (next, ..), ..] if best == next => None,
        [(_, place, most), ..] => Some((*place, *most)),
        [] => None,
    }
}

/// Whether it is a timer: a time-out beside what a request waits for, and no queue by itself.
fn is_timer(place: &Place) -> bool {
    let within = place.within.as_deref().unwrap_or_default();
    within.starts_with("tokio::time::") || within.starts_with("actix_rt::time::")
}

/// Whether this is clearly in none of the rounds.
fn is_beside(rounds: &[Range<Instant>], at: Instant) -> bool {
    rounds.iter().all(|round| {
        let before = round.start.saturating_duration_since(at);
        let after = at.saturating_duration_since(round.end);
        before > BESIDE || after > BESIDE
    })
}

#[cfg(test)]
mod tests;
