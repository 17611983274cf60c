//! What an experiment found.

use crate::delivery::{Delivery, delivery};
use crate::identical::Identical;
use crate::judge::judge;
use crate::verdict::Verdict;
use holdup_model::{Lane, Timeline};

/// What was measured in all rounds, and what it means.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Findings {
    /// The requests alone: one or two. The warm-up, if it failed, or if the rounds proved that it took no
    /// longer than later requests.
    pub alone: Vec<Lane>,
    /// Requests after a pause, each with the one that was asked right after its answer, and those asked
    /// right after requests at once: to see what requests leave behind. Empty unless it was suspected.
    pub rested: Vec<Lane>,
    /// The requests at once with unique URLs; the first time, if they were asked again.
    pub unique: Option<Timeline>,
    /// The requests at once with the same URL; the first time, if they were asked again.
    pub same: Option<Timeline>,
    /// How many of the unique ones ran at a time.
    pub verdict: Verdict,
    /// How the answer comes, when it is alone.
    pub delivery: Delivery,
    /// How identical URLs fared. `None` where that was not asked.
    pub identical: Option<Identical>,
}

impl Findings {
    /// What there is to say when only the requests alone are known.
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
