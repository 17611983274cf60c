//! How many connections waited for a request that held its worker.

use serde::Serialize;

use super::gamma::float;
use super::interval::interval;
use super::wording::workers_of;

/// A round in which one request held a worker, and fresh connections asked another route meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct FrozenRound {
    /// The connections that were opened.
    pub connections: usize,
    /// Those that were answered only when the request was over: they fell on its worker.
    pub frozen: usize,
    /// Those that were answered at once.
    pub prompt: usize,
    /// Those that were answered neither at once nor after the request.
    pub unclear: usize,
    /// Those without an answer, or with an error.
    pub failed: usize,
}

/// What the rounds show together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Frozen {
    /// In their order. The request may have held another worker in each of them.
    pub rounds: Vec<FrozenRound>,
    /// The share of the connections that waited, from 0 to 1.
    pub share: f64,
    /// The lower end of the 95 % interval for the share.
    pub low: f64,
    /// The upper end of it.
    pub high: f64,
    /// How many workers of equal share there are; `None` if no connection waited.
    pub workers: Option<Workers>,
}

/// A number of workers, and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Workers {
    /// The share's reciprocal. If the workers' shares differ, that is the number of workers of equal share that would
    /// make as many connections wait.
    pub about: f64,
    /// The lower end.
    pub least: f64,
    /// The upper end.
    pub most: Option<f64>,
}

impl Frozen {
    pub(super) fn of(rounds: &[FrozenRound]) -> Self {
        let (frozen, of) = (total(rounds, |round| round.frozen), told(rounds));
        let (low, high) = interval(frozen, of);
        let share = float(frozen) / float(of.max(1));
        let workers = workers_of(share).map(|about| Workers {
            about,
            least: workers_of(high).unwrap_or(1.0),
            most: workers_of(low),
        });
        Self {
            rounds: rounds.to_vec(),
            share,
            low,
            high,
            workers,
        }
    }
}

/// The connections of all rounds of which it shows whether they waited.
pub(super) fn told(rounds: &[FrozenRound]) -> usize {
    total(rounds, |round| round.frozen + round.prompt)
}

/// A sum over the rounds.
pub(super) fn total(rounds: &[FrozenRound], of: impl Fn(&FrozenRound) -> usize) -> usize {
    rounds.iter().map(of).sum()
}
