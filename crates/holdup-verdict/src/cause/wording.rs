//! The cause in words: one sentence, what supports it, and what would refute it.

use super::facts::{Bystander, Facts, Names, Ran};
use super::kind::{AskNext, Cause, CauseKind};
use super::table::{Rule, Unknown};
use crate::beside::{Beside, BesideKind};
use crate::experiment::Findings;
use crate::reason::Reason;
use crate::session::Session;
use crate::verdict::Kind;
use holdup_model::HumanDuration as Human;

pub(super) fn cause(rule: Rule, facts: &Facts, findings: &Findings, names: &Names) -> Cause {
    let maybe_session = is_maybe_session(rule, findings, names);
    let sentence = sentence(rule, facts, findings, names);
    let sentence = match rule.by.filter(|_| maybe_session) {
        Some(by) => {
            let what = match rule.kind {
                CauseKind::Workers => "a limit for each session",
                _ => "a lock by session",
            };
            format!(
                "{sentence} Or they wait for {what}: {} gets the same cookie or credential, so it would wait, too.",
                names.bystander(by)
            )
        }
        None => sentence,
    };
    Cause {
        kind: rule.kind,
        sentence,
        evidence: evidence(findings, names),
        refuted_by: refuted_by(rule.kind).map(str::to_owned),
        culprit: None,
        ask_next: match (rule.kind, rule.unknown) {
            _ if maybe_session && findings.session.is_none() => Some(AskNext::Session),
            (CauseKind::Unknown, Unknown::NoBystander) => Some(AskNext::Bystander),
            (CauseKind::Unknown, Unknown::Bystanders | Unknown::Contradiction) => {
                Some(AskNext::AnotherBystander)
            }
            _ => None,
        },
    }
}

fn sentence(rule: Rule, facts: &Facts, findings: &Findings, names: &Names) -> String {
    let other = rule.by.map_or("another route", |by| names.bystander(by));
    let bystander = rule.by.and_then(|by| facts.bystanders.get(by));
    match rule.kind {
        CauseKind::BlockedLoop => blocked_loop(facts.ran, bystander, other),
        CauseKind::Workers => {
            let (free, by) = bystander.map_or((0, 0), |bystander| {
                (bystander.untouched_by, bystander.frozen_by.unwrap_or(0))
            });
            let workers = match facts.ran {
                Ran::InTurns(at_a_time) => format!("all {at_a_time} workers"),
                _ => "all workers".to_owned(),
            };
            format!(
                "The requests take {workers}, or all places of a pool that {other} needs, too: it was \
                 answered while {free} ran, and waited while {by} ran.",
            )
        }
        CauseKind::OwnQueue => own_queue(facts, other, rule.by, names),
        CauseKind::OneWorkerOfSeveral => format!(
            "Each request holds one worker of several, and with it all other requests on that worker: some \
             of the requests to {other} waited, and the others did not."
        ),
        CauseKind::Cores => match facts.ran {
            Ran::Slower(at_a_time @ 2..) => format!(
                "The requests ran side by side and slowed each other and {other} down, as if they shared \
                 {at_a_time} cores, or as many of something else that {other} needs, too, such as a database."
            ),
            _ => format!(
                "The requests ran side by side and slowed each other and {other} down, as if they shared one \
                 core, the lock of an interpreter, or a link that one of them fills. An event loop that each of \
                 them blocks often, but only for moments, looks the same."
            ),
        },
        CauseKind::ByUrl => {
            "Requests for the same URL wait for each other, and requests for different \
                             URLs do not: a proxy, a cache or the application locks by URL."
                .to_owned()
        }
        CauseKind::BySession => {
            let what = match facts.ran {
                Ran::InTurns(2..) | Ran::Slower(2..) => "limit for each",
                _ => "lock by",
            };
            format!(
                "Requests with the same cookie or credential wait for each other, and requests without one do \
                 not: a {what} session."
            )
        }
        CauseKind::ByConnection => {
            "Requests on one HTTP/2 connection wait for each other, and requests on \
                                    connections of their own do not."
                .to_owned()
        }
        CauseKind::Proxy => {
            let direct = names.versus.as_deref().unwrap_or("the second URL");
            format!(
                "The proxy holds the requests up: more of them ran at a time when they were sent to {direct}."
            )
        }
        CauseKind::None => match &facts.bystanders[..] {
            [] => "Nothing holds the requests up: they ran at the same time.".to_owned(),
            all => format!(
                "Nothing holds the requests up: they ran at the same time, and {} answered as usual \
                 meanwhile.",
                were(all.len(), names)
            ),
        },
        CauseKind::Unknown if facts.ran == Ran::Together => {
            "The requests do not wait for each other, but it is unknown what they do to the other routes. \
             Another route that is fast and always takes the same time would tell more."
                .to_owned()
        }
        CauseKind::Unknown => unknown_why(rule, facts, findings, names),
    }
}

