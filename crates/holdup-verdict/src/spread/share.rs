//! The share of a worker or a replica.

use serde::Serialize;

use super::gamma::float;
use super::interval::interval;
use super::tally::WorkerId;

/// How many connections a worker got, and what share that is of all that were answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Share {
    /// Which worker. For the share of a whole replica, the worker is the replica's name.
    #[serde(flatten)]
    pub id: WorkerId,
    /// The connections that it got.
    pub connections: usize,
    /// Their share, from 0 to 1.
    pub share: f64,
    /// The lower end of the 95 % interval for the share.
    pub low: f64,
    /// The upper end of it.
    pub high: f64,
}

impl Share {
    pub(super) fn of(id: WorkerId, connections: usize, all: usize) -> Self {
        let (low, high) = interval(connections, all);
        Self {
            id,
            connections,
            share: float(connections) / float(all.max(1)),
            low,
            high,
        }
    }
}
