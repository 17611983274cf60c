//! What a bystander shows, in words.

use std::time::Duration;

use super::finding::{BesideFinding, BesideKind, BesideReason};
use super::usual::rank;
use holdup_model::HumanDuration as Human;

/// The verdict in one sentence, from the round that shows it. Without a name, B is "the other route".
pub(super) fn sentence(
    kind: BesideKind,
    round: Option<&BesideFinding>,
    alone: Option<Duration>,
    reason: Option<&BesideReason>,
    name: Option<&str>,
) -> String {
    let (subject, object) = match name {
        Some(name) => (name, name),
        None => ("The other route", "the other route"),
    };
    let Some(round) = round.filter(|_| kind != BesideKind::Inconclusive) else {
        let why = reason.map_or_else(|| "nothing was measured".to_owned(), because);
        return format!("It is not certain what happens to {object}: {why}.");
    };
    let ran = ran(round.requests);
    let alone = Human(alone.unwrap_or_default());
    let median = Human(round.median.unwrap_or_default());
    let (longest, from, to) = (Human(round.longest), Human(round.from), Human(round.to));
    match kind {
        BesideKind::Frozen => {
            format!("{subject} got no answer for {longest} while {ran}: from {from} to {to}.")
        }
        BesideKind::SomeFrozen => format!(
            "A part of the requests to {object} got no answer for {longest} while {ran}, from {from} to \
             {to}; the others were answered.",
        ),
        BesideKind::Slowed => {
            format!("{subject} took {median} while {ran}, and {alone} alone.")
        }
        BesideKind::Untouched | BesideKind::Inconclusive => {
            format!(
                "{subject} was answered as usual while {ran}: in {median}, and in {alone} alone."
            )
        }
    }
}

fn ran(requests: usize) -> String {
    match requests {
        1 => "one request ran".to_owned(),
        _ => format!("{requests} requests ran"),
    }
}

/// The numbers, one line each.
pub(super) fn evidence(alone: &[Duration], rounds: &[BesideFinding]) -> Vec<String> {
    let mut lines = Vec::new();
    if let (Some(low), Some(median), Some(high)) = (alone.first(), rank(alone, 0.5), alone.last()) {
        lines.push(format!(
            "alone, {} times: {} in the middle, from {} to {}",
            alone.len(),
            Human(median),
            Human(*low),
            Human(*high),
        ));
    }
    lines.extend(rounds.iter().map(|round| {
        let what = match &round.reason {
            Some(reason) => because(reason),
            None => kind(round.kind).to_owned(),
        };
        format!(
            "while {}: asked {} times, {} late; without an answer for {} at the longest, from {} to {}: {what}",
            ran(round.requests),
            round.asked,
            round.late,
            Human(round.longest),
            Human(round.from),
            Human(round.to),
        )
    }));
    lines
}

fn kind(kind: BesideKind) -> &'static str {
    match kind {
        BesideKind::Untouched => "untouched",
        BesideKind::Slowed => "slowed",
        BesideKind::SomeFrozen => "a part frozen",
        BesideKind::Frozen => "frozen",
        BesideKind::Inconclusive => "inconclusive",
    }
}

/// A reason in words, without a full stop.
pub(super) fn because(reason: &BesideReason) -> String {
    let times = |count: usize| match count {
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    };
    let when = |alone: bool| {
        if alone {
            "although nothing else ran"
        } else {
            "while the first route's requests ran"
        }
    };
    match reason {
        BesideReason::FewAlone { count } => {
            format!("it was answered only {} alone", times(*count))
        }
        BesideReason::Failed { count, what, alone } => {
            format!("it failed {}, {}: {what}", times(*count), when(*alone))
        }
        BesideReason::Status {
            count,
            status,
            alone,
        } => format!(
            "it answered {} with status {status}, {}",
            times(*count),
            when(*alone),
        ),
        BesideReason::Slow { alone, took } => format!(
            "it takes {} alone, too long beside the first route's {}",
            Human(*alone),
            Human(*took),
        ),
        BesideReason::Varies { low, high, took } => format!(
            "it takes from {} to {} alone, which varies too much beside the first route's {}",
            Human(*low),
            Human(*high),
            Human(*took),
        ),
        BesideReason::TooShort { took } => format!(
            "the first route takes only {}, too little to tell from noise",
            Human(*took),
        ),
        BesideReason::OffenderFailed { count, what } => {
            format!("the first route failed {}: {what}", times(*count))
        }
        BesideReason::FewAsked { count } => {
            format!(
                "it was asked only {} while the first route's requests ran",
                times(*count)
            )
        }
        BesideReason::Gap { from, to } => format!(
            "the prober was late and did not ask it from {} to {}",
            Human(*from),
            Human(*to),
        ),
        BesideReason::Spent { count, from, to } => format!(
            "it had got the {count} requests of the round, and was not asked from {} to {}",
            Human(*from),
            Human(*to),
        ),
        BesideReason::ClientTooSlow { late } => format!(
            "the prober itself may have noticed answers up to {} late",
            Human(*late),
        ),
        BesideReason::Partly {
            from,
            to,
            took,
            full,
        } => partly(*from, *to, *took, *full),
        BesideReason::FewHeld { count } => format!(
            "only {count} of its requests got no answer until the first route's requests were over",
        ),
        BesideReason::SomeLate { count, of } => {
            format!("{count} of {of} answers were late, and the others were not")
        }
        BesideReason::Differs { first, again } => format!(
            "the rounds contradict each other: {}, and {}",
            kind(*first),
            kind(*again),
        ),
        BesideReason::Once { took } => format!(
            "it was frozen once, but the first route takes only {}, and a pause of the machine could look \
             the same",
            Human(*took),
        ),
        BesideReason::NotAsked => "nothing was asked".to_owned(),
    }
}

/// It got no answer for a part of the first route's time.
fn partly(from: Duration, to: Duration, took: Duration, full: bool) -> String {
    let no_more = if full {
        ", and so many of its requests were unanswered that no more were sent meanwhile"
    } else {
        ""
    };
    format!(
        "it got no answer from {} to {}, which is only a part of the first route's {}{no_more}",
        Human(from),
        Human(to),
        Human(took),
    )
}
