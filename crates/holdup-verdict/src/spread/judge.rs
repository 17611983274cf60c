//! Whether connections fall evenly on workers that say who they are.

use std::fmt;

use serde::{Serialize, Serializer};

use super::advice;
use super::chance::Chance;
use super::fresh::Fresh;
use super::frozen::Frozen;
use super::kept::{Kept, KeptConnection};
use super::reason::SpreadReason;
use super::tally::{Tally, most_frequent, sum};
use super::uneven::{self, DOUBTFUL, UNEVEN};
use super::wording::{average, connections, listed, often, percent, times};

/// How connections are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SpreadKind {
    /// Chance explains it: an even spread looks like this, or less even, at least once in a hundred times.
    Even,
    /// An even spread looks like this less than once in a thousand times.
    Uneven,
    /// The measurement does not show it; the reason is given beside it.
    Inconclusive,
}

impl fmt::Display for SpreadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Even => "even",
            Self::Uneven => "uneven",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// Over how many workers connections fall, and how evenly.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Spread {
    /// How the connections are spread.
    #[serde(rename = "verdict")]
    pub kind: SpreadKind,
    /// The chance that an even spread looks at least as uneven; `None` if there is nothing to compare.
    pub chance: Option<Chance>,
    /// Why it is inconclusive. As JSON, it is in words.
    #[serde(serialize_with = "in_words")]
    pub reason: Option<SpreadReason>,
    /// The verdict in one sentence, or two.
    pub sentence: String,
    /// The numbers that it rests on, a line each.
    pub evidence: Vec<String>,
    /// What to do now, a line each.
    pub advice: Vec<String>,
    /// What came of fresh connections to workers that say who they are.
    pub fresh: Option<Fresh>,
    /// What came of kept connections to them.
    pub kept: Option<Kept>,
    /// How many connections waited for a request that held its worker.
    pub frozen: Option<Frozen>,
}

#[expect(clippy::ref_option, reason = "serde passes the field")]
fn in_words<S: Serializer>(
    reason: &Option<SpreadReason>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let words = reason.as_ref().map(SpreadReason::to_string);
    words.serialize(serializer)
}

impl Spread {
    /// A measurement that could not be made, and why, in a clause.
    pub fn not_measured(why: impl Into<String>) -> Self {
        Self::because(SpreadReason::NotMeasured(why.into()))
    }

    pub(super) fn told(
        kind: SpreadKind,
        chance: Chance,
        sentence: String,
        advice: Vec<String>,
    ) -> Self {
        Self {
            kind,
            chance: Some(chance),
            reason: None,
            sentence,
            evidence: Vec::new(),
            advice,
            fresh: None,
            kept: None,
            frozen: None,
        }
    }

    /// A measurement that does not show it, for this reason.
    pub fn because(reason: SpreadReason) -> Self {
        Self {
            kind: SpreadKind::Inconclusive,
            chance: None,
            sentence: format!("Inconclusive: {reason}."),
            evidence: Vec::new(),
            advice: advice::inconclusive(&reason),
            reason: Some(reason),
            fresh: None,
            kept: None,
            frozen: None,
        }
    }
}

/// If more connections than this share fail, or do not say who answered, nothing is said of the others: those that are
/// missing may all be those of one worker.
const MISSING: f64 = 0.05;

/// Judges how fresh connections fell on workers that say who they are, one request each, and what came of `kept`
/// connections, on each of which `requests_each` were sent. `expected` is the number of workers, if it is known.
///
/// ```
/// use holdup_verdict::{Heard, SpreadKind, Tally, WorkerId, judge_spread};
///
/// let mut tally = Tally::default();
/// for (worker, connections) in [("0", 70), ("1", 17), ("2", 13)] {
///     for _ in 0..connections {
///         let (replica, worker) = (None, worker.to_owned());
///         tally.add(Heard::From(WorkerId { replica, worker }));
///     }
/// }
/// let spread = judge_spread(&tally, Some(4), &[], 3);
/// assert_eq!(spread.kind, SpreadKind::Uneven);
/// assert_eq!(
///     spread.sentence,
///     "100 connections: 70, 17, 13, 0. An even spread over 4 workers looks like this, or less even, \
///      less than once in a million cases.",
/// );
/// ```
pub fn judge_spread(
    tally: &Tally,
    expected: Option<usize>,
    kept: &[KeptConnection],
    requests_each: usize,
) -> Spread {
    let fresh = Fresh::of(tally, expected);
    let kept = (!kept.is_empty()).then(|| Kept::of(kept, requests_each, fresh.workers.len()));
    let groups = uneven::groups(&fresh);
    let reason = missing(tally).or_else(|| too_little(&fresh, &groups));
    let mut spread = match reason {
        Some(reason) => Spread::because(reason),
        None => compared(&fresh, &groups),
    };
    spread.evidence = evidence(tally, &fresh);
    spread.fresh = Some(fresh);
    spread.kept = kept;
    spread
}

