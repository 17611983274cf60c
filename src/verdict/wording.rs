//! The verdict in words: one sentence, the numbers it rests on, what to do.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Kind, Platform, Reason, Verdict, groups};
use crate::timeline::{Lane, Span, Timeline};

/// The three cures for a handler that blocks its event loop, usually the best first.
const CURES: &str = "If the handler blocks its event loop, there are three cures: \
    (1) an equivalent of the blocking call that is made to be awaited, usually the best; \
    (2) a callback-based equivalent, adapted into a future that the handler awaits; \
    (3) the blocking call itself on a thread pool (in actix-web, web::block).";

/// What a limit may be of.
const MANY: &str = "Look for what there are so many of: workers, threads of a pool, database \
    connections, cores. Each serves one request at a time, so each is blocked by it.";

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
        (Kind::Serialized, Some(Reason::Shared)) => format!(
            "Serialized: together the {n} requests took {}, as long as one after the other, though \
             they did not end one by one.",
            Span(verdict.makespan.unwrap_or_default()),
        ),
        (Kind::Serialized, Some(Reason::LeftBehind { answer, behind })) => format!(
            "Serialized: each answer comes after {}, but what a request leaves behind blocks the next \
             ones for {}.",
            Span(*answer),
            Span(*behind),
        ),
        (Kind::Serialized, reason) => {
            let pace = verdict.makespan.unwrap_or_default() / u32::try_from(n).unwrap_or(u32::MAX);
            format!(
                "Serialized: the {n} requests ran one at a time, one finish every {}{}.",
                Span(pace),
                match reason {
                    Some(Reason::OwnPace { factor }) =>
                        format!(", {factor:.1} × as long as one takes alone"),
                    _ => String::new(),
                },
            )
        }
        (Kind::Limited, Some(Reason::Shared)) => format!(
            "Limited: all {n} requests ran side by side, but shared what serves {} at a time.",
            verdict.at_a_time.unwrap_or_default(),
        ),
        (Kind::Limited, Some(Reason::Rate { burst, each, every })) => format!(
            "Limited: of {n} requests, {burst} went through together, and then {each} every {}: a \
             limit on the rate.",
            Span(*every),
        ),
        (Kind::Limited, Some(Reason::LeftBehind { answer, behind })) => format!(
            "Limited: each answer comes after {}, but what a request leaves behind blocks the next \
             ones for {}, of {n} requests {} at a time.",
            Span(*answer),
            Span(*behind),
            verdict.at_a_time.unwrap_or_default(),
        ),
        (Kind::Limited, reason) => format!(
            "Limited: of {n} requests, {} ran at a time{}.",
            verdict.at_a_time.unwrap_or_default(),
            match reason {
                Some(Reason::Uneven) => " at most, in lines of uneven length".to_owned(),
                Some(Reason::OwnPace { factor }) =>
                    format!(", and each batch took {factor:.1} × as long as one takes alone"),
                _ => String::new(),
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
        Reason::Shared => "together they took as long as if fewer of them ran at a time".to_owned(),
        Reason::OwnPace { factor } => {
            format!("each batch takes {factor:.1} × as long as one request alone")
        }
        Reason::Rate { burst, each, every } => format!(
            "{burst} of {n} went through at first, and then {each} every {}: a limit on the rate, or \
             tries that are repeated at an interval",
            Span(*every)
        ),
        Reason::LeftBehind { answer, behind } => format!(
            "each answer comes after {}, but what a request leaves behind blocks the next ones for {}",
            Span(*answer),
            Span(*behind)
        ),
        Reason::TooFew => "it takes two requests at once to compare".to_owned(),
        Reason::NoSolo => "nothing was measured alone".to_owned(),
        Reason::Failed { count, what, alone } => format!("{} failed: {what}", who(count, alone)),
        Reason::Status {
            count,
            status,
            alone,
            after,
            well,
        } => {
            let mut words = format!("{} got status {status}", who(count, alone));
            match (status, after) {
                (500.., Some(after)) => {
                    let _ = write!(
                        words,
                        " after {}, as a pool's time-out gives it",
                        Span(*after)
                    );
                }
                (408 | 429 | 503, _) => words.push_str(", turned away or queued for too long"),
                (400.., _) => {}
                _ => words.push_str(", unlike the others"),
            }
            if let Some(well) = well {
                let _ = write!(words, "; those answered well ran {well} at a time");
            }
            words
        }
        Reason::TooShort => format!("alone, a request takes only {solo}, too short to tell"),
        Reason::Kept { first, later } => format!(
            "the first request took {}, later ones {}: an answer is kept, and the added x= does not \
             matter to it, or the first request started something up",
            Span(*first),
            Span(*later)
        ),
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
        Reason::PartOneByOne { each } => format!(
            "one finished every {}, while one alone takes {solo}: a part of the work is done one at a \
             time, and the rest is not",
            Span(*each)
        ),
        Reason::Irregular => "the finishes fit no number at a time".to_owned(),
        Reason::Differs { first, again } => {
            let count = |at_a_time: &Option<usize>| match at_a_time {
                Some(count) => format!("{count} at a time"),
                None => "no clear number".to_owned(),
            };
            format!(
                "measured twice, it came out differently: {}, then {}{}",
                count(first),
                count(again),
                if first < again && first.is_some() {
                    "; some of it may have been starting up"
                } else {
                    ""
                }
            )
        }
    }
}

