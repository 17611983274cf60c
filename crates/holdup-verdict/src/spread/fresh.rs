//! What came of the connections that were opened for one request each.

use serde::Serialize;

use super::interval::least_seen;
use super::share::Share;
use super::tally::{Tally, WorkerId, sum};

/// How fresh connections fell on the workers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Fresh {
    /// The connections that were opened.
    pub connections: usize,
    /// The answers that say who gave them.
    pub answered: usize,
    /// The answers that do not.
    pub nameless: usize,
    /// The connections without an answer.
    pub failed: usize,
    /// How many workers there are, if that was said.
    pub expected: Option<usize>,
    /// The workers that were seen, those with most connections first.
    pub workers: Vec<Share>,
    /// The same by replica, if the answers name replicas apart from their workers.
    pub replicas: Option<Vec<Share>>,
    /// A worker with at least this share of the connections would have been seen, with a probability of 99 %.
    pub least_seen: f64,
}

impl Fresh {
    pub(super) fn of(tally: &Tally, expected: Option<usize>) -> Self {
        let answered = tally.answered();
        let workers = tally.ordered().into_iter();
        let replicas = tally.replicas();
        let replica = |(name, count): &(&str, usize)| {
            let id = WorkerId {
                replica: None,
                worker: (*name).to_owned(),
            };
            Share::of(id, *count, answered)
        };
        Self {
            connections: tally.asked(),
            answered,
            nameless: sum(&tally.nameless),
            failed: sum(&tally.failed),
            expected,
            workers: workers
                .map(|(id, count)| Share::of(id.clone(), count, answered))
                .collect(),
            replicas: (!replicas.is_empty()).then(|| replicas.iter().map(replica).collect()),
            least_seen: least_seen(answered),
        }
    }

    /// The counts, most of them first, with a zero for each worker that is expected and was not seen.
    pub(super) fn counts(&self) -> Vec<usize> {
        let mut counts: Vec<_> = self.workers.iter().map(|share| share.connections).collect();
        counts.resize(counts.len().max(self.expected.unwrap_or(0)), 0);
        counts
    }
}
