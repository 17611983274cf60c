//! Where requests waited for each other: which look shows it best, and the sentence for it.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use holdup_detect::Traced;
use holdup_model::{
    AwaitPoint, HumanDuration, Lane, OpenRequest, RequestState, RouteName, Wait, waits,
};

use super::looks::Look;

/// The most places that a sentence names where the other requests were.
const NAMED: usize = 3;

/// Where requests that were sent at once waited, at one moment. As text, it is a sentence.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Waited {
    /// The moment, counted from when the requests were sent.
    pub after: Duration,
    /// How many requests were sent.
    pub sent: usize,
    /// How many were asked where they waited: of those that were not over, at most 32.
    pub asked: usize,
    /// Where they waited. The first is the place at which those waited that ended last. The
    /// [numbers](Wait::numbers) are those of the lanes, from 1.
    pub waits: Vec<Wait>,
}

impl Waited {
    /// Of several looks at requests of which only `at_a_time` ran at a time, the one that says most.
    pub(super) fn of(
        looks: &[Look],
        lanes: &[Lane],
        at_a_time: usize,
        route: &RouteName,
    ) -> Option<Self> {
        let mut names = Names {
            route,
            known: Vec::new(),
        };
        let looks = looks.iter().filter_map(|look| {
            let mut waits = names.waits(look);
            let others = others(lanes, look.after, at_a_time);
            let (first, score) = most_telling(&waits, &others)?;
            waits[..=first].rotate_right(1);
            let waited = Self {
                after: look.after,
                sent: lanes.len(),
                asked: look.waited.len(),
                waits,
            };
            Some((score, waited))
        });
        // The earliest of those that say as much.
        let best = looks.min_by_key(|(score, _)| Reverse(*score));
        best.map(|(_, waited)| waited)
    }
}

/// Looks up the names of each stack once.
struct Names<'a> {
    route: &'a RouteName,
    known: Vec<(&'a Traced, Vec<AwaitPoint>)>,
}

impl<'a> Names<'a> {
    fn points(&mut self, traced: &'a Traced) -> Vec<AwaitPoint> {
        if let Some((_, points)) = self.known.iter().find(|(known, _)| *known == traced) {
            return points.clone();
        }
        let points = traced.points(self.route);
        self.known.push((traced, points.clone()));
        points
    }

    /// The requests of a look, by where they waited.
    fn waits(&mut self, look: &'a Look) -> Vec<Wait> {
        let open = look.waited.iter().map(|waiting| {
            let state = RequestState::Waiting {
                since: waiting.since,
                at: self.points(&waiting.traced),
            };
            let number = waiting.place as u64 + 1;
            OpenRequest::new(number, 0, self.route.clone(), look.after, state)
        });
        let open: Vec<_> = open.collect();
        waits(&open, look.after, Duration::ZERO)
    }
}

/// The numbers of the requests that waited for others at that time: all but those that were over, and those that
/// ended next.
fn others(lanes: &[Lane], after: Duration, at_a_time: usize) -> Vec<u64> {
    let open = lanes.iter().zip(1..).filter_map(|(lane, number)| {
        let ended = lane.ended_at();
        (ended.is_none_or(|ended| ended > after)).then_some((ended, number))
    });
    let mut open: Vec<(Option<Duration>, u64)> = open.collect();
    open.sort_by_key(|&(ended, number)| (ended.is_none(), ended, number));
    let others = open.into_iter().skip(at_a_time);
    others.map(|(_, number)| number).collect()
}

/// How much a place says: whether only `others` waited there, how many of them, and how many that were none.
type Score = (bool, usize, Reverse<usize>);

/// The index of the place that says most about where `others` waited.
fn most_telling(waits: &[Wait], others: &[u64]) -> Option<(usize, Score)> {
    let score = |wait: &Wait| {
        let of_the_others = |number: &&u64| others.contains(number);
        let waited = wait.numbers.iter().filter(of_the_others).count();
        let rest = wait.requests - waited;
        (waited > 0 && rest == 0, waited, Reverse(rest))
    };
    let known = waits.iter().enumerate();
    let known = known.filter(|(_, wait)| wait.point.is_some());
    let scores = known.map(|(index, wait)| (index, score(wait)));
    let scores = scores.filter(|(_, (_, waited, _))| *waited > 0);
    scores.min_by_key(|(_, score)| Reverse(*score))
}

impl fmt::Display for Waited {
    /// `75 ms after they were sent, 3 of 4 waited at app::report (src/report.rs:12), in tokio::sync::Mutex::lock, and
    /// the other one at …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.waits.first() else {
            return Ok(());
        };
        write!(f, "{} after they were sent, ", HumanDuration(self.after))?;
        let (waited, asked) = (first.requests, self.asked);
        match (waited == asked, asked == self.sent) {
            (true, true) => write!(f, "all {asked} waited ")?,
            (false, true) => write!(f, "{waited} of {asked} waited ")?,
            (_, false) => write!(f, "{waited} of the {asked} that were asked waited ")?,
        }
        // A request may wait for several things at a time.
        let (same, others): (Vec<_>, Vec<_>) = self
            .waits
            .iter()
            .partition(|wait| wait.numbers == first.numbers);
        for (index, wait) in same.into_iter().take(NAMED).enumerate() {
            let and = if index > 0 { " and " } else { "" };
            write!(f, "{and}{}", place(wait))?;
        }
        let others: Vec<_> = others
            .into_iter()
            .filter(|wait| {
                wait.numbers
                    .iter()
                    .any(|number| !first.numbers.contains(number))
            })
            .collect();
        match others.as_slice() {
            [] => {}
            [other] if other.requests == 1 => write!(f, ", and the other one {}", place(other))?,
            [other] => write!(f, ", and the other {} {}", other.requests, place(other))?,
            others => {
                f.write_str(". The others waited ")?;
                for (index, other) in others.iter().take(NAMED).enumerate() {
                    let and = if index > 0 { ", " } else { "" };
                    write!(f, "{and}{} ({})", place(other), other.requests)?;
                }
                if others.len() > NAMED {
                    f.write_str(" and elsewhere")?;
                }
            }
        }
        f.write_str(".")
    }
}

/// Where requests waited, as it follows "waited".
fn place(wait: &Wait) -> String {
    match &wait.point {
        Some(point) if point.line.is_some() => format!("at {point}"),
        Some(point) => point.to_string(),
        None => "at an unknown place".to_owned(),
    }
}
