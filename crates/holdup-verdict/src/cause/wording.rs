//! The cause in words: one sentence, what supports it, and what would refute it.

use super::facts::{Facts, Names, Ran};
use super::kind::{AskNext, Cause, CauseKind};
use super::table::{Rule, Unknown};
use crate::beside::{Beside, BesideKind};
use crate::experiment::Findings;

pub(super) fn cause(rule: Rule, facts: &Facts, findings: &Findings, names: &Names) -> Cause {
    Cause {
        kind: rule.kind,
        sentence: sentence(rule, facts, findings, names),
        evidence: evidence(findings, names),
        refuted_by: refuted_by(rule.kind).map(str::to_owned),
        culprit: None,
        ask_next: match (rule.kind, rule.unknown) {
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
        CauseKind::BlockedLoop => format!(
            "Each request holds the event loop, or the only worker, so that nothing else is answered \
             meanwhile, not even {other}."
        ),
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
        CauseKind::Cores => {
            let share = match facts.ran {
                Ran::Slower(at_a_time @ 2..) => format!("{at_a_time} cores"),
                _ => "one core, or the lock of an interpreter".to_owned(),
            };
            format!(
                "The requests ran side by side and slowed each other down, as if they shared {share}."
            )
        }
        CauseKind::ByUrl => {
            "Requests for the same URL wait for each other, and requests for different \
                             URLs do not: a proxy, a cache or the application locks by URL."
                .to_owned()
        }
        CauseKind::BySession => {
            "Requests with the same cookie or credential wait for each other, and \
                                 requests without one do not: a lock by session."
                .to_owned()
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
        CauseKind::Unknown => unknown_why(rule.unknown, findings, names),
    }
}

fn were(bystanders: usize, names: &Names) -> String {
    match bystanders {
        1 => format!("{} was", names.bystander(0)),
        _ => format!("{bystanders} other routes were"),
    }
}

fn own_queue(facts: &Facts, other: &str, by: Option<usize>, names: &Names) -> String {
    let of = match facts.ran {
        Ran::InTurns(1) => "of which there is only one, such as a lock or a single connection",
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
fn unknown_why(why: Unknown, findings: &Findings, names: &Names) -> String {
    let because =
        |(which, beside): (usize, &Beside)| Some((names.bystander(which), beside.because()?));
    let mut bystanders = findings.beside.iter().enumerate();
    match bystanders.find_map(because) {
        Some((name, because)) if why == Unknown::Bystanders => format!(
            "It is unknown what the requests wait for, because {name} does not show it: {because}. Another \
             route that is fast and always takes the same time would tell more."
        ),
        _ => unknown(why),
    }
}

fn unknown(why: Unknown) -> String {
    match why {
        Unknown::Verdict => {
            "It is unknown what the requests wait for, because the rounds do not show how many run at a \
             time."
        }
        Unknown::NoBystander => {
            "It is unknown what the requests wait for. Asking a route that is fast, while they run, would \
             tell an event loop or workers that are held from a lock, a pool or a limiter."
        }
        Unknown::Bystanders => {
            "It is unknown what the requests wait for, because the other routes do not show it. Another \
             route that is fast and always takes the same time would tell more."
        }
        Unknown::Shared => {
            "It is unknown what the requests wait for. Together they took as long as one after the other, \
             although another route was answered as usual: each of them needs the same lock or connection \
             several times, or all cores. A route that computes for a while would tell, because only the \
             latter slows it down."
        }
        Unknown::LeftBehind => {
            "It is unknown what holds the next request up, because a request is answered before what it \
             leaves behind has ended, so another route cannot be asked meanwhile."
        }
        Unknown::Contradiction => {
            "It is unknown what the requests wait for, because the rounds fit no single cause. Another \
             route that is fast, and has nothing to do with this one, would tell more."
        }
    }
    .to_owned()
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
            "a route of the same process that is answered while one of the requests runs"
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
