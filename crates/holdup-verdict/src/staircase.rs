//! The staircase: how many requests ran at a time, derived from how long each one took.
//!
//! A server that takes `c` at a time and `pace` for each finishes the first `c` after one pace, the next `c`
//! after two, and so on. [`read`] looks for the one `c` that all finishes fit. If there is none, it tries
//! queues of different length, then batches at a pace of their own, a server that runs all at once but
//! contends for a few cores or for one, and a regular rate. If none of these fits, it looks for the reason.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts of requests are small, and their quotients positive"
)]

mod batches;
mod pace;
mod rates;

use super::outcome::Outcome;
use super::reason::Reason;
use batches::batches;
pub(super) use pace::Solo;
use pace::{FASTER, MAX_SHARE_TOLERANCE, NOISE, PACE_DRIFT, SHARE_TOLERANCE, noise, pace, prompt};
use rates::{rate_of, regular};

/// How far from its step a finish may be, in paces: on the first step, what each further step adds (because
/// the work before it varies, too), and at most. The maximum is below half a pace, so that no finish fits two
/// steps.
const TOLERANCE: f64 = 0.2;
const TOLERANCE_A_STEP: f64 = 0.04;
const MAX_TOLERANCE: f64 = 0.36;

/// The tolerance if only a few waited. A request that waited for something else, such as a blocked worker,
/// may be late by any amount; only a close fit shows that it queued.
const FEW_TOLERANCE: f64 = 0.12;

/// A few: at most this part of the requests, or a single one.
const FEW: f64 = 1.0 / 3.0;

/// The largest noise, in parts of the solo time, for requests that all run at once. It is larger than for a
/// queue because accepting many connections at the same moment takes time, and because there are no steps to
/// confuse.
const MAX_CONCURRENT_NOISE: f64 = 0.15;

/// Requests are concurrent if they took at most this factor of the solo time on average. Four requests that
/// share three cores take 1.33.
const CONCURRENT_DRIFT: f64 = 1.15;

/// If at most this fraction of the requests waited one step, they may have queued behind one blocked worker
/// among many, which is not a limit. One of eight proves as little as two of 16.
const STRAGGLERS: f64 = 1.0 / 6.0;

/// If no step fits, up to this fraction of the requests (or a single one) counts as late. If more are late,
/// it is as plausible that the others were early.
const LATE: f64 = 0.25;

/// Requests that share a resource finish together, within this fraction of the longest time. Work that varies
/// by a tenth and the time slices of a scheduler stay below it …
const TOGETHER: f64 = 0.25;

/// … and no two successive finishes are further apart than this fraction of the longest time. Otherwise they
/// are two groups, and the second one waited.
const NO_GAP: f64 = 0.12;

/// Requests that share a resource take at least this factor of the solo time, as three on two cores do.
const SLOWED: f64 = 1.4;

/// The largest number of cores that requests can be found to share. Hundreds of concurrent requests are
/// slowed down by the cost of accepting each of them, as if they shared more cores than this.
const MAX_SHARE: f64 = 16.0;

/// How far the last finish may be from the time of all requests one after the other, as a fraction of it, to
/// count as equally late.
const NOTHING_GAINED: f64 = 0.08;

/// The fewest requests for which this is meaningful: a single pause can make the second of two as late.
const MIN_GAINED: usize = 3;

/// Below this k, the requests took longer together than one by one, which no queue explains.
const MIN_K: f64 = 0.7;

/// The fewest requests at once that can show that so many run at a time. With fewer, those that wait may be
/// stragglers.
pub fn fewest_to_show(at_a_time: usize) -> usize {
    at_a_time + at_a_time / 5 + 1
}

/// Reads the staircase from at least two `times`, in seconds, shortest first.
pub(super) fn read(times: &[f64], solo: Solo) -> Outcome {
    let n = times.len();
    let faster = times
        .iter()
        .filter(|time| **time < FASTER * solo.low)
        .count();
    if faster > 0 {
        return Outcome::inconclusive(Reason::FasterThanAlone { count: faster });
    }
    let fitting: Vec<_> = (1..=n)
        .filter(|at_a_time| {
            let turns: Vec<_> = (0..n).map(|place| place / at_a_time + 1).collect();
            fits(times, &turns, solo)
        })
        .collect();
    match fitting[..] {
        [] => {}
        [1] => return Outcome::one_by_one(n),
        [all] if all == n => return Outcome::together(n),
        [at_a_time] => {
            let waited = n - at_a_time;
            if waited as f64 <= STRAGGLERS * n as f64 {
                return Outcome::inconclusive(Reason::Stragglers { count: waited });
            }
            let mut steps = vec![at_a_time; n / at_a_time];
            steps.extend(Some(n % at_a_time).filter(|rest| *rest > 0));
            return Outcome::stairs(steps, None);
        }
        _ => return Outcome::inconclusive(Reason::Irregular),
    }
    uneven(times, solo)
        .or_else(|| batches(times, solo))
        .or_else(|| shared(times, solo))
        .or_else(|| nothing_gained(times, solo))
        .or_else(|| regular(times, solo))
        .unwrap_or_else(|| Outcome::inconclusive(unclear(times, solo)))
}

