//! What was asked.

use holdup_model::{Lane, Timeline};

/// One request to the bystander.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The request. A lane without an end was abandoned when the round was over.
    pub lane: Lane,
    /// Which of the connections that were kept open since before; `None` for a fresh one.
    pub kept: Option<usize>,
}

/// A's requests at once, and what was asked of B meanwhile. All times are on one clock.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BesideRound {
    /// A's requests.
    pub at_once: Timeline,
    /// B's requests, in the order in which they were sent.
    pub samples: Vec<Sample>,
}