/// The numbers, a line each.
pub(super) fn evidence(verdict: &Verdict, alone: &[Lane], at_once: &Timeline) -> Vec<String> {
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
    let own_pace = matches!(verdict.reason, Some(Reason::OwnPace { .. }));
    if let Some(steps) = steps(verdict).filter(|_| !own_pace) {
        lines.push(format!(
            "finishes, by steps of about one solo time: {steps}"
        ));
    } else if let Some(groups) = groups::listed(at_once, verdict.solo.unwrap_or_default()) {
        lines.push(format!("finishes: {groups}"));
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
pub(super) fn advice(verdict: &Verdict, platform: Platform) -> Vec<String> {
    let lines: Vec<&str> = match (verdict.kind, &verdict.reason) {
        (Kind::Concurrent, _) => Vec::new(),
        (Kind::Serialized, Some(Reason::Shared)) => vec![
            "Nothing ran at the same time, or all of it shared one core: an interpreter's lock, an \
             event loop that its handlers hold in turns, or one worker that answers all when it is \
             done with all.",
            "If the work computes, it takes more processes or less work; if it waits, look for what \
             there is only one of.",
        ],
        (Kind::Serialized | Kind::Limited, Some(Reason::LeftBehind { .. })) => vec![
            "Look for what the handler starts and does not wait for: a spawned task, a background \
             task, a job after the answer. It runs on the event loop and blocks it, or holds what the \
             next request needs.",
            CURES,
            "A limit on the rate looks the same if it lets one request through at a time.",
        ],
        (Kind::Serialized, _) => {
            let first = platform.one_at_a_time();
            let mut lines = vec![
                first.unwrap_or(CURES),
                match first {
                    None => {
                        "If it does not, look for what there is only one of: a worker, a thread, a \
                         database connection, a lock (a session's, say), or a proxy or a limit on \
                         the rate that lets one through."
                    }
                    Some(_) => {
                        "Otherwise look for what there is only one of: a worker, a database \
                         connection, or a proxy or a limit on the rate that lets one through."
                    }
                },
            ];
            if matches!(platform, Platform::Unknown | Platform::EventLoop) {
                lines.push(
                    "If there are several workers: where they accept from one socket, one of them \
                     may get all connections that come together, and each is blocked by a handler \
                     that blocks.",
                );
            }
            lines
        }
        (Kind::Limited, Some(Reason::Shared)) => vec![
            "If the work computes, this is the number of cores: it takes more of them, less work, or \
             another machine. If it waits, all of it waits for something that gets slower when it is \
             shared, such as a disk, a database or a line.",
        ],
        (Kind::Limited, Some(Reason::Rate { .. })) => vec![
            "Look for a limit on the rate, in the application, a proxy or an API gateway: its burst \
             is what went through together.",
            "One worker of several looks the same if it happens to get all others: measure again.",
        ],
        (Kind::Limited, Some(Reason::OwnPace { .. })) => vec![
            "A server that works on requests in batches looks so (its batch size is the number), and \
             so does a pool with more threads than there are cores.",
            platform.several_at_a_time().unwrap_or(MANY),
        ],
        (Kind::Limited, _) => match platform.several_at_a_time() {
            Some(first) => vec![first],
            None => vec![MANY, CURES],
        },
        (Kind::Inconclusive, reason) => reason.as_ref().map_or(&[][..], to_do).to_vec(),
    };
    lines.into_iter().map(str::to_owned).collect()
}

fn to_do(reason: &Reason) -> &'static [&'static str] {
    match reason {
        Reason::Uneven | Reason::Shared | Reason::OwnPace { .. } => &[],
        Reason::Rate { .. } => &[
            "Look for a limit on the rate, in the application, a proxy or an API gateway, and for a \
             lock that is tried again at an interval.",
        ],
        Reason::LeftBehind { .. } => &[
            "Look for what the handler starts and does not wait for: a spawned task, a background \
             task, a job after the answer.",
        ],
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
        Reason::Status {
            status: 500..,
            after: Some(_),
            ..
        } => &[
            "Look for a pool of what those ran on that were answered well, such as database \
             connections: the others waited for a free one until their time was up.",
            "Ask for fewer at once to see the limit without the errors.",
        ],
        Reason::Status { .. } => &[
            "Use a route that answers well, and ask for fewer at once if it turns some away. A \
             limit on the rate, a full queue or a log-in may be in front of it.",
        ],
        Reason::TooShort => &[
            "Use a slower route (50 ms or more is best; a parameter that makes it wait, or more \
             data), or ask for more at once.",
        ],
        Reason::Kept { .. } => &[
            "Make the URLs differ where it matters to the server: put {} into the URL, a header or the \
             body, and it is replaced by a label that is new for each request.",
            "If the first request did start something up, use a slower route.",
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
        Reason::PartOneByOne { .. } => &[
            "Look for a lock, a connection or a limit on the rate that is needed for a part of the \
             work. With more at once, that part decides how long all take.",
        ],
        Reason::Irregular => &[
            "Measure again when nothing else uses the server, with more at once.",
            "If it stays so, look at the groups of the finishes: a pool that grows while it is used, \
             tries that are repeated at an interval, batches, or work that goes on after the answer \
             make such pictures, and so does work that varies.",
        ],
    }
}
