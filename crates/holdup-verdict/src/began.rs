//! How many streamed answers had begun at a time.

use serde::Serialize;

use super::verdict::Kind;

/// How many streamed answers had begun at a time. It tells a queue from work that is slowed down if the
/// answers are of different length, so that their ends show little.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Began {
    /// Whether all began together, one after the other, or some at a time.
    pub verdict: Kind,
    /// How many had begun at a time, if it shows.
    pub at_a_time: Option<usize>,
}
