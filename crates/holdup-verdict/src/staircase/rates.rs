//! Limits on the rate, and what else ends at a regular distance.

use std::time::Duration;

use super::pace::{NOISE, PACE_DRIFT, Solo, noise, prompt};
use crate::outcome::Outcome;
use crate::reason::Reason;

/// The fewest steps that show a rate: so many in a row after the first, as wide and as far from each other.
const MIN_RATE_STEPS: usize = 4;

/// A rate gives each step at most one in this many of the first one: lines of four workers, dealt out
/// by chance, leave one line alone for four steps once in fifty times.
const RATE_SHARE: usize = 4;

/// How far from each other the distances of a rate may be, in parts of one.
const RATE_TOLERANCE: f64 = 0.15;

/// A part of the work is seen to be done one at a time if it spreads the finishes by this part of the
/// solo time: work that varies by a quarter spreads them by half.
const MIN_PART: f64 = 0.75;

/// How many come at a time after the first step, if the steps are a rate's.
pub(super) fn rate_of(steps: &[usize]) -> Option<usize> {
    let (burst, rest) = steps.split_first()?;
    let each = *rest.first()?;
    // The last step may be what was left.
    let even = rest[..rest.len() - 1].iter().all(|step| *step == each);
    (even && rest.len() >= MIN_RATE_STEPS && each * RATE_SHARE <= *burst).then_some(each)
}

/// Some at once as fast as alone, and the others at a regular distance that is not the time of one
/// alone: a rate limit if it is longer, a part of the work that is done one at a time if it is
/// shorter.
pub(super) fn regular(times: &[f64], solo: Solo) -> Option<Outcome> {
    let burst = times.partition_point(|time| *time <= prompt(solo));
    let distances = |from: usize| {
        let some = times
            .get(from..)
            .filter(|some| some.len() > MIN_RATE_STEPS)?;
        let every = (some[some.len() - 1] - some[0]) / (some.len() - 1) as f64;
        let within = RATE_TOLERANCE * every + noise(every);
        let even = some
            .windows(2)
            .all(|pair| (pair[1] - pair[0] - every).abs() <= within);
        (even && every > NOISE).then_some(every)
    };
    if let Some(every) = distances(0).filter(|every| *every < solo.low / PACE_DRIFT) {
        // Seen from far enough away, any spread is regular.
        let spread = times[times.len() - 1] - times[0] >= solo.high * MIN_PART;
        let each = Duration::from_secs_f64(every);
        return spread.then(|| Outcome::inconclusive(Reason::PartOneByOne { each }));
    }
    let every = distances(burst.checked_sub(1)?)?;
    if every < solo.high * PACE_DRIFT {
        return None;
    }
    Some(Outcome::rate(burst, 1, every))
}
