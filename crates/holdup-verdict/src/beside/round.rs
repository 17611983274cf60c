//! Judges one round.

use super::finding::{BesideFinding, BesideReason};
use super::pieces::Pieces;
use super::sample::{BesideRound, Sample};
use super::silence::Silence;
use super::turns::{InTurn, SHORTEST, turns};
use super::usual::Usual;
use super::view::{Read, View};
use crate::measures::is_odd;
use holdup_model::Lane;

/// B must take less than this part of A's time, or what A does to it does not show.
const SLOW: f64 = 0.5;

/// At most one in this many of B's requests may fail while A runs.
const FAILED_ONE_IN: usize = 50;

/// Judges one round: what A's requests did to B, which takes as long as in `alone` while A does not run. The
/// plan of an experiment decides with it whether A gets more requests at once.
pub fn judge_beside_round(alone: &[Sample], round: &BesideRound) -> BesideFinding {
    let usual = Usual::of(alone);
    let late_after = usual.as_ref().map(Usual::late_after).ok();
    let view = View::of(round);
    let (start, end) = (view.start, view.end);
    let read = usual.and_then(|usual| read(&view, &usual));
    let (read, reason) = match read {
        Ok(read) => (read, None),
        Err(reason) => (Read::nothing(), Some(reason)),
    };
    let silence = match read.silence {
        Some(silence) => silence,
        None => view.longest().unwrap_or(Silence {
            from: start,
            to: start,
        }),
    };
    let from = silence.from.max(start);
    BesideFinding {
        requests: round.at_once.lanes.len(),
        kind: read.kind,
        asked: round.samples.len(),
        late: late_after.map_or(0, |limit| {
            let is_late = |sample: &&Sample| view.took(sample) > limit;
            round.samples.iter().filter(is_late).count()
        }),
        longest: silence.to.saturating_sub(from),
        from: from.saturating_sub(start),
        to: silence.to.saturating_sub(start),
        took: end.saturating_sub(start),
        median: view.median(),
        held: read.held,
        pieces: Pieces::of(&view.silences, start, end, late_after),
        reason,
    }
}

fn read(view: &View<'_>, usual: &Usual) -> Result<Read, BesideReason> {
    is_answered(view.round, usual)?;
    let took = view.end.saturating_sub(view.start);
    let limit = took.mul_f64(SLOW);
    let alone = usual.both;
    if alone.median > limit {
        let alone = alone.median;
        return Err(BesideReason::Slow { alone, took });
    }
    if usual.high() > limit {
        let (low, high) = (alone.low, usual.high());
        return Err(BesideReason::Varies { low, high, took });
    }
    if took < SHORTEST {
        return Err(BesideReason::TooShort { took });
    }
    let turns: Vec<_> = turns(&view.round.at_once)
        .into_iter()
        .filter(|turn| turn.length() >= SHORTEST)
        .map(|turn| (turn, InTurn::of(turn, &view.round.samples, usual)))
        .collect();
    let frozen = view.frozen(&turns, took, usual);
    let some = view.some_frozen(&turns, took, usual);
    if let Some(read) = frozen.or(some) {
        return Ok(read);
    }
    let unsure: usize = turns.iter().map(|(_, held)| held.unsure).sum();
    let sure = turns
        .iter()
        .map(|(_, held)| held.held.len() + held.prompt.len());
    if unsure > sure.sum() {
        return Err(view.client_too_slow());
    }
    view.by_times(usual, took, &turns)
}

/// Whether A and B were answered at all.
fn is_answered(round: &BesideRound, usual: &Usual) -> Result<(), BesideReason> {
    let failed = |lane: &Lane| match (lane.failure(), lane.status()) {
        (Some(failure), _) => Some(failure.to_string()),
        (None, _) if lane.ended_at().is_none() => Some("no end".to_owned()),
        (None, Some(status)) if status >= 400 => Some(format!("status {status}")),
        _ => None,
    };
    let a = round.at_once.lanes.iter();
    let failures: Vec<_> = a.filter_map(failed).collect();
    let count = failures.len();
    if let Some(what) = failures.into_iter().next() {
        return Err(BesideReason::OffenderFailed { count, what });
    }
    let samples = &round.samples;
    let odd: Vec<_> = samples
        .iter()
        .filter(|sample| is_odd(&sample.lane, usual.status))
        .collect();
    let few = samples.len() / FAILED_ONE_IN;
    if let Some(status) = odd.first().and_then(|sample| sample.lane.status())
        && odd.len() > few
    {
        return Err(BesideReason::Status {
            count: odd.len(),
            status,
            alone: false,
        });
    }
    // A server may close a connection that was kept open, at any time.
    let fresh = samples.iter().filter(|sample| sample.kept.is_none());
    let failures: Vec<_> = fresh.filter_map(Sample::failure).collect();
    if let Some(first) = failures.first()
        && failures.len() > few
    {
        return Err(BesideReason::Failed {
            count: failures.len(),
            what: first.to_string(),
            alone: false,
        });
    }
    Ok(())
}
