//! The verdict in words: one sentence, the numbers it rests on, what to do.

use std::time::Duration;

use super::{Kind, Reason, Verdict};
use crate::timeline::{Lane, Span};

/// The three cures for a handler that blocks its event loop, usually the best first.
const CURES: &str = "If the handler blocks its event loop, there are three cures: \
    (1) an equivalent of the blocking call that is made to be awaited, usually the best; \
    (2) a callback-based equivalent, adapted into a future that the handler awaits; \
    (3) the blocking call itself on a thread pool (in actix-web, web::block).";

/// How the line of evidence begins that shows the steps.
pub(super) const STEPS: &str = "finishes, by steps of about one solo time: ";

/// The verdict in one sentence.
pub(super) fn sentence(verdict: &Verdict) -> String {
    let n = verdict.lanes;
    let solo = Span(verdict.solo.unwrap_or_default());
    match (verdict.kind, &verdict.reason) {
        (Kind::Concurrent, _) => format!(
            "Concurrent: all {n} requests ran at the same time, in {} instead of {} alone.",
            Span(verdict.makespan.unwrap_or_default()),
            solo,
        ),
        (Kind::Serialized, _) => {
            let pace = verdict.makespan.unwrap_or_default() / u32::try_from(n).unwrap_or(u32::MAX);
            format!(
                "Serialized: the {n} requests ran one at a time, one finish every {}.",
                Span(pace)
            )
        }
        (Kind::Limited, Some(Reason::Shared)) => format!(
            "Limited: all {n} requests ran side by side, but shared what serves {} at a time.",
            verdict.at_a_time.unwrap_or_default(),
        ),
        (Kind::Limited, _) => format!(
            "Limited: of {n} requests, {} ran at a time{}.",
            verdict.at_a_time.unwrap_or_default(),
            match verdict.reason {
                Some(Reason::Uneven) => " at most, in lines of uneven length",
                _ => "",
            }
        ),
        (Kind::Inconclusive, _) => format!(
            "Inconclusive: {}.",
            verdict.because().unwrap_or_else(|| "no reason".to_owned())
        ),
    }
}

pub(super) fn because(reason: &Reason, n: usize, solo: Span) -> String {
    let who = |count: &usize, alone: &bool| {
        if *alone {
            "alone, a request".to_owned()
        } else {
            format!("{count} of the requests at once")
        }
    };
    match reason {
        Reason::Uneven => "the lines are of uneven length".to_owned(),
        Reason::Shared => "all ran side by side, but shared what serves fewer".to_owned(),
        Reason::TooFew => "it takes two requests at once to compare".to_owned(),
        Reason::NoSolo => "nothing was measured alone".to_owned(),
        Reason::Failed { count, what, alone } => format!("{} failed: {what}", who(count, alone)),
        Reason::Endless { chunks } => format!(
            "it streams and does not end: {chunks} chunks came within the time that is allowed"
        ),
        Reason::WebSocket => {
            "this is a websocket's route, and a websocket cannot be probed".to_owned()
        }
        Reason::ClientTooSlow { busy, late } => format!(
            "the prober itself was too slow to tell: it was at work for {} and kept from working \
             for {}, and the requests may have ended late for no other reason",
            Span(*busy),
            Span(*late)
        ),
        Reason::Status {
            count,
            status,
            alone,
        } => format!(
            "{} got status {status}{}",
            who(count, alone),
            match status {
                408 | 429 | 503 => ", turned away or queued for too long",
                400.. => "",
                _ => ", unlike the others",
            }
        ),
        Reason::TooShort => format!("alone, a request takes only {solo}, too short to tell"),
        Reason::Distant { round_trip } => format!(
            "of {solo} alone, most may be the network's, with {} a round trip",
            Span(*round_trip)
        ),
        Reason::SoloVaries { low, high } => format!(
            "alone, a request took {} and then {}",
            Span(*low.min(high)),
            Span(*high.max(low))
        ),
        Reason::NotAtOnce => "the requests were not asked at the same time".to_owned(),
        Reason::SlowConnects { count } => format!(
            "{count} of {n} connections took about a second or longer, so the server dropped the \
             first attempt"
        ),
        Reason::FasterThanAlone { count } => {
            format!("{count} of {n} were answered much faster than alone")
        }
        Reason::Stragglers { count } => {
            format!("{count} of {n} waited, the others were as fast as alone")
        }
        Reason::WorseThanOneByOne => {
            "at once, they took longer than one after the other would".to_owned()
        }
        Reason::Slowed => "all were slowed down alike, and none waited for another".to_owned(),
        Reason::Irregular => "the finishes follow no pattern".to_owned(),
        Reason::Differs { first, again } => {
            let count = |at_a_time: &Option<usize>| match at_a_time {
                Some(count) => format!("{count} at a time"),
                None => "no clear number".to_owned(),
            };
            format!(
                "measured twice, it came out differently: {}, then {}",
                count(first),
                count(again)
            )
        }
    }
}

