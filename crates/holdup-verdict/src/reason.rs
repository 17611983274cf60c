//! Why a verdict is inconclusive, or what is special about a limit.

use std::time::Duration;

/// Why a verdict is inconclusive, or what explains a limit that is not a plain queue.
///
/// [`Verdict::sentence`](super::Verdict::sentence) and [`Verdict::advice`](super::Verdict::advice) put it
/// into words.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// With a limit: the steps are not equally wide, as when each worker has a queue of its own and
    /// requests are distributed unevenly.
    Uneven,
    /// With a limit: all finished together, slowed down in proportion. They ran side by side, but contended
    /// for something that serves fewer, such as cores. When serialized: together they took as long as one
    /// after the other, although they did not end one by one.
    Shared,
    /// When limited or serialized: the requests ran in batches of one size, and a batch takes longer
    /// than one request alone.
    OwnPace {
        /// How much longer: the time of a batch, divided by the time of one alone.
        factor: f64,
    },
    /// A burst went through together, and after it one (or a few) at a time, at a regular interval: a rate
    /// limit, such as a token bucket.
    Rate {
        /// How many went through together.
        burst: usize,
        /// How many then came at a time.
        each: usize,
        /// The interval.
        every: Duration,
    },
    /// The answer comes soon, but what a request leaves behind, such as a task that it started, blocks
    /// the requests after it.
    LeftBehind {
        /// How long an answer takes when nothing was left behind.
        answer: Duration,
        /// How much longer the next request has to wait.
        behind: Duration,
        /// Whether a rate limit that lets one request through at a time would cause the same pattern.
        maybe_rate: bool,
    },
    /// There were fewer than two requests at once.
    TooFew,
    /// No request was measured alone.
    NoSolo,
    /// Requests did not get a complete answer.
    Failed {
        /// How many of them.
        count: usize,
        /// How the first of them ended.
        what: String,
        /// Whether that was a request alone.
        alone: bool,
    },
    /// The answer to a single request did not end within the time allowed.
    Endless {
        /// How many chunks arrived.
        chunks: u64,
    },
    /// The route expects a WebSocket.
    WebSocket,
    /// The client needed so much time for itself that it may have made the requests late.
    ClientTooSlow {
        /// How long it was at work until the last request ended.
        busy: Duration,
        /// For how long it was kept from working, in total.
        late: Duration,
    },
    /// Requests got an error status, or a different status than a request alone.
    Status {
        /// How many of them.
        count: usize,
        /// The first such status.
        status: u16,
        /// Whether that was a request alone.
        alone: bool,
        /// How long they waited, if all waited equally long, as for a free place in a pool.
        after: Option<Duration>,
        /// How many of the others ran at a time, if their times show it.
        well: Option<usize>,
    },
    /// A request alone takes so little time that running one at a time would hardly differ from running all
    /// at once.
    TooShort,
    /// The first request took long, and the later ones are too short to judge: an answer is cached, or the
    /// first request started something up.
    Kept {
        /// What the first one took.
        first: Duration,
        /// What the shortest of the later ones took.
        later: Duration,
    },
    /// Most of the time of a request alone may be the network's, which shows nothing about the server.
    Distant {
        /// One round trip: the time that connecting took.
        round_trip: Duration,
    },
    /// The two measurements of a request alone differ.
    SoloVaries {
        /// The shorter one.
        low: Duration,
        /// The longer one.
        high: Duration,
    },
    /// The requests did not start together.
    NotAtOnce,
    /// Connecting took so long that the first attempt must have been dropped.
    SlowConnects {
        /// How many connections.
        count: usize,
    },
    /// Some were answered much faster than a request alone, because of a cache or work that varies.
    FasterThanAlone {
        /// How many of them.
        count: usize,
    },
    /// All but a few finished as fast as a request alone, and those few later.
    Stragglers {
        /// How many waited.
        count: usize,
    },
    /// Together they took longer than they would have one after the other.
    WorseThanOneByOne,
    /// All were slowed down alike, but not in proportion to a number of cores.
    Slowed,
    /// All finished one after the other, at a regular interval that is shorter than the time of one alone.
    /// Part of the work is done one at a time, and the rest is not.
    PartOneByOne {
        /// That interval.
        each: Duration,
    },
    /// The finishes fit no number at a time.
    Irregular,
    /// Two measurements differ of the requests that these are compared with.
    ComparedDiffer {
        /// How many ran at a time in the first measurement.
        first: Option<usize>,
        /// How many ran at a time in the second.
        again: Option<usize>,
    },
    /// Two measurements differ.
    Differs {
        /// How many ran at a time in the first measurement.
        first: Option<usize>,
        /// How many ran at a time in the second. Both are `None` if the measurement does not show a number.
        again: Option<usize>,
    },
}
