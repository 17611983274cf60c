//! What to do about a verdict.

use super::platform::Platform;
use super::reason::Reason;
use super::verdict::{Kind, Verdict};

/// The three cures for a handler that blocks its event loop, usually the best first.
const CURES: &str = "If the handler blocks its event loop, there are three cures: \
    (1) an equivalent of the blocking call that is made to be awaited, usually the best; \
    (2) a callback-based equivalent, adapted into a future that the handler awaits; \
    (3) the blocking call itself on a thread pool (in actix-web, web::block).";

/// What a limit may be of.
const MANY: &str = "Look for what there are so many of: workers, threads of a pool, database \
    connections, cores. Each serves one request at a time, so each is blocked by it.";

impl Verdict {
    /// The same verdict with the advice that fits what the server is made of.
    #[must_use]
    pub fn advised_for(mut self, platform: Platform) -> Self {
        self.advice = lines(&self, platform);
        self
    }
}

/// What to do, a line each.
pub(super) fn lines(verdict: &Verdict, platform: Platform) -> Vec<String> {
    let lines: Vec<&str> = match (verdict.kind, &verdict.reason) {
        (Kind::Concurrent, _) => Vec::new(),
        (Kind::Serialized, Some(Reason::Shared)) => vec![
            "Asking at the same time gained nothing, so look for what all of them need and share: one \
             core, an interpreter's lock, an event loop that its handlers hold in turns, a disk or a \
             line that one request fills.",
            "If the work computes, more processes or less work help; if it waits, look for what there \
             is only one of.",
        ],
        (Kind::Serialized, Some(Reason::LeftBehind { .. })) => vec![
            "Look for what the handler starts and does not wait for: a spawned task, a background \
             task, a job after the answer. It runs on the event loop and blocks it, or holds what the \
             next request needs.",
            CURES,
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
            "If the work computes, this is the number of cores that it gets: more of them help, or less \
             work, or another machine. If it waits, all of it waits for something that gets slower when it is \
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
        Reason::Endless { .. } => &[
            "Measure its beginning: end each request after its first chunks, or after some seconds of its \
             body.",
        ],
        Reason::WebSocket => &[
            "Probe a plain route of the same server: a handler that blocks its event loop blocks \
             the sockets on it as well.",
        ],
        Reason::ClientTooSlow { .. } => &[
            "Use a route with a smaller answer, ask for fewer at once, or run the prober where it \
             has a processor for itself.",
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
