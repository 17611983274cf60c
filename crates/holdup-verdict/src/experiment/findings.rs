//! What an experiment found.

use crate::delivery::{Delivery, delivery};
use crate::identical::Identical;
use crate::judge::judge;
use crate::verdict::Verdict;
use holdup_model::{Lane, Timeline};

/// The measurements of all rounds, and the verdict.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Findings {
    /// The requests alone: one or two. The warm-up, if it failed, or if the rounds proved that it took no
    /// longer than later requests.
    pub alone: Vec<Lane>,
    /// Requests that show what others leave behind: each request after a pause with the one sent right after
    /// its answer, and those sent right after concurrent requests. Empty unless something was suspected.
    pub rested: Vec<Lane>,
    /// The requests at once with unique URLs; the first time, if they were asked again.
    pub unique: Option<Timeline>,
    /// The requests at once with the same URL; the first time, if they were asked again.
    pub same: Option<Timeline>,
    /// How many of the unique ones ran at a time.
    pub verdict: Verdict,
    /// How the answer to a request alone is delivered.
    pub delivery: Delivery,
    /// The comparison of identical URLs with unique ones. `None` if it was not made.
    pub identical: Option<Identical>,
}

impl Findings {
    /// The findings if only the solo requests are known.
    pub(super) fn of(alone: Vec<Lane>) -> Self {
        Self {
            verdict: judge(&alone, &Timeline::default()),
            delivery: alone.first().map_or(Delivery::Unknown, delivery),
            alone,
            rested: Vec::new(),
            unique: None,
            same: None,
            identical: None,
        }
    }
}
