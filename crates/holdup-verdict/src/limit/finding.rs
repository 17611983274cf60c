//! What the search for a limit found.

use serde::Serialize;

/// How many requests run at a time at most, and what happens to the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Limit {
    /// How many run at a time at most. `None` if it did not show, or if there are at least as many as were
    /// sent at once.
    pub at_a_time: Option<usize>,
    /// Whether a round of more than twice as many showed the same number.
    pub confirmed: bool,
    /// The most requests that were sent at once.
    pub asked_up_to: usize,
    /// What happens to a request beyond the limit.
    pub beyond: Option<Beyond>,
    /// The status of a request that was rejected.
    pub status: Option<u16>,
    /// The finding in words: one sentence, and a second one if the number is well known.
    pub sentence: String,
}

/// What happens to a request beyond the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Beyond {
    /// It waits until one of the others has ended.
    Waits,
    /// It gets an error.
    Rejected,
}
