//! The rules, from the most specific contrast to the most general one. The first that applies is the cause.

use std::time::Duration;

use super::facts::{Bystander, Facts, Ran, is_alike};
use super::kind::CauseKind;
use crate::beside::BesideKind;

/// Pieces that are shorter may be the turns of threads that share a core or the lock of an interpreter: a thread of
/// Ruby's runs for 100 ms before another one has its turn, and the bystander needs a turn, or two. A container that has
/// used up its share of the cores stands still for up to 100 ms as well, which is the usual period of Linux' scheduler.
const LONGER_THAN_TURNS: Duration = Duration::from_millis(250);

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
    /// The requests slowed each other down, and another route was answered as usual.
    Shared,
    /// One request alone kept another route without an answer, as if it held an event loop in pieces, or stood still
    /// in between.
    Pieces,
    /// The requests slowed each other down as if they shared several cores, but another route was not answered as usual
    /// beside one alone, either.
    SlowedByOne,
    /// The answers come before what the requests leave behind has ended.
    LeftBehind,
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

fn unknown_by(why: Unknown, by: usize) -> Rule {
    Rule {
        by: Some(by),
        ..unknown(why)
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
            _ => held_for_a_part(facts).unwrap_or(unknown(Unknown::Verdict)),
        },
        Ran::AfterLeftovers => unknown(Unknown::LeftBehind),
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
    if facts.has(BesideKind::Untouched) {
        // A worker that is held holds up a part of the requests to every route.
        return unknown(Unknown::Bystanders);
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
        Some(which) if !facts.has(BesideKind::Slowed) => because(CauseKind::Workers, Some(which)),
        _ => unknown(Unknown::Bystanders),
    }
}

/// The measured requests ran side by side, and slowed each other down.
fn beside_slower(facts: &Facts) -> Rule {
    let several_cores = matches!(facts.ran, Ran::Slower(2..));
    if facts.has(BesideKind::Frozen) || facts.has(BesideKind::SomeFrozen) {
        // Handlers that block one event loop in turns look like this, and so do other things.
        return match facts.one_that(Bystander::is_frozen_by_one) {
            Some(which)
                if !several_cores
                    && !facts.is_any_answered_beside(1)
                    && !facts.has(BesideKind::SomeFrozen) =>
            {
                because(CauseKind::BlockedLoop, Some(which))
            }
            _ => held_for_a_part(facts).unwrap_or(unknown(Unknown::Contradiction)),
        };
    }
    if let Some(rule) = held_for_a_part(facts) {
        return rule;
    }
    let slowed = facts.one_that(|bystander| bystander.kind == BesideKind::Slowed);
    let untouched = facts.one_that(|bystander| bystander.kind == BesideKind::Untouched);
    match (slowed, untouched) {
        (Some(_), Some(_)) => unknown(Unknown::Contradiction),
        // One request leaves a core to the bystander if there are several.
        (Some(which), None) if several_cores && facts.bystanders[which].slowed_by_one => {
            unknown_by(Unknown::SlowedByOne, which)
        }
        (Some(which), None) if several_cores && facts.bystanders[which].untouched_by == 0 => {
            unknown_by(Unknown::Bystanders, which)
        }
        (Some(which), None) if facts.is_silent_for_half(which) => {
            unknown_by(Unknown::Pieces, which)
        }
        (Some(which), None) => because(CauseKind::Cores, Some(which)),
        // It may be a lock that they take in turns, a database, a disk or a link, and it may be cores that each of
        // them uses all of.
        (None, Some(_)) => unknown(Unknown::Shared),
        (None, None) if facts.bystanders.is_empty() => unknown(Unknown::NoBystander),
        (None, None) => unknown(Unknown::Bystanders),
    }
}

