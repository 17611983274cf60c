//! What the page is told, as JSON.

use serde::Serialize;

use super::board::{Lane, Totals, Waiting};
use super::probes::{Published, Trial};
use holdup_model::millis::Millis;
use holdup_watch::{Hold, WorkerStatus};

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
    /// What the page says before there are requests.
    pub(super) intro: Option<Intro>,
    pub(super) buttons: &'a [Published],
    pub(super) workers: Vec<Worker>,
    pub(super) lanes: Vec<&'a Lane>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) holds: Vec<Said>,
    pub(super) totals: Totals,
    pub(super) probe: Option<&'a Trial>,
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
    pub(super) held: Option<Said>,
}

/// A hold, and the sentence that says it.
#[derive(Debug, Serialize)]
pub(super) struct Said {
    #[serde(flatten)]
    hold: Hold,
    sentence: String,
}

impl From<Hold> for Said {
    fn from(hold: Hold) -> Self {
        let sentence = hold.to_string();
        Self { hold, sentence }
    }
}

/// One message of `/events`. Times are milliseconds on the watch's clock.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Message<'a> {
    /// Everything; the rest only tells what changes.
    Snapshot(Box<Snapshot<'a>>),
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
    Held { hold: Said },
    /// A hold is over. The worker may still be in another one, which follows.
    Released { hold: Said },
    /// What seemed to be a hold was none: its worker is free, unless another one follows.
    Withdrawn { hold: Said },
    /// Who waits to be read: all of them.
    Waiting { waiting: Vec<Waiting> },
    /// The probe that runs, or ran last.
    Probe(&'a Trial),
    /// Ends what is told at a time.
    Now {
        now_ms: Millis,
        totals: Totals,
        workers: Vec<WorkerStatus>,
    },
    /// The last one, to a reader that fell behind.
    Behind { detail: String },
}
