//! What changes for readers who know the rest, as JSON.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use holdup_model::millis::{self, Millis};
use holdup_watch::Hold;

/// A hold, and its sentence for people.
#[derive(Debug, Serialize)]
pub(super) struct HoldView {
    #[serde(flatten)]
    hold: Hold,
    sentence: String,
}

impl From<Hold> for HoldView {
    fn from(hold: Hold) -> Self {
        let sentence = hold.to_string();
        Self { hold, sentence }
    }
}

/// A connection with bytes that nobody has read, while a worker is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Waiting {
    pub(super) peer: SocketAddr,
    #[serde(rename = "since_ms", serialize_with = "millis::serialize")]
    pub(super) since: Duration,
}

/// A message of `/events` about something that changed. Times are milliseconds on the watch's clock.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Change<'a> {
    /// A request was read.
    Opened {
        lane: u64,
        opened_ms: Millis,
        worker: usize,
        method: &'a str,
        route: &'a str,
        path: &'a str,
        /// How long it lay unread before.
        waited_ms: Option<Millis>,
    },
    /// Its handler has answered.
    Answered {
        lane: u64,
        answered_ms: Millis,
        status: u16,
    },
    /// New pieces of its body, not always each of them, and how many and how much there was so far.
    Chunks {
        lane: u64,
        chunks_ms: Vec<Millis>,
        chunk_count: u64,
        bytes: u64,
    },
    /// It is over.
    Ended {
        lane: u64,
        finished_ms: Option<Millis>,
        ended_ms: Millis,
    },
    /// Lanes that are not shown any more.
    Dropped { lanes: Vec<u64> },
    /// A worker is held; again and again while it is.
    Held { hold: HoldView },
    /// A hold is over. The worker may still be in another one, which follows.
    Released { hold: HoldView },
    /// What seemed to be a hold was none: its worker is free, unless another one follows.
    Withdrawn { hold: HoldView },
    /// Who waits to be read: all of them.
    Waiting { waiting: Vec<Waiting> },
}
