//! How two verdicts differ on requests that were sent in two ways.

use super::reason::Reason;
use super::verdict::{Kind, Verdict};

/// How requests that were sent in another way ran, compared with the measured ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contrast {
    /// They ran in the same way.
    Same,
    /// More of them ran at a time.
    More,
    /// Fewer of them ran at a time.
    Fewer,
    /// One of the two verdicts gives no number.
    Unclear,
}

impl Contrast {
    /// Whether the two ways differ.
    pub(super) fn differs(self) -> bool {
        matches!(self, Self::More | Self::Fewer)
    }
}

/// Compares the verdict on requests that were sent in another way with the verdict on the measured ones.
pub(super) fn contrast(measured: &Verdict, other: &Verdict) -> Contrast {
    let Some((one, another)) = at_a_time(measured).zip(at_a_time(other)) else {
        return Contrast::Unclear;
    };
    if alike(measured, other) || one == another {
        Contrast::Same
    } else if one < another {
        Contrast::More
    } else {
        Contrast::Fewer
    }
}

/// Whether two verdicts are the same. Workers that accept unevenly make the number differ a little from run to run.
pub(super) fn alike(one: &Verdict, another: &Verdict) -> bool {
    let numbers = at_a_time(one).zip(at_a_time(another));
    let close = numbers.is_some_and(|(one, another)| one.abs_diff(another) <= one.min(another) / 4);
    one.kind == another.kind && close
}

/// Whether two verdicts on requests that are freer than others show about the same number. Where workers take
/// connections by chance, some of them wait, but not most.
pub(super) fn about_alike(one: &Verdict, another: &Verdict) -> bool {
    let numbers = at_a_time(one).zip(at_a_time(another));
    numbers.is_some_and(|(one, another)| one.max(another) < 2 * one.min(another))
}

/// How many ran at a time.
fn at_a_time(verdict: &Verdict) -> Option<usize> {
    match verdict.kind {
        Kind::Concurrent => Some(verdict.lanes),
        Kind::Serialized => Some(1),
        Kind::Limited => verdict.at_a_time,
        Kind::Inconclusive => None,
    }
}

/// How the requests ran, to follow "they ran".
pub(super) fn how(verdict: &Verdict) -> String {
    let shared = verdict.reason == Some(Reason::Shared);
    match (verdict.kind, verdict.at_a_time) {
        (Kind::Concurrent, _) => "at the same time".to_owned(),
        (Kind::Serialized, _) if shared => "as slowly as one after the other".to_owned(),
        (Kind::Serialized, _) => "one at a time".to_owned(),
        (Kind::Limited, Some(cores)) if shared => {
            format!("side by side, but slowed down as if they shared {cores} cores or the like")
        }
        (Kind::Limited, Some(count)) => format!("{count} at a time"),
        (Kind::Limited, None) => "some at a time".to_owned(),
        (Kind::Inconclusive, _) => "in a way that does not show".to_owned(),
    }
}
