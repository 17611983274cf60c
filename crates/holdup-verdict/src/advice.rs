//! The advice that accompanies a verdict.

use super::platform::Platform;
use super::reason::Reason;
use super::verdict::{Kind, Verdict};

/// The three cures for a handler that blocks its event loop, usually the best first.
pub(super) const CURES: &str = "If the handler blocks its event loop, there are three cures: \
    (1) an equivalent of the blocking call that is made to be awaited, usually the best; \
    (2) a callback-based equivalent, adapted into a future that the handler awaits; \
    (3) the blocking call itself on a thread pool (in actix-web, web::block).";

/// Advice for a limit whose cause is unknown.
const MANY: &str = "Look for something of which there are this many: workers, threads of a pool, database \
    connections, cores. Each of them serves one request at a time.";

impl Verdict {
    /// Returns the same verdict with advice that fits the server's platform.
    #[must_use]
    pub fn advised_for(mut self, platform: Platform) -> Self {
        self.advice = lines(&self, platform);
        self
    }
}

/// The advice, one line per item.
pub(super) fn lines(verdict: &Verdict, platform: Platform) -> Vec<String> {
    let lines: Vec<&str> = match (verdict.kind, &verdict.reason) {
        (Kind::Concurrent, _) => Vec::new(),
        (Kind::Serialized, Some(Reason::Shared)) => vec![
            "Sending the requests at the same time gained nothing, so look for something that all of them \
             share: one core, an interpreter's lock, an event loop that handlers block in turns, a disk or \
             a network link that one request fills.",
            "If the work computes, use more processes or do less work. If it waits, look for something of \
             which there is only one.",
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
                        "If it does not, look for something of which there is only one: a worker, a \
                         thread, a database connection, a lock (such as a session's), or a proxy or a \
                         rate limit that lets one request through at a time."
                    }
                    Some(_) => {
                        "Otherwise look for something of which there is only one: a worker, a database \
                         connection, or a proxy or a rate limit that lets one request through at a time."
                    }
                },
            ];
            if matches!(platform, Platform::Unknown | Platform::EventLoop) {
                lines.push(
                    "If there are several workers that accept from one socket, one of them may get all \
                     connections that come together, and a handler that blocks then holds up all of them.",
                );
            }
            lines
        }
        (Kind::Limited, Some(Reason::Shared)) => vec![
            "If the work computes, this is the number of cores that it gets: give it more cores, or less work. \
             If it waits, look for something that gets slower when requests share it, such as a disk, a \
             database or a network link, or an event loop that each of them blocks for a part of its time.",
        ],
        (Kind::Limited, Some(Reason::Rate { .. })) => vec![
            "Look for a rate limit in the application, a proxy or an API gateway. It lets a burst of this size \
             through together.",
            "If one of several workers happens to get all the other requests, the result looks the same. Measure \
             again to rule this out.",
        ],
        (Kind::Limited, Some(Reason::OwnPace { .. })) => vec![
            "A server that processes requests in batches of this size looks like this, and so does a pool \
             with more threads than there are cores.",
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
            "Look for a rate limit in the application, a proxy or an API gateway, and for a lock that is \
             retried at an interval.",
        ],
        Reason::LeftBehind { .. } => &[
            "Look for what the handler starts and does not wait for: a spawned task, a background \
             task, a job after the answer.",
        ],
        Reason::TooFew => &["Send two or more requests at once."],
        Reason::NoSolo => &["Measure one request alone first, when the server is warm."],
        Reason::Failed { alone: true, .. } => &[
            "Make sure that the server runs, and that it answers a single request completely within the \
             time allowed.",
        ],
        Reason::Failed { .. } => &[
            "Make sure that one request alone is answered, then send fewer at once. If they timed out, they \
             may have been queued: allow more time.",
        ],
        Reason::Endless { .. } => &[
            "Measure the beginning of the answer: count it as ended after its first chunks, or some seconds after \
             its body began.",
        ],
        Reason::WebSocket => &[
            "Probe a plain route of the same server: a handler that blocks the event loop blocks the \
             WebSockets on it as well.",
        ],
        Reason::ClientTooSlow { .. } => &[
            "Use a route with a smaller response, send fewer requests at once, or run the prober on a \
             machine that is less busy.",
        ],
        Reason::Status {
            status: 500..,
            after: Some(_),
            ..
        } => &[
            "Look for a pool, such as one of database connections. The successful requests used all that it has, \
             and the others waited for a free one until they timed out.",
            "Send fewer requests at once to see the limit without the errors.",
        ],
        Reason::Status { .. } => &[
            "Use a route that succeeds, and send fewer requests at once if it turns some away. A rate limit, \
             a full queue or a log-in may be in front of it.",
        ],
        Reason::TooShort => &[
            "Use a route that takes 50 ms or more (a parameter may make it wait, or return more data), or send \
             more requests at once.",
        ],
        Reason::Kept { .. } => &[
            "Make the URLs differ where it matters to the server: put {} into the URL, a header or the \
             body, and it is replaced by a label that is new for each request.",
            "If the first request started something up, use a slower route.",
        ],
        Reason::Distant { .. } => &["Run the prober nearer to the server, or use a slower route."],
        Reason::SoloVaries { .. } => &[
            "Measure again when nothing else uses the server, or use a route whose work is always \
             the same.",
        ],
        Reason::NotAtOnce => {
            &["Use a slower route, or run the prober on a machine that is less busy."]
        }
        Reason::SlowConnects { .. } => &[
            "The queue of new connections overflowed: send fewer requests at once, or raise the server's \
             backlog.",
        ],
        Reason::FasterThanAlone { .. } => &[
            "A cache may have answered: use a URL that is new each time. Or the work varies: use a route whose \
             work is always the same.",
        ],
        Reason::Stragglers { .. } => &[
            "Measure again. If as many wait each time, but not always the same ones, a handler may be \
             blocking one worker of several, which gets new connections all the same.",
            "A limit may be just below the number of requests: send twice as many at once to see it.",
        ],
        Reason::WorseThanOneByOne => &[
            "A queue alone does not explain it: look for retries, a rate limit, a lock that is retried, or \
             a machine without free memory or cores. Send fewer requests at once, and watch the server \
             meanwhile.",
        ],
        Reason::Slowed => &[
            "The requests share something, or something else held the server up for a moment. Measure again, \
             and watch its cores meanwhile.",
        ],
        Reason::Differs { .. } | Reason::ComparedDiffer { .. } => &[
            "Measure again when nothing else uses the server, with more requests at once. If the results still \
             differ, new connections may fall on its workers by chance, and then the number that runs at a \
             time depends on chance, too.",
        ],
        Reason::PartOneByOne { .. } => &[
            "Look for a lock, a connection or a rate limit that part of the work needs. With more requests \
             at once, that part decides how long all of them take.",
        ],
        Reason::Irregular => &[
            "Measure again when nothing else uses the server, with more requests at once.",
            "If the pattern stays, look at the groups of finish times: they may come from a pool that grows while \
             it is used, from retries at an interval, from batches, from work that goes on after the \
             response, or from work that varies.",
        ],
    }
}
