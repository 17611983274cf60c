//! A request as a row of the page.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::change::{Change, Spending};
use holdup_model::millis::{self, Millis};

/// The most chunk times that are kept of a lane. A lane with more is drawn as a solid bar anyway.
pub(super) const CHUNKS: usize = 120;

/// The most chunk times of a lane in one batch.
const CHUNKS_AT_A_TIME: usize = 20;

/// A request, from the moment a worker read it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Lane {
    #[serde(rename = "lane")]
    pub(super) number: u64,
    pub(super) worker: usize,
    pub(super) method: String,
    pub(super) route: String,
    pub(super) path: String,
    #[serde(rename = "waited_ms", serialize_with = "millis::serialize_option")]
    pub(super) waited: Option<Duration>,
    #[serde(rename = "opened_ms", serialize_with = "millis::serialize")]
    pub(super) opened: Duration,
    #[serde(rename = "answered_ms", serialize_with = "millis::serialize_option")]
    pub(super) answered: Option<Duration>,
    pub(super) status: Option<u16>,
    #[serde(rename = "chunks_ms")]
    pub(super) chunks: VecDeque<Millis>,
    chunk_count: u64,
    bytes: u64,
    /// When the whole response had been handed to the connection.
    #[serde(rename = "finished_ms", serialize_with = "millis::serialize_option")]
    pub(super) finished: Option<Duration>,
    /// When the request ended, completed or not.
    #[serde(rename = "ended_ms", serialize_with = "millis::serialize_option")]
    pub(super) ended: Option<Duration>,
    /// What its time was spent on, once it has ended.
    #[serde(flatten)]
    pub(super) spent: Option<Spending>,
    #[serde(skip)]
    pub(super) peer: Option<SocketAddr>,
    /// Whether it is drawn before others, and replaced after them.
    #[serde(skip)]
    pub(super) is_first: bool,
    #[serde(skip)]
    sent: Sent,
}

/// What readers have already been sent about a lane.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    opened: bool,
    answered: bool,
    chunks: u64,
    ended: bool,
}

impl Lane {
    /// Creates a lane that has only been opened.
    pub(super) fn new(number: u64, worker: usize, opened: Duration) -> Self {
        Self {
            number,
            worker,
            method: String::new(),
            route: String::new(),
            path: String::new(),
            waited: None,
            opened,
            answered: None,
            status: None,
            chunks: VecDeque::new(),
            chunk_count: 0,
            bytes: 0,
            finished: None,
            ended: None,
            spent: None,
            peer: None,
            is_first: false,
            sent: Sent::default(),
        }
    }

    /// Records a chunk.
    pub(super) fn chunk(&mut self, at: Duration, bytes: u64) {
        self.chunk_count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.chunks.len() == CHUNKS {
            self.chunks.pop_front();
        }
        self.chunks.push_back(Millis(at));
    }

    /// The times of the chunks that have not been sent, up to the limits on keeping and sending.
    fn new_chunks(&self) -> Vec<Millis> {
        let count = self.chunk_count - self.sent.chunks;
        let shown = usize::try_from(count).unwrap_or(usize::MAX);
        let shown = shown.min(self.chunks.len());
        let new = self.chunks.range(self.chunks.len() - shown..).copied();
        let step = shown.div_ceil(CHUNKS_AT_A_TIME).max(1);
        // The slice is taken from the end, so the newest chunk is always sent.
        let thinned = new.rev().step_by(step);
        let mut thinned: Vec<_> = thinned.collect();
        thinned.reverse();
        thinned
    }

    /// Whether readers have been sent this lane.
    pub(super) fn is_sent(&self) -> bool {
        self.sent.opened
    }

    /// Sends the changes since the last call.
    pub(super) fn drain_changes(&mut self, send: &mut impl FnMut(Change<'_>)) {
        let number = self.number;
        if !self.sent.opened {
            send(Change::Opened {
                lane: number,
                opened_ms: Millis(self.opened),
                worker: self.worker,
                method: &self.method,
                route: &self.route,
                path: &self.path,
                waited_ms: self.waited.map(Millis),
            });
        }
        if let (false, Some(at), Some(status)) = (self.sent.answered, self.answered, self.status) {
            send(Change::Answered {
                lane: number,
                answered_ms: Millis(at),
                status,
            });
        }
        if self.chunk_count > self.sent.chunks {
            let chunks_ms = self.new_chunks();
            send(Change::Chunks {
                lane: number,
                chunks_ms,
                chunk_count: self.chunk_count,
                bytes: self.bytes,
            });
        }
        if let (false, Some(at), Some(spent)) = (self.sent.ended, self.ended, &self.spent) {
            send(Change::Ended {
                lane: number,
                finished_ms: self.finished.map(Millis),
                ended_ms: Millis(at),
                spent,
            });
        }
        self.sent = Sent {
            opened: true,
            answered: self.answered.is_some(),
            chunks: self.chunk_count,
            ended: self.ended.is_some(),
        };
    }
}
