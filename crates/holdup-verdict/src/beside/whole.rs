//! What all rounds together show.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::{BesideFinding, BesideKind, BesideReason};
use super::round::judge_beside_round;
use super::sample::{BesideRound, Sample};
use super::usual::{Usual, rank};
use super::wording;
use holdup_model::{Lane, millis};
use serde::Serialize;

/// What A does to one bystander. As JSON: `verdict`, `alone_ms`, `frozen_by` and `rounds`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Beside {
    /// What A's requests do to B: with as few of them as freeze it, or with the most that were sent at once.
    #[serde(rename = "verdict")]
    pub kind: BesideKind,
    /// The median time of B's answers while A does not run.
    #[serde(rename = "alone_ms", serialize_with = "millis::serialize_option")]
    pub alone: Option<Duration>,
    /// The smallest number of A's requests that froze B or a part of it. `None` if none did, or if it is not
    /// certain that fewer of them do not.
    pub frozen_by: Option<usize>,
    /// What each round shows, in the order in which they were made.
    pub rounds: Vec<BesideFinding>,
    /// The verdict in one sentence.
    #[serde(skip)]
    pub sentence: String,
    /// The numbers that support it, one line each.
    #[serde(skip)]
    pub evidence: Vec<String>,
    /// Why it is inconclusive; `None` otherwise.
    #[serde(skip)]
    pub reason: Option<BesideReason>,
}

impl Beside {
    /// The same with B's name, such as `GET /healthz`, in its sentence, which otherwise calls B "the other
    /// route".
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.sentence = self.worded(Some(name));
        self
    }

    /// The reason for an inconclusive verdict in words, without a full stop.
    pub fn because(&self) -> Option<String> {
        self.reason.as_ref().map(wording::because)
    }

    fn worded(&self, name: Option<&str>) -> String {
        let shows = |round: &&BesideFinding| {
            let enough = self.frozen_by.is_none_or(|least| round.requests == least);
            round.kind == self.kind && enough
        };
        let mut rounds = self.rounds.iter().filter(shows);
        let round = if self.kind.is_frozen() {
            rounds.next()
        } else {
            rounds.next_back()
        };
        wording::sentence(self.kind, round, self.alone, self.reason.as_ref(), name)
    }
}

/// Judges all rounds, in the order in which they were made. Rounds with the same number of requests confirm
/// or contradict each other.
pub fn judge_beside(alone: &[Sample], rounds: &[BesideRound]) -> Beside {
    let found = rounds.iter().map(|round| judge_beside_round(alone, round));
    let found: Vec<_> = found.collect();
    let mut by_requests: BTreeMap<usize, Vec<&BesideFinding>> = BTreeMap::new();
    for finding in &found {
        by_requests
            .entry(finding.requests)
            .or_default()
            .push(finding);
    }
    let groups: Vec<_> = by_requests
        .into_iter()
        .map(|(requests, findings)| (requests, together(&findings)))
        .collect();
    let judged = if groups.is_empty() && !alone.is_empty() {
        // There was no round, because B does not even answer alone.
        let reason = Usual::of(alone).err();
        Err(reason.unwrap_or(BesideReason::NotAsked))
    } else {
        overall(&groups)
    };
    let (kind, frozen_by, reason) = match judged {
        Ok((kind, frozen_by)) => (kind, frozen_by, None),
        Err(reason) => (BesideKind::Inconclusive, None, Some(reason)),
    };
    let mut times: Vec<_> = alone
        .iter()
        .filter_map(|sample| Lane::duration(&sample.lane))
        .collect();
    times.sort_unstable();
    let mut beside = Beside {
        kind,
        alone: rank(&times, 0.5),
        frozen_by,
        evidence: wording::evidence(&times, &found),
        rounds: found,
        sentence: String::new(),
        reason,
    };
    beside.sentence = beside.worded(None);
    beside
}

/// What rounds with the same number of requests show together.
fn together(findings: &[&BesideFinding]) -> Result<BesideKind, BesideReason> {
    let judged = || findings.iter().filter(|finding| finding.reason.is_none());
    let of = |kind| judged().filter(move |finding| finding.kind == kind);
    let Some(first) = judged().next() else {
        let reason = findings.iter().find_map(|finding| finding.reason.clone());
        return Err(reason.unwrap_or(BesideReason::NotAsked));
    };
    let frozen = judged().filter(|finding| finding.kind.is_frozen());
    let others = judged().find(|finding| !finding.kind.is_frozen());
    if let Some(frozen_once) = frozen.clone().next() {
        let some = of(BesideKind::SomeFrozen);
        let is_some = some.clone().count() > 0;
        return match others {
            // A's requests may reach another worker in each round.
            Some(_) if BesideFinding::are_enough(some.copied()) => Ok(BesideKind::SomeFrozen),
            Some(other) => Err(BesideReason::Differs {
                first: frozen_once.kind,
                again: other.kind,
            }),
            None if !BesideFinding::are_enough(frozen.copied()) => Err(BesideReason::Once {
                took: frozen_once.took,
            }),
            // An answer that came while others were held shows that not all was frozen.
            None if is_some => Ok(BesideKind::SomeFrozen),
            None => Ok(BesideKind::Frozen),
        };
    }
    let slowed = of(BesideKind::Slowed).count();
    let untouched = of(BesideKind::Untouched).count();
    match others.filter(|_| slowed > 0 && untouched > 0) {
        Some(_) if slowed == untouched => Err(BesideReason::Differs {
            first: BesideKind::Slowed,
            again: BesideKind::Untouched,
        }),
        Some(_) if slowed > untouched => Ok(BesideKind::Slowed),
        Some(_) => Ok(BesideKind::Untouched),
        None => Ok(first.kind),
    }
}

type Group = (usize, Result<BesideKind, BesideReason>);

/// The kind, and the smallest number of requests that freezes B.
fn overall(groups: &[Group]) -> Result<(BesideKind, Option<usize>), BesideReason> {
    let frozen = groups
        .iter()
        .position(|(_, kind)| kind.as_ref().is_ok_and(|kind| kind.is_frozen()));
    if let Some(place) = frozen
        && let (requests, Ok(kind)) = &groups[place]
    {
        let fewer_do_not = groups[..place].iter().all(|(_, kind)| kind.is_ok());
        return Ok((*kind, fewer_do_not.then_some(*requests)));
    }
    let Some((_, last)) = groups.last() else {
        return Err(BesideReason::NotAsked);
    };
    let last = last.clone()?;
    let slowed = groups
        .iter()
        .any(|(_, kind)| *kind == Ok(BesideKind::Slowed));
    if last == BesideKind::Untouched && slowed {
        return Err(BesideReason::Differs {
            first: BesideKind::Slowed,
            again: last,
        });
    }
    Ok((last, None))
}
