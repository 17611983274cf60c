//! Asks a server for several requests at once, and tells how many of them ran at a time.
//!
//! [`probe`] measures any URL, whatever the server is written in and whatever stands before it:
//!
//! 1. the *look-ahead*, one request: it warms the server up, and finds out where redirects lead. The later
//!    ones are compared with it;
//! 2. *solo*: one request alone, twice (once if it takes over a second);
//! 3. *unique*: `n` at once, each with a URL that nobody has asked for before, so that no cache
//!    answers;
//! 4. *identical*: `n` at once with one URL, and that URL once more, to see whether something
//!    between locks by URL or answers all from one answer. Left out unless the unique ones ran at
//!    least two at a time: there would be nothing to compare with.
//!
//! If requests take much longer when others went right before, a request may leave something behind that
//! blocks the next one. Then up to three pairs are asked, each after a pause, and, if two of them agree,
//! *unique* is measured twice (four times if `n` is small) after a pause as well, with one more request
//! right after it ([`judge_left_behind`]).
//!
//! *Unique* is measured once more if one pause of the machine could have made the verdict
//! ([`Verdict::is_doubtful`]), and both, up to three times, if identical URLs seem to wait
//! ([`Identical::is_doubtful`]). What does not come out the same is inconclusive.
//!
//! Each request's URL has a query of its own, unless `{}` in the URL, a header or the body says where
//! requests differ. An answer without an end is measured with an [`End`].
//!
//! Every request has a connection of its own, over HTTP/1.1, that is closed the moment the answer
//! ends. Bodies are counted and hashed, not kept; heads, times and chunks are bounded, so a server
//! that misbehaves costs the time-out and no more.
//!
//! ```no_run
//! use holdup_probe::{Request, Settings, Target, probe};
//! use holdup_verdict::Kind;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let target = Target::parse("localhost:8080/report")?;
//! let report = probe(&target, &Request::default(), Settings::default(), &mut |_| ()).await;
//! assert_eq!(report.verdict.kind, Kind::Concurrent, "{}", report.verdict.sentence);
//! # Ok(())
//! # }
//! ```
//!
//! It needs a tokio runtime with I/O and time, and one thread is enough.

#![forbid(unsafe_code)]

mod answer;
mod connection;
mod dial;
mod elsewhere;
mod json;
mod own_time;
mod phases;
mod request;
mod route;
mod target;
mod template;
mod tls;

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use url::Url;

use holdup_model::{Lane, Timeline};
#[cfg(doc)]
use holdup_verdict::judge_left_behind;
use holdup_verdict::{Delivery, Identical, Verdict};

pub use json::{Document, Findings};
pub use phases::probe;
pub use request::{BadRequest, Request};
pub use target::{BadUrl, Target, is_web};

/// How to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many requests at once.
    pub requests: usize,
    /// How long one request may take, connecting included. `None` is a minute, and for requests at
    /// once longer, up to ten minutes, if they need it to come one after the other: or a slow
    /// server that serializes them would be inconclusive.
    pub timeout: Option<Duration>,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// What counts as the end of an answer that has none.
    pub end: End,
}

/// When an answer counts as ended, if it does not end before: the request is left then. For streams
/// of events, which go on and on. Whichever comes first; by default only its own end counts.
///
/// Both count from the body's first piece, not from the head, which may be sent before a handler runs.
/// So a request that waits for its turn begins later and ends later, by as much as it waited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct End {
    /// After so many pieces of the body.
    pub first: Option<NonZeroU64>,
    /// So long after the first piece of the body.
    pub lasting: Option<Duration>,
}

impl Default for Settings {
    /// Four at once, certificates verified, answers to their end.
    fn default() -> Self {
        Self {
            requests: 4,
            timeout: None,
            insecure: false,
            end: End::default(),
        }
    }
}

/// The measured phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// One request alone.
    Solo,
    /// All at once, each with a URL of its own.
    Unique,
    /// All at once with the same URL.
    Identical,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Solo => "solo",
            Self::Unique => "unique",
            Self::Identical => "identical",
        })
    }
}

/// What happens while a probe runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// The server sends elsewhere, and that is what will be measured.
    Redirected {
        /// Where to.
        to: &'a Url,
    },
    /// The one answer that is awaited has been coming for ten seconds, and may have no end.
    LongStream {
        /// In how many pieces so far.
        chunks: u64,
    },
    /// A phase begins.
    Phase(Outlook),
    /// Nothing is asked for so long, so that nothing is left of the requests before.
    Pause(Duration),
    /// Ten times a second: what is known of the lanes so far. Take little time over it.
    Progress {
        /// The phase's lanes.
        timeline: &'a Timeline,
        /// The time now, on the lanes' clock.
        now: Duration,
    },
}

/// A phase that is about to begin, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// Which one.
    pub phase: Phase,
    /// How many requests.
    pub requests: usize,
    /// How long it takes if they run at the same time; `None` while nothing is known.
    pub concurrent: Option<Duration>,
    /// How long if they run one after the other; `None` while nothing is known.
    pub serialized: Option<Duration>,
    /// How long at most.
    pub timeout: Duration,
}

/// What was measured, and what it means.
#[derive(Debug, Clone)]
pub struct Report {
    /// The URL that was measured: where the redirects led.
    pub url: Url,
    /// The URLs that redirected there, in order.
    pub redirected_from: Vec<Url>,
    /// Where `{}` was replaced by each request's own label, in words; empty if a query was added instead.
    pub places: Vec<String>,
    /// How many requests at once were asked for.
    pub requests: usize,
    /// The requests alone; the one that warmed up if it failed.
    pub alone: Vec<Lane>,
    /// Requests after a pause, each with the one that was asked right after its answer, and those asked
    /// right after requests at once: to see what requests leave behind. Empty unless it was suspected.
    pub rested: Vec<Lane>,
    /// The requests at once with unique URLs.
    pub unique: Option<Timeline>,
    /// The requests at once with the same URL.
    pub same: Option<Timeline>,
    /// How many of the unique ones ran at a time.
    pub verdict: Verdict,
    /// How the answer comes, when it is alone.
    pub delivery: Delivery,
    /// How identical URLs fared.
    pub identical: Option<Identical>,
    /// How many of the identical ones ran at a time.
    pub same_verdict: Option<Verdict>,
}

impl Report {
    /// Whether redirects led to another page than the one that was asked for: a log-in, say. A slash
    /// at the end, `https`, `www.` and the query make no other page.
    pub fn is_elsewhere(&self) -> bool {
        let from = self.redirected_from.first();
        from.is_some_and(|from| elsewhere::pages(from, &self.url).is_some())
    }
}
