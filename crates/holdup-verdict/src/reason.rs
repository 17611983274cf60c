//! Why there is no verdict, or what is special about a limit.

use std::time::Duration;

/// Why there is no verdict, or what lies behind a limit that is not a plain queue.
///
/// [`Verdict::sentence`](super::Verdict::sentence) and
/// [`Verdict::advice`](super::Verdict::advice) say it in words.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// With a limit: the steps are not equally wide, as when each worker has a queue of its own and
    /// requests are distributed unevenly.
    Uneven,
    /// With a limit: all finished together, slowed down in proportion, so they did run side by
    /// side, but shared what serves fewer: cores, for one. When serialized: together they took as
    /// long as one after the other, though they did not end one by one.
    Shared,
    /// When limited or serialized: the requests ran in batches of one size, and a batch takes longer
    /// than one request alone.
    OwnPace {
        /// How much longer: the time of a batch, divided by the time of one alone.
        factor: f64,
    },
    /// So many went through together, and after them one (or a few) at a time, at a regular distance:
    /// a rate limit, such as a token bucket.
    Rate {
        /// How many went through together.
        burst: usize,
        /// How many then came at a time.
        each: usize,
        /// The distance.
        every: Duration,
    },
    /// The answer comes soon, but what a request leaves behind, such as a task that it started, blocks
    /// the requests after it.
    LeftBehind {
        /// How long an answer takes when nothing was left behind.
        answer: Duration,
        /// How much longer the next request has to wait.
        behind: Duration,
        /// Whether a rate limit, which lets one through at a time, would look the same.
        maybe_rate: bool,
    },
    /// There were fewer than two requests at once.
    TooFew,
    /// Nothing was measured alone.
    NoSolo,
    /// Requests had no complete answer.
    Failed {
        /// How many of them.
        count: usize,
        /// How the first of them ended.
        what: String,
        /// Whether that was a request alone.
        alone: bool,
    },
    /// Alone, an answer goes on and on, until the time that is allowed is over.
    Endless {
        /// How many pieces came.
        chunks: u64,
    },
    /// The route is a websocket's.
    WebSocket,
    /// The client needed so much time for itself that it may have made the requests late.
    ClientTooSlow {
        /// How long it was at work until the last request ended.
        busy: Duration,
        /// How late it was at work, all together.
        late: Duration,
    },
    /// Requests were answered with an error status, or another one than alone.
    Status {
        /// How many of them.
        count: usize,
        /// The first such status.
        status: u16,
        /// Whether that was a request alone.
        alone: bool,
        /// For how long, if all of them waited equally long, as for a free place in a pool.
        after: Option<Duration>,
        /// How many of the others ran at a time, if they show it.
        well: Option<usize>,
    },
    /// Alone, a request is over so soon that one at a time would hardly differ from all at once.
    TooShort,
    /// The very first request took long and the later ones are too short to tell: an answer is cached, or the
    /// first one started something up.
    Kept {
        /// What the first one took.
        first: Duration,
        /// What the shortest of the later ones took.
        later: Duration,
    },
    /// Alone, most of the time may be the network's, which says nothing about the server.
    Distant {
        /// One round trip, as connecting shows it.
        round_trip: Duration,
    },
    /// Two measurements alone differ.
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
    /// Some were answered much faster than alone: a cache, or work that varies.
    FasterThanAlone {
        /// How many of them.
        count: usize,
    },
    /// All but a few finished as if alone, and those few later.
    Stragglers {
        /// How many waited.
        count: usize,
    },
    /// At once, they took longer than one after the other would.
    WorseThanOneByOne,
    /// All were slowed down alike, but not in proportion to a number of cores.
    Slowed,
    /// All finished one after the other, at a regular distance that is shorter than one takes alone: a
    /// part of the work is done one at a time, the rest is not.
    PartOneByOne {
        /// That distance.
        each: Duration,
    },
    /// The finishes fit no number at a time.
    Irregular,
    /// Two measurements differ.
    Differs {
        /// How many ran at a time at first.
        first: Option<usize>,
        /// And then; `None` if that measurement does not tell.
        again: Option<usize>,
    },
}
