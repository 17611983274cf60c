//! Batches at a pace of their own.

use super::pace::{FASTER, PACE_DRIFT, SHARE_TOLERANCE, Solo, noise, pace};
use crate::outcome::Outcome;
use crate::reason::Reason;

/// How far a finish may be from the step of its batch, in paces. Tighter than for a queue at the pace of
/// one alone, since here the pace itself is read from the finishes.
const BATCH_TOLERANCE: f64 = 0.12;

/// The longest that a batch may take, in times of one alone. Four threads on one core take four, and
/// whatever takes more is no batch that people would call one.
const MAX_BATCH: f64 = 8.0;

/// The same for one request at a time: others that wait may slow it down, by spinning for a lock for
/// example, but not by more.
const MAX_LONE_BATCH: f64 = 3.0;

/// The fewest steps of one request at a pace of its own. Two have one distance, which may be chance.
const MIN_LONE_STEPS: usize = 3;

/// Batches at up to this k are no faster than one after the other: four threads that share one core
/// end together, and nothing of them ran at the same time.
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
    // At the pace of one alone it is a queue, which has been looked for.
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
