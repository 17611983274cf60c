//! What to do about a cause.

use super::facts::{Facts, Ran};
use super::kind::CauseKind;
use crate::advice::{CURES, lines};
use crate::experiment::Findings;
use crate::platform::Platform;

/// What the handler can do instead of holding its worker.
const HOLD_LESS: &str = "Let the handler give its worker back while it waits: await what it waits for, or wait \
    for it in a pool of its own. Or start more workers, or make the pool larger. There have to be as many as may \
    wait at the same time.";

/// The advice that fits the cause, one line per item. As long as the cause is unknown, it is the verdict's; if
/// nothing holds the requests up, there is none.
///
/// The platform only chooses between pieces of advice that fit the cause: a lock is never to be cured by a
/// thread pool.
pub fn cause_advice(findings: &Findings, platform: Platform) -> Vec<String> {
    match findings.cause.kind {
        CauseKind::Unknown => lines(&findings.verdict, platform),
        kind => {
            let advice = about(kind, Facts::of(findings).ran, platform);
            advice.into_iter().map(str::to_owned).collect()
        }
    }
}

pub(super) fn about(kind: CauseKind, ran: Ran, platform: Platform) -> Vec<&'static str> {
    match kind {
        CauseKind::None | CauseKind::Unknown => Vec::new(),
        CauseKind::BlockedLoop => blocked_loop(platform),
        CauseKind::Workers => match platform {
            Platform::Php | Platform::Processes => {
                let own = platform.several_at_a_time();
                own.into_iter().chain([HOLD_LESS]).collect()
            }
            _ => vec![HOLD_LESS],
        },
        CauseKind::OwnQueue => own_queue(ran, platform),
        CauseKind::OneWorkerOfSeveral => vec![
            CURES,
            "More workers make it rarer, but new connections still go to workers that are held. A proxy in \
             front of the workers that gives each of them one request at a time lets the others go to those \
             that are free.",
        ],
        CauseKind::Cores => vec![
            "Give the server more cores, or let a request compute less.",
            "In a language whose interpreter has a lock (Python, Ruby), the threads of a process share one core: \
             use more processes. Node.js computes on one thread, so use worker threads or more processes.",
            "If the cores are idle meanwhile, more of them change nothing. Then look for a database, a disk or a \
             network link that the requests share, or for an event loop that handlers block for moments at a time.",
        ],
        CauseKind::ByUrl => vec![
            "If one answer is to serve all requests for a URL, nothing has to be done. Otherwise look for what \
             lets one request per URL through: a cache in front of the server (nginx: proxy_cache_lock; \
             Varnish: hit-for-pass avoids it), or a lock in the application whose key is the URL.",
        ],
        CauseKind::BySession => vec![by_session(ran, platform)],
        CauseKind::ByConnection => vec![
            "Look for what is bounded for each connection: how many streams the server lets one connection have \
             (SETTINGS_MAX_CONCURRENT_STREAMS; nginx: http2_max_concurrent_streams), or a worker that gets all \
             streams of a connection and is held by the first one.",
            "A client that cannot wait, such as one of gRPC, can spread its requests over several connections.",
        ],
        CauseKind::Proxy => vec![
            "Look at how many requests the proxy passes on at a time: maxconn of HAProxy's server lines, \
             limit_conn and max_conns of nginx, max of Apache's ProxyPass, the circuit breakers of Envoy, \
             inFlightReq of Traefik.",
        ],
    }
}

/// One request holds the server's only worker.
fn blocked_loop(platform: Platform) -> Vec<&'static str> {
    match platform {
        Platform::EventLoop => vec![CURES],
        Platform::Unknown => vec![
            CURES,
            "If the server has a single worker or thread that serves one request at a time, start more of them.",
        ],
        Platform::Php | Platform::Processes => {
            let own = platform.one_at_a_time();
            own.into_iter().collect()
        }
        Platform::Threads | Platform::Go => vec![
            "The server has a single thread for all routes, or one that all of them need: start more, or let the \
             handler give it back while it waits.",
        ],
    }
}

fn own_queue(ran: Ran, platform: Platform) -> Vec<&'static str> {
    let one = matches!(ran, Ran::InTurns(1) | Ran::Slower(1) | Ran::AfterLeftovers);
    let own = match platform {
        Platform::Php | Platform::Threads | Platform::Go if one => platform.one_at_a_time(),
        Platform::Threads | Platform::Go => platform.several_at_a_time(),
        _ => None,
    };
    let first = match own {
        Some(own) => own,
        None if one => {
            "Look for what the requests of this route share and only one of them can have at a time: a lock, \
             a database connection, a transaction, a limiter. Or look for a rate limit, and raise it."
        }
        None => {
            "Look for what the requests of this route share, and of which there are this many: the connections \
             of a pool, the permits of a semaphore or a limiter, the threads of a pool."
        }
    };
    let second = if one {
        "Hold it for a shorter time, only around what needs it and not while waiting for something else, or \
         divide it, so that each request needs another part."
    } else {
        "Hold each of them for a shorter time, or allow more of them, if what is behind can take it."
    };
    vec![first, second]
}

fn by_session(ran: Ran, platform: Platform) -> &'static str {
    if matches!(ran, Ran::InTurns(2..) | Ran::Slower(2..)) {
        return "Look for a limiter or a pool whose key is the session or the user, and raise what it lets through.";
    }
    if platform == Platform::Php {
        return "session_start() locks the session until the request ends. Call session_write_close() as soon as \
                nothing more is written to it, or open it with session_start(['read_and_close' => true]) if \
                nothing is.";
    }
    "Look for a lock whose key is the session or the user, and hold it only while the session is read or written \
     (PHP: session_write_close(), or session_start(['read_and_close' => true]); ASP.NET: read-only session \
     state)."
}
