//! Rate limits, and other requests that finish at a regular interval.

use std::time::Duration;

use super::pace::{NOISE, PACE_DRIFT, Solo, noise, prompt};
use crate::outcome::Outcome;
use crate::reason::Reason;

/// The fewest steps that show a rate: the steps after the first one that are equally wide and equally far
/// apart.
const MIN_RATE_STEPS: usize = 4;

/// With a rate limit, each later step has at most one request for this many in the first. Otherwise chance is
/// a likely cause: if requests are assigned to four workers at random, one queue is four steps longer than
/// the others once in fifty times.
const RATE_SHARE: usize = 4;

/// How much the intervals of a rate may differ, as a fraction of one interval.
const RATE_TOLERANCE: f64 = 0.15;

/// Four finishes have only three intervals, which are alike by chance once in a hundred times, unless they may differ
/// by this fraction at most.
const FEW_TOLERANCE: f64 = 0.05;

/// Part of the work counts as done one at a time if the finishes are spread by this fraction of the solo
/// time. Work that varies by a quarter spreads them by half of it.
const MIN_PART: f64 = 0.75;

/// How many finish at a time after the first step, if the steps are those of a rate limit.
pub(super) fn rate_of(steps: &[usize]) -> Option<usize> {
    let (burst, rest) = steps.split_first()?;
    let each = *rest.first()?;
    // The last step may be smaller, because it has the remaining requests.
    let even = rest[..rest.len() - 1].iter().all(|step| *step == each);
    (even && rest.len() >= MIN_RATE_STEPS && each * RATE_SHARE <= *burst).then_some(each)
}

/// Finds requests of which some were as fast as alone, and the others finished at a regular interval. If the
/// interval is longer than the time of one alone, it is a rate limit; if it is shorter, part of the work is
/// done one at a time.
pub(super) fn regular(times: &[f64], solo: Solo) -> Option<Outcome> {
    let burst = times.partition_point(|time| *time <= prompt(solo));
    let distances = |from: usize, least: usize| {
        let some = times.get(from..).filter(|some| some.len() >= least)?;
        let every = (some[some.len() - 1] - some[0]) / (some.len() - 1) as f64;
        let within = if some.len() > MIN_RATE_STEPS {
            RATE_TOLERANCE * every + noise(every)
        } else {
            FEW_TOLERANCE * every
        };
        let even = some
            .windows(2)
            .all(|pair| (pair[1] - pair[0] - every).abs() <= within);
        (even && every > NOISE).then_some(every)
    };
    if let Some(every) = distances(0, MIN_RATE_STEPS).filter(|every| *every < solo.low / PACE_DRIFT)
    {
        // A spread that is small compared with the tolerance is always regular.
        let spread = times[times.len() - 1] - times[0] >= solo.high * MIN_PART;
        let each = Duration::from_secs_f64(every);
        return spread.then(|| Outcome::inconclusive(Reason::PartOneByOne { each }));
    }
    let every = distances(burst.checked_sub(1)?, MIN_RATE_STEPS + 1)?;
    if every < solo.high * PACE_DRIFT {
        return None;
    }
    Some(Outcome::rate(burst, 1, every))
}
