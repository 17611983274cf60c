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
    /// How many surely ran at the same time in one of the rounds, also if `at_a_time` did not show.
    #[serde(skip)]
    pub at_least: usize,
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

/// The fewest requests at once with which a search for the limit can confirm that it is this many at a time.
pub fn fewest_to_confirm(at_a_time: usize) -> usize {
    2 * at_a_time + 1
}
