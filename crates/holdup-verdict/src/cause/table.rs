//! The rules, from the most specific contrast to the most general one. The first that applies is the cause.

use super::facts::{Bystander, Facts, Ran};
use super::kind::CauseKind;
use crate::beside::BesideKind;

/// A rule that applies, and the bystander that it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) kind: CauseKind,
    /// The bystander that shows it.
    pub(super) by: Option<usize>,
    /// What the sentence of an unknown cause says.
    pub(super) unknown: Unknown,
}

/// Why the cause is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Unknown {
    /// The measured requests themselves show no number.
    Verdict,
    /// No other route was asked.
    #[default]
    NoBystander,
    /// The other routes show nothing.
    Bystanders,
    /// The contrasts contradict each other.
    Contradiction,
}

fn because(kind: CauseKind, by: Option<usize>) -> Rule {
    Rule {
        kind,
        by,
        unknown: Unknown::default(),
    }
}

fn unknown(unknown: Unknown) -> Rule {
    Rule {
        kind: CauseKind::Unknown,
        by: None,
        unknown,
    }
}

/// The rule that applies.
pub(super) fn rule(facts: &Facts) -> Rule {
    // A contrast of the same requests over another way: what differs is the cause.
    if facts
        .direct
        .is_some_and(|direct| direct.is_freer_than(facts.ran))
    {
        return because(CauseKind::Proxy, None);
    }
    if facts.waits_by_url && (facts.ran == Ran::Together || facts.bystanders.is_empty()) {
        return because(CauseKind::ByUrl, None);
    }
    if facts
        .anonymous
        .is_some_and(|anonymous| anonymous.is_freer_than(facts.ran))
    {
        return because(CauseKind::BySession, None);
    }
    if facts
        .one_connection
        .is_some_and(|(one, own)| own.is_freer_than(one))
    {
        return because(CauseKind::ByConnection, None);
    }
    // Contrasts with other routes.
    match facts.ran {
        Ran::Unclear => match facts.one_that(Bystander::is_partly_frozen) {
            // Whatever the others show: this bystander's own requests show the workers.
            Some(which) if !facts.has(BesideKind::Untouched) => {
                because(CauseKind::OneWorkerOfSeveral, Some(which))
            }
            _ => unknown(Unknown::Verdict),
        },
        Ran::AfterLeftovers => unknown(Unknown::Verdict),
        Ran::Together => beside_concurrent(facts),
        Ran::Slower(_) => beside_slower(facts),
        Ran::InTurns(at_a_time) => beside_turns(facts, at_a_time),
    }
}

/// All of the measured requests ran at the same time.
fn beside_concurrent(facts: &Facts) -> Rule {
    let all = |kind| {
        facts
            .bystanders
            .iter()
            .all(|bystander| bystander.kind == kind)
    };
    if all(BesideKind::Untouched) {
        return because(CauseKind::None, None);
    }
    if let Some(which) = facts.one_that(Bystander::is_partly_frozen) {
        return because(CauseKind::OneWorkerOfSeveral, Some(which));
    }
    // As many workers as there were requests: they all ran, and the other route waited.
    let exhausted = |bystander: &Bystander| {
        bystander.kind == BesideKind::Frozen
            && bystander.frozen_by > Some(1)
            && bystander.untouched_by > 0
    };
    match facts.one_that(exhausted) {
        Some(which) if !facts.has(BesideKind::Untouched) => {
            because(CauseKind::Workers, Some(which))
        }
        _ => unknown(Unknown::Bystanders),
    }
}

/// The measured requests ran side by side, and slowed each other down.
fn beside_slower(facts: &Facts) -> Rule {
    if let Some(which) = facts.one_that(|bystander| bystander.kind == BesideKind::Slowed) {
        return because(CauseKind::Cores, Some(which));
    }
    if facts.has(BesideKind::Frozen) || facts.has(BesideKind::SomeFrozen) {
        // Handlers that block one event loop in turns look like this, and so do other things.
        let looped = |bystander: &Bystander| {
            bystander.kind == BesideKind::Frozen && bystander.frozen_by == Some(1)
        };
        return match facts.one_that(looped) {
            Some(which) if !facts.has(BesideKind::Untouched) && facts.ran == Ran::Slower(1) => {
                because(CauseKind::BlockedLoop, Some(which))
            }
            _ => unknown(Unknown::Contradiction),
        };
    }
    match facts.one_that(|bystander| bystander.kind == BesideKind::Untouched) {
        // Another route is not slower, so the cores are not what they share, unless some are left.
        Some(which) if matches!(facts.ran, Ran::Slower(2..)) => {
            because(CauseKind::Cores, Some(which))
        }
        Some(which) => because(CauseKind::OwnQueue, Some(which)),
        None if matches!(facts.ran, Ran::Slower(2..)) => because(CauseKind::Cores, None),
        None if facts.bystanders.is_empty() => unknown(Unknown::NoBystander),
        None => unknown(Unknown::Bystanders),
    }
}

/// The measured requests ran in turns, so many at a time.
fn beside_turns(facts: &Facts, at_a_time: usize) -> Rule {
    // A route that is answered while others of the measured requests wait needs nothing that they wait for.
    let untouched = |bystander: &Bystander| {
        bystander.kind == BesideKind::Untouched && bystander.untouched_by > at_a_time
    };
    if let Some(which) = facts.one_that(untouched) {
        return because(CauseKind::OwnQueue, Some(which));
    }
    if let Some(which) = facts.one_that(Bystander::is_partly_frozen) {
        return because(CauseKind::OneWorkerOfSeveral, Some(which));
    }
    let frozen = |bystander: &Bystander| bystander.kind == BesideKind::Frozen;
    let Some(which) = facts.one_that(frozen) else {
        return unknown(if facts.bystanders.is_empty() {
            Unknown::NoBystander
        } else {
            Unknown::Bystanders
        });
    };
    let bystander = facts.bystanders[which];
    match bystander.frozen_by {
        Some(1) if at_a_time == 1 => because(CauseKind::BlockedLoop, Some(which)),
        Some(by) if bystander.untouched_by < at_a_time && at_a_time <= by && at_a_time > 1 => {
            because(CauseKind::Workers, Some(which))
        }
        // Those that wait for the route's own queue take a worker each.
        Some(by) if bystander.untouched_by >= at_a_time && by > at_a_time => {
            because(CauseKind::OwnQueue, Some(which))
        }
        _ => unknown(Unknown::Contradiction),
    }
}

impl Bystander {
    fn is_partly_frozen(&self) -> bool {
        self.kind == BesideKind::SomeFrozen
    }
}

impl Facts {
    fn one_that(&self, is_one: impl Fn(&Bystander) -> bool) -> Option<usize> {
        self.bystanders.iter().position(is_one)
    }

    fn has(&self, kind: BesideKind) -> bool {
        self.one_that(|bystander| bystander.kind == kind).is_some()
    }
}

impl Ran {
    /// Whether clearly more of these requests ran at a time than of the others.
    pub(super) fn is_freer_than(self, others: Self) -> bool {
        let number = |ran| match ran {
            Self::Together => Some(usize::MAX),
            Self::InTurns(number) | Self::Slower(number) => Some(number),
            Self::AfterLeftovers => Some(1),
            Self::Unclear => None,
        };
        number(self)
            .zip(number(others))
            .is_some_and(|(these, others)| these > others)
    }
}
