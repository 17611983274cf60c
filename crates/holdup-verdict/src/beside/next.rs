//! Which round comes next.

use super::finding::{BesideFinding, BesideKind, BesideReason};

/// How often a round is made with the same number of requests, if the first ones do not agree.
const MOST_TIMES: usize = 3;

/// How often a round is made that froze B for a short time.
const MOST_TIMES_FROZEN: usize = 9;

/// How many requests A gets in the next round, after these rounds; `None` if there is nothing more to learn.
/// The number is doubled up to `most` until B is frozen. A round that noise may have spoilt, or may have
/// caused, is made again.
pub fn next_beside(rounds: &[BesideFinding], most: usize) -> Option<usize> {
    let Some(last) = rounds.last() else {
        return (most > 0).then_some(1);
    };
    let same = || {
        let same = rounds.iter();
        same.filter(|round| round.requests == last.requests)
    };
    let times = same().count();
    let count = |kind| same().filter(|round| round.kind == kind).count();
    let frozen = same().filter(|round| round.kind.is_frozen());
    let is_frozen = BesideFinding::are_enough(frozen.clone());
    let limit = match frozen.count() {
        0 => MOST_TIMES,
        _ => MOST_TIMES_FROZEN,
    };
    let settled = match last.kind {
        _ if limit == MOST_TIMES_FROZEN => is_frozen,
        BesideKind::Inconclusive => match &last.reason {
            Some(reason) if is_final(reason) => return None,
            Some(reason) => !is_noise(reason),
            None => true,
        },
        BesideKind::Slowed => count(BesideKind::Slowed) > 1,
        _ => true,
    };
    if !settled && times < limit {
        return Some(last.requests);
    }
    if is_frozen || last.requests >= most {
        return None;
    }
    Some(last.requests.saturating_mul(2).min(most))
}

/// Whether another round may show something else.
fn is_noise(reason: &BesideReason) -> bool {
    matches!(
        reason,
        BesideReason::ClientTooSlow { .. }
            | BesideReason::Partly { .. }
            | BesideReason::FewHeld { .. }
            | BesideReason::SomeLate { .. }
            | BesideReason::FewAsked { .. }
            | BesideReason::Gap { .. }
            | BesideReason::Spent { .. }
    )
}

/// Whether no other round can show anything.
fn is_final(reason: &BesideReason) -> bool {
    match reason {
        BesideReason::FewAlone { .. } | BesideReason::NotAsked => true,
        BesideReason::Failed { alone, .. } | BesideReason::Status { alone, .. } => *alone,
        _ => false,
    }
}