fn were(bystanders: usize, names: &Names) -> String {
    match bystanders {
        1 => format!("{} was", names.bystander(0)),
        _ => format!("{bystanders} other routes were"),
    }
}

/// The event loop is held while a request runs, or for a part of that time.
fn blocked_loop(ran: Ran, bystander: Option<&Bystander>, other: &str) -> String {
    let holds = "Each request holds the event loop, or the only worker";
    // A bystander that needs the same looks like one that is on the same loop.
    let or_another =
        format!("{holds}, or something else of which there is one and which {other} needs, too");
    let is_all = match ran {
        Ran::Unclear | Ran::Slower(2..) => false,
        _ => bystander.is_none_or(Bystander::is_frozen_by_one),
    };
    match bystander.and_then(|bystander| bystander.beside_one) {
        Some(pieces) if !is_all && pieces.count > 1 => format!(
            "{or_another}, again and again: while one of them ran, {other} got no answer for {} at a time.",
            Human(pieces.length)
        ),
        Some(pieces) if !is_all => format!(
            "{or_another}, for a part of its time: while one of them ran, {other} got no answer for {}.",
            Human(pieces.silent)
        ),
        _ => format!("{holds}, so that {other} is not answered meanwhile."),
    }
}

/// Whether a lock by session would look the same, because the bystander belongs to the same session.
fn is_maybe_session(rule: Rule, findings: &Findings, names: &Names) -> bool {
    let is_held = matches!(rule.kind, CauseKind::BlockedLoop | CauseKind::Workers);
    let is_known = |session: &Session| session.verdict != Kind::Inconclusive;
    is_held
        && rule.by.is_some_and(|by| names.is_same_session(by))
        && !findings.session.as_ref().is_some_and(is_known)
}

fn own_queue(facts: &Facts, other: &str, by: Option<usize>, names: &Names) -> String {
    let of = match facts.ran {
        Ran::InTurns(1) => {
            "of which there is only one, such as a lock or a single connection, or for a rate limit that lets \
             one through at a time"
        }
        _ => "of their own, such as a pool or a limiter",
    };
    let untouched = by
        .and_then(|by| facts.bystanders.get(by))
        .is_some_and(|bystander| bystander.kind != BesideKind::Frozen);
    if !untouched {
        return format!(
            "The requests wait for something {of}. Each one that waits takes a worker, so that {other} waits \
             as well when there are enough of them."
        );
    }
    let sentence = format!(
        "The requests wait for something {of}: {other} was answered as usual meanwhile, so the server had \
         time."
    );
    let held = |kind| matches!(kind, BesideKind::Frozen | BesideKind::SomeFrozen);
    let mut bystanders = facts.bystanders.iter();
    match bystanders.position(|bystander| held(bystander.kind)) {
        Some(which) => format!(
            "{sentence} {} waited: it needs the same thing.",
            names.bystander(which)
        ),
        None => sentence,
    }
}

/// The cause is unknown: because of the first bystander that shows nothing, if that is why.
fn unknown_why(rule: Rule, facts: &Facts, findings: &Findings, names: &Names) -> String {
    let other = rule.by.map_or("another route", |by| names.bystander(by));
    let because =
        |(which, beside): (usize, &Beside)| Some((names.bystander(which), beside.because()?));
    let mut bystanders = findings.beside.iter().enumerate();
    let why = match (rule.unknown, bystanders.find_map(because)) {
        (Unknown::Bystanders, Some((name, because))) => format!(
            ", because {name} does not show it: {because}. Another route that is fast and always takes the same \
             time would tell more."
        ),
        (Unknown::Verdict, _) => unknown_number(facts, findings, names),
        (Unknown::Shared, _) => shared(facts.ran),
        (Unknown::Pieces, _) => {
            let bystander = rule.by.and_then(|by| facts.bystanders.get(by));
            let pieces = bystander.and_then(|bystander| bystander.beside_one);
            format!(
                ". While one of them ran, {other} got no answer for {} at a time. Either each of them blocks the \
                 event loop again and again, or it computes where there are too few cores for the two of them, or \
                 where threads share the lock of an interpreter. If the cores are idle meanwhile, it is the event \
                 loop.",
                Human(pieces.unwrap_or_default().length)
            )
        }
        (Unknown::SlowedByOne, _) => format!(
            ". They slowed each other down as if they shared several cores, but then one of them alone leaves a \
             core to {other}, which was not answered as usual beside one. Each of them may block an event loop, or \
             one worker of several, for a part of its time. If the cores are idle meanwhile, it is that."
        ),
        (why, _) => unknown(why).to_owned(),
    };
    format!("It is unknown what the requests wait for{why}")
}

