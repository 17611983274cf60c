//! The verdict, with its numbers and its words.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::reason::Reason;

/// The answer to "does this run my requests in parallel?".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// All requests ran at the same time.
    Concurrent,
    /// They ran one at a time, or took as long together as one after the other.
    Serialized,
    /// Some ran at the same time, but not all; or all ran, but contended for something that serves fewer,
    /// such as cores.
    Limited,
    /// The measurement does not show it; [`Verdict::reason`] says why.
    Inconclusive,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Concurrent => "concurrent",
            Self::Serialized => "serialized",
            Self::Limited => "limited",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// A judgement with its evidence, and the words for both.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// The judgement.
    pub kind: Kind,
    /// How many requests ran at a time, as far as the steps show it: all of them when concurrent,
    /// although there may be room for more than were sent. `None` when inconclusive.
    pub at_a_time: Option<usize>,
    /// How many requests were sent at once.
    pub lanes: usize,
    /// What one request takes alone: the shorter of two measurements, because noise only adds time.
    pub solo: Option<Duration>,
    /// From the first of the requests at once sent to the last one finished.
    pub makespan: Option<Duration>,
    /// `lanes × solo ÷ makespan`: how many times faster all were together than one after the other.
    pub speedup: Option<f64>,
    /// How many finished in each step of about one solo time; empty if there were no steps.
    pub steps: Vec<usize>,
    /// What lies behind a limit that is not a plain queue, or why there is no verdict.
    pub reason: Option<Reason>,
    /// The verdict in one sentence.
    pub sentence: String,
    /// The numbers that support it, one line each.
    pub evidence: Vec<String>,
    /// What to do about it, one line each.
    pub advice: Vec<String>,
}
