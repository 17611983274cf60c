//! The messages of `/events` and `/state` that are not changes, as JSON.

use serde::Serialize;

use super::board::Totals;
use super::change::{HoldView, Waiting};
use super::doing::Doing;
use super::lane::Lane;
use super::probes::{ProbeRun, Published};
use holdup_model::millis::Millis;
use holdup_watch::WorkerStatus;

/// The version of the messages. Adding a field does not change it.
pub(super) const SCHEMA: u32 = 1;

/// The complete state, for a reader that connects.
#[derive(Debug, Serialize)]
pub(super) struct Snapshot<'a> {
    /// The version of `schema/events.schema.json` that all messages follow.
    pub(super) schema: u32,
    pub(super) version: &'static str,
    pub(super) now_ms: Millis,
    pub(super) threshold_ms: Millis,
    pub(super) limits: Limits,
    /// The URL at which a browser reaches the app, if it is known.
    pub(super) app_url: Option<String>,
    /// What the page shows before the first request.
    pub(super) intro: Option<Intro>,
    pub(super) buttons: &'a [Published],
    pub(super) workers: Vec<Worker>,
    pub(super) lanes: Vec<&'a Lane>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) holds: Vec<HoldView>,
    pub(super) totals: Totals,
    /// What open requests do. `None` while nobody reads `/events`, and before the first look.
    pub(super) doing: Option<&'a Doing>,
    pub(super) probe: Option<&'a ProbeRun>,
}

/// What to try first.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Intro {
    pub(super) sentence: String,
    pub(super) commands: Vec<String>,
}

/// The limits that the page applies to its own copy of the state.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Limits {
    /// The most lanes that are shown.
    pub(super) lanes: usize,
    /// The most chunks that are kept of a lane. The newest are kept.
    pub(super) chunks: usize,
    /// The most ended holds that are kept.
    pub(super) holds: usize,
    /// The most requests that a probe may send, if there are buttons.
    pub(super) requests: Option<u32>,
    /// The interval between batches while something changes.
    pub(super) beat_ms: Millis,
    /// The interval between batches while nothing changes.
    pub(super) heartbeat_ms: Millis,
}

impl Intro {
    /// Replaces `{app}` with the app's URL.
    pub(super) fn at(&self, app: &str) -> Self {
        let at = |text: &String| text.replace("{app}", app);
        Self {
            sentence: at(&self.sentence),
            commands: self.commands.iter().map(at).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Worker {
    #[serde(flatten)]
    pub(super) load: WorkerStatus,
    pub(super) held: Option<HoldView>,
}

/// A message of `/events` that is not a [`Change`](super::change::Change).
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Message<'a> {
    /// The complete state. The messages after it are changes.
    Snapshot(Box<Snapshot<'a>>),
    /// The running probe, or the last one.
    Probe(&'a ProbeRun),
    /// What open requests do. Sent when it changes, at most once a second.
    Doing(&'a Doing),
    /// Marks the end of a batch.
    Now {
        now_ms: Millis,
        totals: Totals,
        workers: Vec<WorkerStatus>,
    },
    /// The last message to a reader that fell too far behind.
    Behind { detail: String },
}