/// The rounds show no number. What a bystander shows all the same is the half of the answer that is known.
fn unknown_number(facts: &Facts, findings: &Findings, names: &Names) -> String {
    let reason = findings.verdict.reason.as_ref();
    let is_part = matches!(reason, Some(Reason::PartOneByOne { .. }));
    let why = if is_part {
        ". Part of their work is done one at a time."
    } else {
        ", because the rounds do not show how many run at a time."
    };
    let tells = |bystander: &Bystander| {
        bystander.is_frozen_by_one() || is_part && bystander.kind == BesideKind::Untouched
    };
    let which = facts.bystanders.iter().position(tells);
    let beside = which.and_then(|which| Some((which, findings.beside.get(which)?)));
    match beside {
        Some((which, beside)) => {
            let beside = beside.clone().named(names.bystander(which));
            format!("{why} {}", beside.sentence)
        }
        None => why.to_owned(),
    }
}

/// They slowed each other down, and another route was answered as usual.
fn shared(ran: Ran) -> String {
    let (how, what) = match ran {
        Ran::Slower(at_a_time @ 2..) => (
            format!("They ran side by side, as if they shared {at_a_time} of something"),
            "it may be cores, the connections of a pool, a database, a disk or a network link",
        ),
        _ => (
            "Together they took as long as one after the other".to_owned(),
            "each of them needs the same lock or connection several times, or a disk or a network link that one \
             of them fills, or all cores",
        ),
    };
    format!(
        ". {how}, although another route was answered as usual: {what}. A route that computes for a while would \
         tell, because only requests that need the cores slow it down."
    )
}

/// The other reasons, after what is unknown.
fn unknown(why: Unknown) -> &'static str {
    match why {
        Unknown::NoBystander => {
            ". Asking a route that is fast, while they run, would tell an event loop or workers that are held \
             from a lock, a pool or a limiter."
        }
        Unknown::LeftBehind => {
            ", because a request is answered before what it leaves behind has ended, so another route cannot be \
             asked meanwhile."
        }
        Unknown::Contradiction => {
            ", because the rounds fit no single cause. Another route that is fast, and has nothing to do with \
             this one, would tell more."
        }
        // Those that are worded with what was measured; these have no reason of their own.
        Unknown::Bystanders
        | Unknown::Verdict
        | Unknown::Shared
        | Unknown::Pieces
        | Unknown::SlowedByOne => {
            ", because the other routes do not show it. Another route that is fast and always takes the same \
             time would tell more."
        }
    }
}

/// What each contrast found.
fn evidence(findings: &Findings, names: &Names) -> Vec<String> {
    let mut lines = Vec::new();
    for (which, beside) in findings.beside.iter().enumerate() {
        lines.push(beside.clone().named(names.bystander(which)).sentence);
    }
    lines.extend(findings.limit.iter().map(|limit| limit.sentence.clone()));
    let connection = findings.connection.as_ref();
    lines.extend(connection.map(|connection| connection.sentence.clone()));
    let session = findings.session.as_ref();
    lines.extend(session.map(|session| session.sentence.clone()));
    lines.extend(findings.versus.iter().map(|versus| versus.sentence.clone()));
    lines.retain(|line| !line.is_empty());
    lines
}

/// The observation that would show that the cause is another one.
fn refuted_by(kind: CauseKind) -> Option<&'static str> {
    Some(match kind {
        CauseKind::BlockedLoop => {
            "a route of the same process that is answered as usual while one of the requests runs"
        }
        CauseKind::Workers => {
            "a route of the same process that is answered while as many of the requests run"
        }
        CauseKind::OwnQueue => {
            "a route that has nothing to do with this one, and waits as well while a single request runs"
        }
        CauseKind::OneWorkerOfSeveral => {
            "all connections to the other route waiting, or none of them, while one request runs"
        }
        CauseKind::Cores => {
            "cores that are idle while the requests run, or requests that take as long with more cores"
        }
        CauseKind::ByUrl => "requests for different URLs that wait for each other as well",
        CauseKind::BySession => "requests of different sessions that wait for each other as well",
        CauseKind::ByConnection => {
            "requests on different connections that wait for each other as well"
        }
        CauseKind::Proxy => "requests past the proxy that wait for each other as well",
        CauseKind::None => "more requests at once, if those wait for each other",
        CauseKind::Unknown => return None,
    })
}