#[expect(
    clippy::cast_precision_loss,
    reason = "there are at most thousands of connections"
)]
fn missing(tally: &Tally) -> Option<SpreadReason> {
    let of = tally.asked();
    let is_much = |count: usize| count > 0 && count as f64 >= of as f64 * MISSING;
    let (failed, nameless) = (sum(&tally.failed), sum(&tally.nameless));
    if is_much(failed) {
        let what = most_frequent(&tally.failed).to_owned();
        return Some(SpreadReason::Failed { failed, of, what });
    }
    let why = most_frequent(&tally.nameless).to_owned();
    is_much(nameless + failed).then_some(SpreadReason::Nameless { nameless, of, why })
}

/// Fewer ids than these may all differ by chance.
const FEW_IDS: usize = 5;

fn too_little(fresh: &Fresh, groups: &[Vec<usize>]) -> Option<SpreadReason> {
    let (connections, seen) = (fresh.answered, fresh.workers.len());
    if seen == connections && seen >= FEW_IDS {
        return Some(SpreadReason::Requests { answers: seen });
    }
    if let Some(expected) = fresh.expected.filter(|expected| *expected < seen) {
        return Some(SpreadReason::MoreThanExpected { seen, expected });
    }
    if groups.is_empty() {
        return Some(SpreadReason::OneWorker { connections });
    }
    uneven::needed(groups, connections).map(|needed| SpreadReason::TooFew {
        connections,
        workers: fresh.counts().len(),
        needed,
    })
}

fn compared(fresh: &Fresh, groups: &[Vec<usize>]) -> Spread {
    let Some(chance) = uneven::chance(groups) else {
        // There are groups, or nothing would be compared.
        return Spread::not_measured("there is nothing to compare");
    };
    let counts = fresh.counts();
    let found = format!("{}: {}", connections(fresh.answered), listed(&counts));
    let (over, often) = (over(fresh, counts.len()), often(chance));
    let looks = format!("looks like this, or less even, {often}");
    let (kind, sentence) = match chance.probability {
        p if p < UNEVEN => (
            SpreadKind::Uneven,
            format!("{found}. An even spread over {over} {looks}."),
        ),
        p if p < DOUBTFUL => {
            let reason = SpreadReason::Doubtful {
                often,
                connections: fresh.answered,
            };
            let mut spread = Spread::because(reason);
            spread.sentence = format!("{found}. {}", spread.sentence);
            spread.chance = Some(chance);
            return spread;
        }
        _ if uneven::is_in_turn(groups) => (
            SpreadKind::Even,
            format!("{found}. The {over} get them in turn."),
        ),
        p if p < 0.1 => (
            SpreadKind::Even,
            format!("{found}. An even spread over {over} {looks}, so chance may explain it."),
        ),
        _ => (
            SpreadKind::Even,
            format!("{found}. Nothing speaks against an even spread over {over}: it {looks}."),
        ),
    };
    let advice = match kind {
        SpreadKind::Uneven => advice::uneven(fresh),
        _ => Vec::new(),
    };
    Spread::told(kind, chance, sentence, advice)
}

/// `4 workers`, or `12 workers of 3 replicas`.
fn over(fresh: &Fresh, workers: usize) -> String {
    let replicas = fresh.replicas.as_ref().map_or(0, Vec::len);
    if replicas > 1 {
        format!("{workers} workers of {replicas} replicas")
    } else {
        format!("{workers} workers")
    }
}

fn evidence(tally: &Tally, fresh: &Fresh) -> Vec<String> {
    let mut lines = Vec::new();
    let seen = fresh.workers.len();
    if seen > 1 {
        lines.push(format!(
            "on average, each of the {seen} workers that were seen got {}",
            average(fresh.answered, seen)
        ));
    }
    if let Some(replicas) = fresh.replicas.as_ref().filter(|all| all.len() > 1) {
        let counts = replicas
            .iter()
            .map(|share| format!("{} {}", share.id, share.connections));
        let counts: Vec<_> = counts.collect();
        if counts.len() <= 12 {
            lines.push(format!("by replica: {}", counts.join(", ")));
        }
    }
    if seen > 0 {
        lines.push(format!(
            "a worker that gets {} of the connections or more would have been seen, with a probability of 99 %",
            percent(fresh.least_seen)
        ));
    }
    for (counts, what) in [(&tally.failed, "no answer"), (&tally.nameless, "no id")] {
        lines.extend(
            counts
                .iter()
                .map(|(why, count)| format!("{what}, {}: {why}", times(*count))),
        );
    }
    lines
}
