//! Which round comes next.

use super::finding::{BesideFinding, BesideKind, BesideReason};

/// How often a round is made with the same number of requests, if the first ones do not agree.
const MOST_TIMES: usize = 3;

/// How many requests A gets in the next round, after these rounds; `None` if there is nothing more to learn.
/// The number is doubled up to `most` until B is frozen. A round that may have been spoilt by noise, or that
/// noise may have caused, is made again.
pub fn next_beside(rounds: &[BesideFinding], most: usize) -> Option<usize> {
    let Some(last) = rounds.last() else {
        return (most > 0).then_some(1);
    };
    let same: Vec<_> = rounds
        .iter()
        .filter(|round| round.requests == last.requests)
        .collect();
    let agree = same.iter().filter(|round| round.kind == last.kind).count();
    let settled = match last.kind {
        BesideKind::Inconclusive if last.reason.as_ref().is_some_and(is_final) => return None,
        BesideKind::Inconclusive => !last.reason.as_ref().is_some_and(is_noise),
        _ => agree > 1 || last.certain && same.len() == 1,
    };
    if !settled && same.len() < MOST_TIMES {
        return Some(last.requests);
    }
    if last.kind.is_frozen() && (last.certain || agree > 1) || last.requests >= most {
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
