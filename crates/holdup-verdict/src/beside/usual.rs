//! What B takes while A does not run, and how much that varies.

use std::time::Duration;

use super::finding::BesideReason;
use super::sample::Sample;
use crate::measures::{all_answered, same_status};
use crate::reason::Reason;
use holdup_model::Lane;

/// The fewest answers alone from which a spread can be read.
const FEWEST: usize = 5;

/// The fewest answers alone of one sort of connection. With fewer, both sorts are taken together.
const FEWEST_OF_A_SORT: usize = 3;

/// The part of the answers alone that are no slower than what B usually takes at the most. One pause of the
/// machine among five answers must not decide.
const HIGH: f64 = 0.8;

/// An answer is late if it takes half as long again as B usually does at the most, and at least this much
/// longer. A busy machine delays a single answer by this much.
const NOISE: Duration = Duration::from_millis(20);

/// What B takes alone on one sort of connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Alone {
    pub(super) low: Duration,
    pub(super) median: Duration,
    pub(super) high: Duration,
}

/// What B takes alone.
#[derive(Debug)]
pub(super) struct Usual {
    fresh: Alone,
    kept: Alone,
    pub(super) both: Alone,
    pub(super) status: Option<u16>,
}

impl Usual {
    pub(super) fn of(alone: &[Sample]) -> Result<Self, BesideReason> {
        // A server may close a connection that was kept open, at any time.
        let counts =
            |sample: &&Sample| sample.kept.is_none() || sample.lane.finished_at().is_some();
        let alone: Vec<_> = alone.iter().filter(counts).collect();
        let lanes: Vec<_> = alone.iter().map(|sample| sample.lane.clone()).collect();
        let answered = all_answered(&lanes, true).and_then(|()| same_status(&lanes, &[]));
        answered.map_err(failed)?;
        let few = BesideReason::FewAlone { count: alone.len() };
        if alone.len() < FEWEST {
            return Err(few);
        }
        let times = |kept: Option<bool>| {
            let of = alone
                .iter()
                .filter(|sample| kept.is_none_or(|kept| kept == sample.kept.is_some()));
            of.filter_map(|sample| sample.lane.duration()).collect()
        };
        let both = Alone::of(times(None)).ok_or(few)?;
        let sort = |kept| {
            let times: Vec<_> = times(Some(kept));
            let enough = times.len() >= FEWEST_OF_A_SORT;
            Alone::of(times).filter(|_| enough).unwrap_or(both)
        };
        Ok(Self {
            fresh: sort(false),
            kept: sort(true),
            both,
            status: lanes.iter().find_map(Lane::status),
        })
    }

    /// What a sample like this one takes alone.
    pub(super) fn like(&self, sample: &Sample) -> Alone {
        match sample.kept {
            Some(_) => self.kept,
            None => self.fresh,
        }
    }

    /// The most that B usually takes, on either sort of connection.
    pub(super) fn high(&self) -> Duration {
        self.fresh.high.max(self.kept.high)
    }

    /// By how much B's answers alone usually differ from their median.
    pub(super) fn spread(&self) -> Duration {
        let of = |alone: Alone| alone.high.saturating_sub(alone.median);
        of(self.fresh).max(of(self.kept))
    }

    /// Every answer that takes longer is late.
    pub(super) fn late_after(&self) -> Duration {
        self.fresh.late_after().max(self.kept.late_after())
    }
}

impl Alone {
    fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let low = *times.first()?;
        Some(Self {
            low,
            median: rank(&times, 0.5)?,
            high: rank(&times, HIGH)?,
        })
    }

    /// An answer that takes longer is late.
    pub(super) fn late_after(self) -> Duration {
        self.high.saturating_add(NOISE.max(self.high / 2))
    }
}

/// The smallest of the sorted times that at least this part of them does not exceed.
pub(super) fn rank(sorted: &[Duration], part: f64) -> Option<Duration> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "few samples, and a part between 0 and 1"
    )]
    let place = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(place.max(1) - 1).copied()
}

fn failed(reason: Reason) -> BesideReason {
    match reason {
        Reason::Status { count, status, .. } => BesideReason::Status {
            count,
            status,
            alone: true,
        },
        Reason::Failed { count, what, .. } => BesideReason::Failed {
            count,
            what,
            alone: true,
        },
        Reason::WebSocket => BesideReason::Failed {
            count: 1,
            what: "it expects a WebSocket".to_owned(),
            alone: true,
        },
        _ => BesideReason::Failed {
            count: 1,
            what: "its answer does not end".to_owned(),
            alone: true,
        },
    }
}
