//! What was asked.

use std::time::Duration;

use holdup_model::{Failure, Lane, Timeline};

/// One request to the bystander.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The request. A lane without an end was abandoned when the round was over, which is the same as one that
    /// timed out.
    pub lane: Lane,
    /// Which of the connections that were kept open since before; `None` for a fresh one.
    pub kept: Option<usize>,
}

impl Sample {
    /// When it was answered; `None` if it failed, was abandoned, or waited until it timed out.
    pub(super) fn answered_at(&self) -> Option<Duration> {
        self.lane.finished_at()
    }

    /// Why it failed, unless it only waited too long.
    pub(super) fn failure(&self) -> Option<&Failure> {
        let failure = self.lane.failure();
        failure.filter(|failure| !matches!(failure, Failure::TimedOut))
    }
}

/// A's requests at once, and what was asked of B meanwhile. All times are on one clock.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BesideRound {
    /// A's requests.
    pub at_once: Timeline,
    /// B's requests, in the order in which they were sent.
    pub samples: Vec<Sample>,
}