/// One request alone kept a bystander without an answer for as long as each must hold an event loop, if that is what
/// the requests wait for. They may hold it in several pieces, between which the bystander is answered.
fn held_for_a_part(facts: &Facts) -> Option<Rule> {
    let part = facts.part?;
    let is_held = |bystander: &Bystander| {
        // If the others were answered, no loop is held that all of them need.
        let pieces = bystander
            .beside_one
            .filter(|_| !bystander.is_partly_frozen());
        pieces.is_some_and(|pieces| is_alike(pieces.silent, part))
    };
    let which = facts.one_that(is_held)?;
    let is_free = |bystander: &Bystander| {
        let is_answered = matches!(bystander.kind, BesideKind::Untouched | BesideKind::Slowed);
        is_answered && !is_held(bystander) || bystander.is_partly_frozen()
    };
    if facts.one_that(is_free).is_some() {
        return Some(unknown(Unknown::Contradiction));
    }
    let bystander = &facts.bystanders[which];
    let length = bystander.beside_one.map(|pieces| pieces.length);
    Some(if length >= Some(LONGER_THAN_TURNS) {
        because(CauseKind::BlockedLoop, Some(which))
    } else {
        unknown_by(Unknown::Pieces, which)
    })
}

/// The measured requests ran in turns, so many at a time.
fn beside_turns(facts: &Facts, at_a_time: usize) -> Rule {
    // A route that is answered while others of the measured requests wait needs nothing that they wait for.
    // More of them may show nothing, as if those that wait take workers.
    let untouched = |bystander: &Bystander| {
        let is_free = matches!(
            bystander.kind,
            BesideKind::Untouched | BesideKind::Inconclusive
        );
        is_free && bystander.untouched_by > at_a_time
    };
    if let Some(which) = facts.one_that(untouched) {
        return because(CauseKind::OwnQueue, Some(which));
    }
    if let Some(which) = facts.one_that(Bystander::is_partly_frozen) {
        return because(CauseKind::OneWorkerOfSeveral, Some(which));
    }
    let is_frozen = |bystander: &Bystander| bystander.kind == BesideKind::Frozen;
    // It was answered while as many ran as run at a time. Those that wait for the route's own queue take a worker
    // each.
    let by_those_that_wait = |bystander: &Bystander| {
        let is_known = is_frozen(bystander) && bystander.frozen_by.is_some();
        is_known && bystander.untouched_by >= at_a_time
    };
    if let Some(which) = facts.one_that(by_those_that_wait) {
        return because(CauseKind::OwnQueue, Some(which));
    }
    let is_answered = facts.is_any_answered_beside(at_a_time);
    // As many as run at a time are what it takes, and no fewer.
    let exhausted = |bystander: &Bystander| {
        is_frozen(bystander) && bystander.frozen_by == Some(at_a_time) && at_a_time > 1
    };
    if at_a_time == 1
        && let Some(which) = facts.one_that(Bystander::is_frozen_by_one)
        && !is_answered
    {
        return because(CauseKind::BlockedLoop, Some(which));
    }
    if let Some(which) = facts.one_that(exhausted)
        && !is_answered
    {
        return because(CauseKind::Workers, Some(which));
    }
    unknown(if facts.bystanders.is_empty() {
        Unknown::NoBystander
    } else if facts.one_that(is_frozen).is_some() {
        Unknown::Contradiction
    } else {
        Unknown::Bystanders
    })
}

impl Bystander {
    fn is_partly_frozen(&self) -> bool {
        self.kind == BesideKind::SomeFrozen
    }

    pub(super) fn is_frozen_by_one(&self) -> bool {
        self.kind == BesideKind::Frozen && self.frozen_by == Some(1)
    }
}

impl Facts {
    fn one_that(&self, is_one: impl Fn(&Bystander) -> bool) -> Option<usize> {
        self.bystanders.iter().position(is_one)
    }

    fn has(&self, kind: BesideKind) -> bool {
        self.one_that(|bystander| bystander.kind == kind).is_some()
    }

    /// Whether one request alone kept the bystander without an answer for half as long as an event loop that is held
    /// for all or a part of its time.
    fn is_silent_for_half(&self, which: usize) -> bool {
        let silent = self.bystanders[which].beside_one;
        let silent = silent.map_or(Duration::ZERO, |pieces| pieces.silent);
        self.part.is_some_and(|part| silent * 2 >= part)
    }

    /// Whether one of the bystanders was answered while at least so many of the measured requests ran, though
    /// perhaps late.
    fn is_any_answered_beside(&self, requests: usize) -> bool {
        self.has(BesideKind::Slowed)
            || self
                .one_that(|bystander| bystander.untouched_by >= requests)
                .is_some()
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
