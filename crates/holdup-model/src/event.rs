//! The events that a watch publishes.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Hold, Spent, millis};

/// Something that a watch recorded. Times are counted from the moment the watch was created.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A worker has read a request.
    Opened {
        /// Its lane's number, from 1.
        lane: u64,
        /// When it happened.
        #[serde(rename = "opened_ms", with = "millis")]
        at: Duration,
        /// Its worker's number, from 0.
        worker: usize,
        /// Its method.
        method: String,
        /// The pattern of its route.
        route: String,
        /// Its path, without the query unless the watch records queries. A long path is cut to its first 1024
        /// bytes.
        path: String,
        /// The other end of its connection; `None` in the test harness.
        peer: Option<SocketAddr>,
    },
    /// The handler has returned its response, and the head is sent.
    Answered {
        /// The lane's number.
        lane: u64,
        /// When it happened.
        #[serde(rename = "answered_ms", with = "millis")]
        at: Duration,
        /// The response's status.
        status: u16,
    },
    /// A chunk of the body was made.
    Chunk {
        /// The lane's number.
        lane: u64,
        /// When it happened.
        #[serde(rename = "chunk_ms", with = "millis")]
        at: Duration,
        /// Its size.
        bytes: usize,
    },
    /// The request is over.
    Ended {
        /// The lane's number.
        lane: u64,
        /// When it happened.
        #[serde(rename = "ended_ms", with = "millis")]
        at: Duration,
        /// Whether the whole response was handed over. If not, the client left or the handler failed.
        finished: bool,
        /// What its time was spent on.
        #[serde(flatten)]
        spent: Spent,
    },
    /// A worker is held: published once, when the hold crosses the threshold. [`Released`](Self::Released) or
    /// [`Withdrawn`](Self::Withdrawn) follows, with the same `worker` and `started`, which identify a hold. A
    /// worker may be in two holds at a time: one in which it does not look at its sockets, and, within that
    /// period, one in which it is blocked.
    Held(Hold),
    /// A hold that was published as [`Held`](Self::Held) continues. The event is published about four times a
    /// second, and at once when the thread's activity or its line of code changes.
    Updated(Hold),
    /// A hold is over. One that ended before a sample was taken has no [`Held`](Self::Held) before it.
    Released(Hold),
    /// What was published as [`Held`](Self::Held) was not a hold: measured to its end, it did not reach the
    /// threshold, or another hold took its place. It is in no list of holds and in no figure. The event
    /// carries the hold as it was last published.
    Withdrawn(Hold),
    /// Events were lost because the subscriber did not read them fast enough.
    Lost {
        /// How many events were lost.
        events: u64,
    },
}

/// A worker and its load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// The worker, counted from 0.
    pub worker: usize,
    /// Its open requests: received, but not yet answered completely.
    pub open: usize,
}

impl WorkerStatus {
    /// The status of a worker with `open` open requests.
    pub fn new(worker: usize, open: usize) -> Self {
        Self { worker, open }
    }
}
