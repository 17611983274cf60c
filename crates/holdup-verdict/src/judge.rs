//! From lanes to a verdict.

use std::time::Duration;

use super::client;
use super::measures::{self, Measures, SlowConnects};
use super::outcome::Outcome;
use super::reason::Reason;
use super::staircase;
use super::verdict::Verdict;
use super::wording;
use holdup_model::{Lane, Timeline};

/// Judges `at_once`, the requests that were sent at the same time, against `alone`, the one or two requests
/// that were sent while no other was running.
///
/// The verdict is inconclusive unless all of these requests succeeded. It is also inconclusive if the lanes
/// contain the client's own [time](Lane::client_time) and that time alone may explain the result.
pub fn judge(alone: &[Lane], at_once: &Timeline) -> Verdict {
    client::check(as_seen(alone, at_once), alone, at_once, as_seen)
}

/// Judges the recorded times as they are, as if the client had needed no time.
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
                // A handler that fails at the end of its work takes as long as one that succeeds, so such an
                // error did not wait.
                let solo = alone.iter().filter_map(Lane::duration).min();
                *after = after.filter(|after| solo.is_some_and(|solo| is_another(*after, solo)));
            }
            return conclude(alone, at_once, Outcome::inconclusive(reason));
        }
    };
    let read = |times: &[f64]| staircase::read(times, measures.solo);
    let outcome = match &measures.slow_connects {
        None => read(&measures.times),
        // A request that joined the queue a second late can hide or fake a gap between finishes, but it
        // cannot make the others finish one by one.
        Some(SlowConnects { others, .. })
            if others.len() >= MIN_OTHERS
                && [&measures.times, others]
                    .iter()
                    .any(|times| read(times).is_one_by_one()) =>
        {
            Outcome::one_by_one(at_once.lanes.len())
        }
        Some(SlowConnects { count, .. }) => {
            Outcome::inconclusive(Reason::SlowConnects { count: *count })
        }
    };
    conclude(alone, at_once, outcome)
}

/// Whether two times differ by more than noise.
fn is_another(time: Duration, than: Duration) -> bool {
    time.abs_diff(than).as_secs_f64() > time.max(than).as_secs_f64() * ANOTHER
}

/// Two times that differ by less than this part of the longer one may be the same.
const ANOTHER: f64 = 0.15;

/// How many of the successful concurrent requests ran at a time, if others failed.
fn well_at_a_time(alone: &[Lane], at_once: &Timeline) -> Option<usize> {
    let expected = alone.iter().find_map(Lane::status);
    let well = |lane: &&Lane| !measures::is_odd(lane, expected);
    let well: Vec<_> = at_once.lanes.iter().filter(well).cloned().collect();
    let measures = Measures::take(alone, &well).ok()?;
    staircase::read(&measures.times, measures.solo).at_a_time
}

/// The fewest requests with a timely connection that show a staircase on their own. Two finishes have only
/// one distance between them, which may be chance.
const MIN_OTHERS: usize = 3;

/// Adds the numbers and the words.
pub(super) fn conclude(alone: &[Lane], at_once: &Timeline, outcome: Outcome) -> Verdict {
    let lanes = at_once.lanes.len();
    let solo = alone.iter().filter_map(Lane::duration).min();
    let makespan = at_once.makespan();
    let one_by_one = solo.map(|solo| solo.saturating_mul(u32::try_from(lanes).unwrap_or(u32::MAX)));
    let speedup = one_by_one.zip(makespan.filter(|makespan| !makespan.is_zero()));
    let speedup = speedup.map(|(one_by_one, makespan)| one_by_one.div_duration_f64(makespan));
    let mut verdict = Verdict {
        kind: outcome.kind,
        at_a_time: outcome.at_a_time,
        lanes,
        solo,
        makespan,
        speedup,
        steps: outcome.steps,
        reason: outcome.reason,
        sentence: String::new(),
        evidence: Vec::new(),
        advice: Vec::new(),
    };
    verdict.evidence = wording::evidence(&verdict, alone, at_once);
    verdict.reword();
    verdict
}
