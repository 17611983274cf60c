//! Batches at a pace of their own.

use super::pace::{FASTER, PACE_DRIFT, SHARE_TOLERANCE, Solo, noise, pace};
use crate::outcome::Outcome;
use crate::reason::Reason;

/// How far a finish may be from the step of its batch, in paces. This is tighter than for a queue at the pace
/// of one alone, because here the pace itself is derived from the finishes.
const BATCH_TOLERANCE: f64 = 0.12;

/// The longest that a batch may take, in times of one alone. Four threads on one core take four, and a group
/// that takes more than this is unlikely to be a batch.
const MAX_BATCH: f64 = 8.0;

/// The same for one request at a time. Waiting requests may slow it down, for example by spinning on a lock,
/// but not by more than this.
const MAX_LONE_BATCH: f64 = 3.0;

/// The fewest steps of one request that show a pace of their own. Two steps have only one distance between
/// them, which may be chance.
const MIN_LONE_STEPS: usize = 3;

/// Batches at up to this k are no faster than one after the other: four threads that share one core end
/// together, although no two of them ran at the same time.
const NO_GAIN: f64 = 1.1;

/// Batches of one size, at a pace of their own: a server that works on several requests together, or a
/// pool with more threads than cores. The last batch may be smaller, and then also faster.
pub(super) fn batches(times: &[f64], solo: Solo) -> Option<Outcome> {
    (1..=times.len() / 2).find_map(|width| batches_of(width, times, solo))
}

fn batches_of(width: usize, times: &[f64], solo: Solo) -> Option<Outcome> {
    let alone = f64::midpoint(solo.low, solo.high);
    let (full, rest) = times.split_at(times.len() - times.len() % width);
    let turns: Vec<_> = (0..full.len()).map(|place| place / width + 1).collect();
    let count = *turns.last()?;
    if count < if width == 1 { MIN_LONE_STEPS } else { 2 } {
        return None;
    }
    let pace = pace(full, &turns);
    let within = BATCH_TOLERANCE * pace + noise(pace);
    let tight = full
        .iter()
        .zip(&turns)
        .all(|(time, turn)| (time - *turn as f64 * pace).abs() <= within);
    let last = count as f64 * pace;
    let follows = rest
        .iter()
        .all(|time| (last + FASTER * solo.low - within..=last + pace + within).contains(time));
    let factor = pace / alone;
    let most = if width == 1 {
        MAX_LONE_BATCH
    } else {
        MAX_BATCH
    };
    // At the pace of one alone it is a queue, which has been tried already.
    if !tight || !follows || pace <= solo.high * PACE_DRIFT || factor > most {
        return None;
    }
    let gain = width as f64 / factor;
    if width > 1 && gain <= NO_GAIN {
        return (gain >= 1.0 - SHARE_TOLERANCE).then(Outcome::nothing_gained);
    }
    let mut steps = vec![width; count];
    steps.extend(Some(rest.len()).filter(|rest| *rest > 0));
    Some(Outcome::stairs(steps, Some(Reason::OwnPace { factor })))
}
