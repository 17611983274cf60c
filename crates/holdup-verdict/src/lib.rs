//! How many requests at a time: [`judge`] reads it from what was observed.
//!
//! That requests overlap proves nothing: seen from a client, those that wait in line overlap too.
//! Nor do early heads, since the bodies may still come one after the other. Two things together
//! tell: **k**, n times the time one request takes alone over the time n took at once, and the
//! **staircase** of the finish times. A server that takes three at a time finishes three requests
//! after one solo time, three more after two, and so on. k alone understates that: four requests,
//! three at a time, give k = 2; the steps say three, then one.
//!
//! What the numbers do not settle is [`Kind::Inconclusive`], with the reason and what to do about
//! it, because a wrong verdict is worse than none.
//!
//! ```
//! use std::time::Duration;
//! use holdup_model::{Lane, Timeline};
//! use holdup_verdict::{Kind, judge};
//!
//! let answered = |after: u64| {
//!     let mut lane = Lane::start("/report", Duration::ZERO);
//!     lane.record_head(Duration::from_millis(after), 200);
//!     lane.finish(Duration::from_millis(after));
//!     lane
//! };
//! let alone = [answered(1003), answered(1001)];
//! let at_once = Timeline::from(vec![
//!     answered(1004),
//!     answered(2006),
//!     answered(3011),
//!     answered(4015),
//! ]);
//!
//! let verdict = judge(&alone, &at_once);
//! assert_eq!(verdict.kind, Kind::Serialized);
//! assert_eq!(verdict.at_a_time, Some(1));
//! assert_eq!(
//!     verdict.sentence,
//!     "Serialized: the 4 requests ran one at a time, one finish every 1.00 s.",
//! );
//! ```

#![forbid(unsafe_code)]

mod advice;
mod client;
mod delivery;
mod groups;
mod identical;
mod json;
mod left_behind;
mod measures;
mod one_answer;
mod platform;
mod reason;
mod staircase;
mod wording;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use holdup_model::{Lane, Timeline};
use measures::{Doubt, Measures};
use staircase::Shape;

pub use delivery::{Delivery, delivery};
pub use identical::{Identical, IdenticalKind, identical};
pub use left_behind::{LeftBehind, Rested, judge_left_behind};
pub use one_answer::one_answer;
pub use platform::Platform;
pub use reason::Reason;

/// The answer to "does this run my requests in parallel?".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// All requests ran at the same time.
    Concurrent,
    /// They ran one at a time, or took as long together as one after the other.
    Serialized,
    /// They ran several at a time, but not all; or all of them shared what serves fewer, but more than
    /// one.
    Limited,
    /// The measurement does not tell; [`Verdict::reason`] says why.
    Inconclusive,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Concurrent => "concurrent",
            Self::Serialized => "serialized",
            Self::Limited => "limited",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// A judgement with its evidence, and the words for both.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The judgement.
    pub kind: Kind,
    /// How many requests ran at a time, as far as the steps show it: all of them when concurrent.
    /// There may be room for more than were asked at once. `None` when inconclusive.
    pub at_a_time: Option<usize>,
    /// How many requests were asked at once.
    pub lanes: usize,
    /// What one request takes alone: the shorter of two measurements, as noise only ever adds.
    pub solo: Option<Duration>,
    /// From the first request asked to the last one finished, all at once.
    pub makespan: Option<Duration>,
    /// `lanes × solo ÷ makespan`.
    pub k: Option<f64>,
    /// How many finished in each step of about one solo time; empty when no steps were seen.
    pub steps: Vec<usize>,
    /// What lies behind a limit that is not a plain queue, or why there is no verdict.
    pub reason: Option<Reason>,
    /// The verdict in one sentence.
    pub sentence: String,
    /// The numbers it rests on, a line each.
    pub evidence: Vec<String>,
    /// What to do now, a line each.
    pub advice: Vec<String>,
}

/// Nobody waits longer than this without having asked for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

impl Verdict {
    /// Whether one pause of the machine, or of the server, could have made it: the requests that it
    /// hit are as late as if they had waited for a turn, and if it hit all, as if they shared something.
    /// Instances of a server that were still starting look the same, however long a request takes.
    /// Measure [again](Verdict::again) then.
    pub fn is_doubtful(&self) -> bool {
        let doubted = matches!(self.reason, Some(Reason::Shared | Reason::Rate { .. }));
        self.steps.len() == 2 || doubted && self.kind != Kind::Inconclusive
    }

