//! What readers get beside changes, as JSON.

use serde::Serialize;

use super::board::Totals;
use super::change::{HoldView, Waiting};
use super::lane::Lane;
use super::probes::{ProbeRun, Published};
use holdup_model::millis::Millis;
use holdup_watch::WorkerStatus;

/// The version of the messages. A field that is added does not change it.
pub(super) const SCHEMA: u32 = 1;

/// All there is to know, for a reader that begins.
#[derive(Debug, Serialize)]
pub(super) struct Snapshot<'a> {
    /// The version of `schema/events.schema.json` that all messages follow.
    pub(super) schema: u32,
    pub(super) version: &'static str,
    pub(super) now_ms: Millis,
    pub(super) threshold_ms: Millis,
    pub(super) limits: Limits,
    /// Where a browser finds the app, as far as that is known.
    pub(super) app_url: Option<String>,
    /// What the page shows before there are requests.
    pub(super) intro: Option<Intro>,
    pub(super) buttons: &'a [Published],
    pub(super) workers: Vec<Worker>,
    pub(super) lanes: Vec<&'a Lane>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) holds: Vec<HoldView>,
    pub(super) totals: Totals,
    pub(super) probe: Option<&'a ProbeRun>,
}

/// What to try first.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Intro {
    pub(super) sentence: String,
    pub(super) commands: Vec<String>,
}

/// What a page has to know to keep as much as the console does.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Limits {
    /// The most lanes that are shown.
    pub(super) lanes: usize,
    /// The most chunks of a lane that are kept one by one: the newest.
    pub(super) chunks: usize,
    /// The most holds that are kept.
    pub(super) holds: usize,
    /// The most requests of a probe, if there are any.
    pub(super) requests: Option<u32>,
    /// How often news comes, when there is some.
    pub(super) beat_ms: Millis,
    /// How often it comes when there is none.
    pub(super) heartbeat_ms: Millis,
}

impl Intro {
    /// With the app's URL in the place of `{app}`.
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

/// A message of `/events` that is no [`Change`](super::change::Change).
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Message<'a> {
    /// Everything; the rest are changes.
    Snapshot(Box<Snapshot<'a>>),
    /// The probe that runs, or ran last.
    Probe(&'a ProbeRun),
    /// Ends what is sent at a time.
    Now {
        now_ms: Millis,
        totals: Totals,
        workers: Vec<WorkerStatus>,
    },
    /// The last one, to a reader that fell behind.
    Behind { detail: String },
}
