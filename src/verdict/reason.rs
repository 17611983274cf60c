//! Why there is no verdict, or what is special about a limit.

use std::time::Duration;

use serde::Serialize;

use crate::timeline::as_ms;

/// Why the measurement does not tell, or what lies behind a limit that is not a plain queue.
///
/// [`Verdict::sentence`](super::Verdict::sentence) and
/// [`Verdict::advice`](super::Verdict::advice) say it in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// With a limit: the steps are not equally wide, as when each worker has a line of its own and
    /// requests are dealt out unevenly.
    Uneven,
    /// With a limit: all finished together, slowed down in proportion, so they did run side by
    /// side, but shared what serves fewer: cores, or one core in turns.
    Shared,
    /// Fewer than two requests at once.
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
        #[serde(rename = "busy_ms", serialize_with = "as_ms")]
        busy: Duration,
        /// How late it was at work, all together.
        #[serde(rename = "late_ms", serialize_with = "as_ms")]
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
    },
    /// Alone, a request is over so soon that one at a time would hardly differ from all at once.
    TooShort,
    /// Alone, most of the time may be the network's, which says nothing about the server.
    Distant {
        /// One round trip, as connecting shows it.
        #[serde(rename = "round_trip_ms", serialize_with = "as_ms")]
        round_trip: Duration,
    },
    /// Two measurements alone differ.
    SoloVaries {
        /// The shorter one.
        #[serde(rename = "low_ms", serialize_with = "as_ms")]
        low: Duration,
        /// The longer one.
        #[serde(rename = "high_ms", serialize_with = "as_ms")]
        high: Duration,
    },
    /// The requests were not asked at the same time.
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
    /// The finishes follow no pattern.
    Irregular,
    /// Measured twice, it came out differently.
    Differs {
        /// How many ran at a time at first.
        first: Option<usize>,
        /// And then; `None` if that measurement does not tell.
        again: Option<usize>,
    },
}