    /// How long to wait before it is measured again: a limit on the rate is at its end then, and has to
    /// get back what it gives at first.
    pub fn pause_before_again(&self) -> Duration {
        match self.reason {
            Some(Reason::Rate { burst, every, .. }) => {
                let burst = u32::try_from(burst).unwrap_or(u32::MAX);
                let back = every.saturating_mul(burst.saturating_add(1));
                back.min(LONGEST_PAUSE)
            }
            _ => Duration::ZERO,
        }
    }

    /// The verdict when `again` is of the same requests, measured once more: this one if both say
    /// the same, otherwise none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use holdup_model::{Lane, Timeline};
    /// use holdup_verdict::{Kind, judge};
    ///
    /// let answered = |after: u64| {
    ///     let mut lane = Lane::start("/report", Duration::ZERO);
    ///     lane.finish(Duration::from_millis(after));
    ///     lane
    /// };
    /// let alone = [answered(100), answered(101)];
    /// let judged = |times: [u64; 2]| judge(&alone, &Timeline::from(times.map(answered).to_vec()));
    ///
    /// let first = judged([101, 202]);
    /// assert!(first.kind == Kind::Serialized && first.is_doubtful());
    /// assert_eq!(first.clone().again(&judged([102, 203])).kind, Kind::Serialized);
    /// assert_eq!(first.again(&judged([102, 102])).kind, Kind::Inconclusive);
    /// ```
    #[must_use]
    pub fn again(mut self, again: &Self) -> Self {
        let difference = self.at_a_time.zip(again.at_a_time).map(|(one, other)| {
            // Workers that accept unevenly make the number differ a little from run to run.
            one.abs_diff(other).saturating_sub(one.min(other) / 4)
        });
        let numbers = wording::again(again);
        if self.kind != again.kind || difference != Some(0) {
            self.reason = Some(Reason::Differs {
                first: self.at_a_time,
                again: again.at_a_time,
            });
            self.kind = Kind::Inconclusive;
            self.at_a_time = None;
            self.word();
        }
        self.evidence.push(numbers);
        self
    }

    /// Puts the kind and the reason into words, anew where they have changed.
    fn word(&mut self) {
        self.sentence = wording::sentence(self);
        self.advice = advice::lines(self, Platform::Unknown);
    }

    /// The same verdict with the advice that fits what the server is made of.
    #[must_use]
    pub fn advised_for(mut self, platform: Platform) -> Self {
        self.advice = advice::lines(&self, platform);
        self
    }

    /// The [reason](Verdict::reason) in words, without a full stop.
    pub fn because(&self) -> Option<String> {
        let reason = self.reason.as_ref()?;
        Some(wording::because(reason, self))
    }
}

/// Judges `at_once`, the requests that were asked at the same time, by `alone`, the one or two that
/// were asked before with nothing else going on. The request that warmed the server up is left out.
///
/// Requests of which not all were answered well, in either, are inconclusive. So is what the client
/// itself may have made, where it recorded its own [time](Lane::client_time).
pub fn judge(alone: &[Lane], at_once: &Timeline) -> Verdict {
    client::check(as_seen(alone, at_once), at_once, |lanes| {
        as_seen(alone, lanes)
    })
}

/// Judges what was recorded, as if the client had needed no time.
fn as_seen(alone: &[Lane], at_once: &Timeline) -> Verdict {
    let measures = match Measures::take(alone, &at_once.lanes) {
        Ok(measures) => measures,
        Err(mut reason) => {
            if let Reason::Status {
                alone: false,
                after,
                well,
                ..
            } = &mut reason
            {
                *well = well_at_a_time(alone, at_once);
                // Errors of handlers that fail when their work is done take as long as an answer.
                let solo = alone.iter().filter_map(Lane::duration).min();
                *after = after.filter(|after| solo.is_some_and(|solo| is_another(*after, solo)));
            }
            return conclude(alone, at_once, Outcome::because(reason));
        }
    };
    let read = |times: &[f64]| staircase::read(times, measures.solo);
    let outcome = match &measures.doubt {
        None => Outcome::of(read(&measures.times), at_once.lanes.len()),
        // A request that joined the line a second late can hide or fake a gap, but it cannot make the
        // others finish one by one.
        Some(Doubt::SlowConnects { others, .. })
            if others.len() >= MIN_OTHERS
                && [&measures.times, others]
                    .iter()
                    .any(|times| read(times) == Shape::OneByOne) =>
        {
            Outcome::of(Shape::OneByOne, at_once.lanes.len())
        }
        Some(Doubt::SlowConnects { count, .. }) => {
            Outcome::because(Reason::SlowConnects { count: *count })
        }
    };
    conclude(alone, at_once, outcome)
}