/// Whether each of `times` is at the step that `turns` gives it, all steps one pace apart.
fn fits(times: &[f64], turns: &[usize], solo: Solo) -> bool {
    let pace = pace(times, turns);
    let waited = turns.iter().filter(|turn| **turn > 1).count();
    let slowest = if waited == 0 {
        // Noise only adds time, so the shorter measurement gives the upper bound.
        solo.low * CONCURRENT_DRIFT + NOISE.min(MAX_CONCURRENT_NOISE * solo.low)
    } else {
        solo.high * PACE_DRIFT
    };
    if !(solo.low / PACE_DRIFT..=slowest).contains(&pace) {
        return false;
    }
    if waited == 0 && times.iter().any(|time| *time > prompt(solo)) {
        return false;
    }
    let few = waited > 0 && (waited == 1 || waited as f64 <= FEW * times.len() as f64);
    times.iter().zip(turns).all(|(time, turn)| {
        let turn = *turn as f64;
        let tolerance = if few {
            FEW_TOLERANCE
        } else {
            (TOLERANCE + TOLERANCE_A_STEP * (turn - 1.0)).min(MAX_TOLERANCE)
        };
        (time - turn * pace).abs() <= tolerance * pace + noise(pace)
    })
}

/// Steps of different widths: each request waits in the queue of the worker that got it. No step is wider
/// than the one before, because a queue that is served in step three was also served in step two.
fn uneven(times: &[f64], solo: Solo) -> Option<Outcome> {
    let first = times.partition_point(|time| *time <= times[0] * 1.5);
    let first = times[..first].iter().sum::<f64>() / first as f64;
    // The first step includes the overhead of starting, which would add up if it were counted in every step.
    [first, solo.low]
        .into_iter()
        .find_map(|pace| uneven_at(pace, times, solo))
}

/// The same, with steps of about this pace.
fn uneven_at(pace: f64, times: &[f64], solo: Solo) -> Option<Outcome> {
    let turns: Vec<_> = times
        .iter()
        .map(|time| (time / pace).round().max(1.0) as usize)
        .collect();
    // Without a gap there are at most as many steps as requests.
    let count = turns.last().filter(|count| **count <= times.len())?;
    let mut steps = vec![0; *count];
    for turn in &turns {
        steps[turn - 1] += 1;
    }
    let waited = times.len() - steps[0];
    let stairs = steps[0] > 1 && steps.is_sorted_by(|one, next| one >= next);
    let proven = waited as f64 > STRAGGLERS * times.len() as f64;
    let gapless = steps.iter().all(|step| *step > 0);
    let fits = stairs && gapless && proven && fits(times, &turns, solo);
    fits.then(|| match rate_of(&steps) {
        Some(each) => Outcome::rate(steps[0], each, pace),
        None => Outcome::stairs(steps, Some(Reason::Uneven)),
    })
}

/// Finds requests that were all slowed down in proportion, because they contend for something that serves
/// fewer.
fn shared(times: &[f64], solo: Solo) -> Option<Outcome> {
    let (first, last) = (*times.first()?, *times.last()?);
    let gap = times
        .windows(2)
        .any(|pair| pair[1] - pair[0] > NO_GAP * last);
    let together = last - first <= TOGETHER * last && !gap && first >= SLOWED * solo.high;
    let share = times.len() as f64 * f64::midpoint(solo.low, solo.high) / last;
    let whole = share.round().max(1.0);
    let tolerance = (SHARE_TOLERANCE * whole).min(MAX_SHARE_TOLERANCE);
    let shared = together && whole <= MAX_SHARE && (share - whole).abs() <= tolerance;
    shared.then(|| Outcome::shared(whole as usize))
}

/// Finds requests that finish in no order that a rule describes, but take as long as one after the other.
/// They share something that each holds for uneven periods, such as an interpreter's lock. At each finish, no
/// more work may be done than one request at a time could have done.
fn nothing_gained(times: &[f64], solo: Solo) -> Option<Outcome> {
    let one_by_one = times.len() as f64 * f64::midpoint(solo.low, solo.high);
    let last = times.last()?;
    let whole = (last - one_by_one).abs() <= NOTHING_GAINED * one_by_one;
    let mut places = (1_u32..).zip(times);
    let in_turn =
        places.all(|(place, time)| *time >= f64::from(place) * solo.low * (1.0 - NOTHING_GAINED));
    (times.len() >= MIN_GAINED && whole && in_turn).then(Outcome::nothing_gained)
}

/// The reason why nothing fits.
fn unclear(times: &[f64], solo: Solo) -> Reason {
    let n = times.len();
    let (first, last) = (times[0], times[n - 1]);
    let late = n - times.partition_point(|time| *time <= prompt(solo));
    if n > 2 && late > 0 && (late == 1 || late as f64 <= LATE * n as f64) {
        Reason::Stragglers { count: late }
    } else if n as f64 * solo.low / last < MIN_K {
        Reason::WorseThanOneByOne
    } else if first >= CONCURRENT_DRIFT * solo.high && last - first <= TOGETHER * last {
        Reason::Slowed
    } else {
        Reason::Irregular
    }
}
