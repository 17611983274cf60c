//! Who answered.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Who answered a request, by its own words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct WorkerId {
    /// The replica, if it is named apart from its worker.
    pub replica: Option<String>,
    /// The worker; of that replica, if there is one.
    pub worker: String,
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.replica {
            Some(replica) => f.pad(&format!("{replica}/{}", self.worker)),
            None => f.pad(&self.worker),
        }
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// This worker answered.
    From(WorkerId),
    /// The answer does not say who gave it, and why it does not, in a clause: `status 502`.
    Nameless(String),
    /// There was no answer, and why.
    Failed(String),
}

/// How often each worker answered, and what else came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub(super) workers: BTreeMap<WorkerId, usize>,
    pub(super) nameless: BTreeMap<String, usize>,
    pub(super) failed: BTreeMap<String, usize>,
}

impl Tally {
    /// Counts what came of one more request.
    pub fn add(&mut self, heard: Heard) {
        let place = match heard {
            Heard::From(worker) => self.workers.entry(worker).or_default(),
            Heard::Nameless(why) => self.nameless.entry(why).or_default(),
            Heard::Failed(why) => self.failed.entry(why).or_default(),
        };
        *place += 1;
    }

    /// The requests so far.
    pub fn asked(&self) -> usize {
        self.answered() + sum(&self.nameless) + sum(&self.failed)
    }

    /// The answers that say who gave them.
    pub fn answered(&self) -> usize {
        self.workers.values().sum()
    }

    /// The workers and their answers, most of them first.
    pub(super) fn ordered(&self) -> Vec<(&WorkerId, usize)> {
        let mut all: Vec<_> = self
            .workers
            .iter()
            .map(|(worker, count)| (worker, *count))
            .collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }

    /// The answers by replica, most of them first; empty if no answer names one.
    pub(super) fn replicas(&self) -> Vec<(&str, usize)> {
        let mut all: BTreeMap<&str, usize> = BTreeMap::new();
        for (worker, count) in &self.workers {
            if let Some(replica) = &worker.replica {
                *all.entry(replica).or_default() += count;
            }
        }
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }
}

/// The entries of all kinds together.
pub(super) fn sum(counts: &BTreeMap<String, usize>) -> usize {
    counts.values().sum()
}

/// The most frequent entry.
pub(super) fn most_frequent(counts: &BTreeMap<String, usize>) -> &str {
    let most = counts.iter().max_by_key(|(_, count)| **count);
    most.map_or("", |(what, _)| what)
}