/// The numbers, a line each.
pub(super) fn evidence(verdict: &Verdict, alone: &[Lane]) -> Vec<String> {
    let mut lines = Vec::new();
    let solos: Vec<_> = alone.iter().filter_map(Lane::duration).map(shown).collect();
    if !solos.is_empty() {
        lines.push(format!("alone: {}", solos.join(", ")));
    }
    if let Some(makespan) = verdict.makespan {
        lines.push(format!("{} at once: {}", verdict.lanes, Span(makespan)));
    }
    if let Some(k) = verdict.k {
        lines.push(format!(
            "k = {} × alone ÷ at once = {k:.2} ({} if concurrent, 1 if serialized)",
            verdict.lanes, verdict.lanes
        ));
    }
    if let Some(steps) = steps(verdict) {
        lines.push(format!("{STEPS}{steps}"));
    }
    lines
}

/// The numbers of the same requests, measured once more.
pub(super) fn again(verdict: &Verdict) -> String {
    let makespan = Span(verdict.makespan.unwrap_or_default());
    let steps = steps(verdict).map(|steps| format!(", by steps: {steps}"));
    format!(
        "{} at once, measured again: {makespan}{}",
        verdict.lanes,
        steps.unwrap_or_default()
    )
}

fn steps(verdict: &Verdict) -> Option<String> {
    let steps: Vec<_> = verdict.steps.iter().map(usize::to_string).collect();
    (!steps.is_empty()).then(|| steps.join(", "))
}

fn shown(time: Duration) -> String {
    Span(time).to_string()
}

/// What to do, a line each.
pub(super) fn advice(verdict: &Verdict) -> Vec<String> {
    let lines: &[&str] = match (verdict.kind, &verdict.reason) {
        (Kind::Concurrent, _) => &[],
        (Kind::Serialized, _) => &[
            CURES,
            "If it does not, look for what there is only one of: a worker, a thread, a database \
             connection, a lock (a session's, say), or a proxy that lets one through.",
            "If there are several workers: where they accept from one socket, one of them may get \
             all connections that come together, and each is blocked by a handler that blocks.",
        ],
        (Kind::Limited, Some(Reason::Shared)) => &[
            "The work computes rather than waits: more cores, less work, or another process. One \
             at a time may also be one interpreter lock, or one event loop that its handlers hold \
             in turns.",
        ],
        (Kind::Limited, _) => &[
            "Look for what there are so many of: workers, threads of a pool, database connections, \
             cores. Each serves one request at a time, so each is blocked by it.",
            CURES,
        ],
        (Kind::Inconclusive, reason) => reason.as_ref().map_or(&[], to_do),
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn to_do(reason: &Reason) -> &'static [&'static str] {
    match reason {
        Reason::Uneven | Reason::Shared => &[],
        Reason::TooFew => &["Ask for two or more at once."],
        Reason::NoSolo => &["Measure a request alone first, once the server is warm."],
        Reason::Failed { alone: true, .. } => &[
            "See that the server runs, and that it answers a single request to its end, within the \
             time that is allowed.",
        ],
        Reason::Failed { .. } => &[
            "See that one request alone is answered, then ask for fewer at once. If they timed \
             out, they may have queued: allow more time.",
        ],
        Reason::Endless { .. } => &[
            "Measure its beginning: end each request after its first chunks (--first N), or after \
             some seconds of its body (--for 3s).",
        ],
        Reason::WebSocket => &[
            "Probe a plain route of the same server: a handler that blocks its event loop blocks \
             the sockets on it as well.",
        ],
        Reason::ClientTooSlow { .. } => &[
            "Use a route with a smaller answer, ask for fewer at once, or run the prober where it \
             has a processor for itself.",
        ],
        Reason::Status { .. } => &[
            "Use a route that answers well, and ask for fewer at once if it turns some away. A \
             limit on the rate, a full queue or a log-in may be in front of it.",
        ],
        Reason::TooShort => &[
            "Use a slower route (50 ms or more is best; a parameter that makes it wait, or more \
             data), or ask for more at once.",
        ],
        Reason::Distant { .. } => &["Measure from nearer, or use a slower route."],
        Reason::SoloVaries { .. } => &[
            "Measure again when nothing else uses the server, or use a route whose work is always \
             the same.",
        ],
        Reason::NotAtOnce => &["Use a slower route, or a machine with less to do."],
        Reason::SlowConnects { .. } => &[
            "The queue of new connections overflowed: ask for fewer at once, or raise the server's \
             backlog.",
        ],
        Reason::FasterThanAlone { .. } => &[
            "A cache may have answered: use a URL that is new each time. Or the work itself varies: \
             use a route where it does not.",
        ],
        Reason::Stragglers { .. } => &[
            "Measure again. If it is always so many, and others each time, one worker among \
             several may be held up by a blocking handler: a new connection is dealt to it all the \
             same.",
            "If a limit is just below that number, asking for twice as many at once will show it.",
        ],
        Reason::WorseThanOneByOne => &[
            "Not a queue alone: retries, a limit on the rate, a lock that is tried again, or a \
             machine without room. Ask for fewer at once, and watch the server meanwhile.",
        ],
        Reason::Slowed => &[
            "They share something, or something else held the server up for a moment. Measure \
             again, and look at its cores meanwhile.",
        ],
        Reason::Differs { .. } => &[
            "Measure again when nothing else uses the server, with more at once. If it stays so, \
             new connections may fall on its workers by chance, and so does the number that runs \
             at a time.",
        ],
        Reason::Irregular => &[
            "Measure again when nothing else uses the server, with more at once. If it stays so, \
             the work itself varies, or only a part of it runs one at a time.",
        ],
    }
}
