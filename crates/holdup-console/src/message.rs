//! What the page is told, as JSON.

use serde::Serialize;

use super::board::{Lane, Ms, Totals, Waiting};
use super::probes::{Published, Trial};
use holdup_watch::{Hold, WorkerStatus};

/// All there is to know, for a reader that begins.
#[derive(Debug, Serialize)]
pub(super) struct Snapshot<'a> {
    pub(super) version: &'static str,
    pub(super) now_ms: Ms,
    pub(super) threshold_ms: Ms,
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
        #[serde(rename = "at_ms")]
        at: Ms,
        worker: usize,
        method: &'a str,
        route: &'a str,
        path: &'a str,
        /// How long it lay unread before.
        waited_ms: Option<Ms>,
    },
    /// Its handler has answered.
    Answered {
        lane: u64,
        #[serde(rename = "at_ms")]
        at: Ms,
        status: u16,
    },
    /// Pieces of its body; `at` may be fewer than `count`.
    Chunks {
        lane: u64,
        #[serde(rename = "at_ms")]
        at: Vec<Ms>,
        count: u64,
        bytes: u64,
    },
    /// It is over.
    Ended {
        lane: u64,
        #[serde(rename = "at_ms")]
        at: Ms,
        finished: bool,
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
        now_ms: Ms,
        totals: Totals,
        workers: Vec<WorkerStatus>,
    },
    /// The last one, to a reader that fell behind.
    Behind { detail: String },
}