/// Whether two times are further apart than noise makes them.
fn is_another(time: Duration, than: Duration) -> bool {
    time.abs_diff(than).as_secs_f64() > time.max(than).as_secs_f64() * ANOTHER
}

/// Two times that differ by less than this part of the longer one may be the same.
const ANOTHER: f64 = 0.15;

/// How many of those at once that were answered well ran at a time, when others were not.
fn well_at_a_time(alone: &[Lane], at_once: &Timeline) -> Option<usize> {
    let expected = alone.iter().find_map(Lane::status);
    let well = |lane: &&Lane| !measures::is_odd(lane, expected);
    let well: Vec<_> = at_once.lanes.iter().filter(well).cloned().collect();
    let measures = Measures::take(alone, &well).ok()?;
    let shape = staircase::read(&measures.times, measures.solo);
    Outcome::of(shape, well.len()).at_a_time(well.len())
}

/// The fewest requests with a timely connection that show a staircase on their own: two finishes
/// have one distance, which may be chance.
const MIN_OTHERS: usize = 3;

/// A judgement without its numbers and words.
#[derive(Debug)]
struct Outcome {
    kind: Kind,
    /// `None` with a kind that says it: one, or all.
    at_a_time: Option<usize>,
    steps: Vec<usize>,
    reason: Option<Reason>,
}

impl Outcome {
    fn at_a_time(&self, lanes: usize) -> Option<usize> {
        match self.kind {
            Kind::Concurrent => Some(lanes),
            Kind::Serialized => Some(1),
            Kind::Limited | Kind::Inconclusive => self.at_a_time,
        }
    }

    fn because(reason: Reason) -> Self {
        Self {
            kind: Kind::Inconclusive,
            at_a_time: None,
            steps: Vec::new(),
            reason: Some(reason),
        }
    }

    fn limited(at_a_time: usize, steps: Vec<usize>, reason: Option<Reason>) -> Self {
        Self {
            kind: Kind::Limited,
            at_a_time: Some(at_a_time),
            steps,
            reason,
        }
    }

    fn of(shape: Shape, lanes: usize) -> Self {
        let plain = |kind| Self {
            kind,
            at_a_time: None,
            steps: Vec::new(),
            reason: None,
        };
        match shape {
            Shape::Together => Self {
                steps: vec![lanes],
                ..plain(Kind::Concurrent)
            },
            Shape::OneByOne => Self {
                steps: vec![1; lanes],
                ..plain(Kind::Serialized)
            },
            Shape::Steps(steps) => Self::limited(steps[0], steps, None),
            Shape::UnevenSteps(steps) => Self::limited(steps[0], steps, Some(Reason::Uneven)),
            Shape::Shared(at_a_time) => Self::limited(at_a_time, Vec::new(), Some(Reason::Shared)),
            Shape::NothingGained => Self {
                reason: Some(Reason::Shared),
                ..plain(Kind::Serialized)
            },
            Shape::Batches { steps, factor } => {
                let reason = Some(Reason::OwnPace { factor });
                match steps[0] {
                    1 => Self {
                        steps,
                        reason,
                        ..plain(Kind::Serialized)
                    },
                    at_a_time => Self::limited(at_a_time, steps, reason),
                }
            }
            Shape::Rate { burst, each, every } => {
                let every = Duration::from_secs_f64(every);
                let reason = Reason::Rate { burst, each, every };
                Self::limited(burst, Vec::new(), Some(reason))
            }
            Shape::Unclear(reason) => Self::because(reason),
        }
    }
}

/// Adds the numbers and the words.
fn conclude(alone: &[Lane], at_once: &Timeline, outcome: Outcome) -> Verdict {
    let lanes = at_once.lanes.len();
    let solo = alone.iter().filter_map(Lane::duration).min();
    let makespan = at_once.makespan();
    let one_by_one = solo.map(|solo| solo.saturating_mul(u32::try_from(lanes).unwrap_or(u32::MAX)));
    let k = one_by_one.zip(makespan.filter(|makespan| !makespan.is_zero()));
    let k = k.map(|(one_by_one, makespan)| one_by_one.div_duration_f64(makespan));
    let at_a_time = outcome.at_a_time(lanes);
    let mut verdict = Verdict {
        kind: outcome.kind,
        at_a_time,
        lanes,
        solo,
        makespan,
        k,
        steps: outcome.steps,
        reason: outcome.reason,
        sentence: String::new(),
        evidence: Vec::new(),
        advice: Vec::new(),
    };
    verdict.evidence = wording::evidence(&verdict, alone, at_once);
    verdict.word();
    verdict
}
