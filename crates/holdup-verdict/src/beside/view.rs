//! One round, and what can be looked up in it.

use std::time::Duration;

use super::finding::{BesideKind, BesideReason};
use super::sample::{BesideRound, Sample};
use super::silence::{Silence, longest, silences};
use super::usual::rank;
use holdup_model::Lane;

/// One round, and the times that matter.
pub(super) struct View<'a> {
    pub(super) round: &'a BesideRound,
    /// When A's first request was sent, and when its last one ended.
    pub(super) start: Duration,
    pub(super) end: Duration,
    /// When the last of all requests ended.
    pub(super) last: Duration,
    pub(super) silences: Vec<Silence>,
}

/// What is read from a round.
pub(super) struct Read {
    pub(super) kind: BesideKind,
    pub(super) held: Duration,
    /// The time without an answer that counts, if it is not the longest of all.
    pub(super) silence: Option<Silence>,
}

impl Read {
    pub(super) fn nothing() -> Self {
        Self::of(BesideKind::Inconclusive)
    }

    pub(super) fn of(kind: BesideKind) -> Self {
        Self {
            kind,
            held: Duration::ZERO,
            silence: None,
        }
    }
}

impl<'a> View<'a> {
    pub(super) fn of(round: &'a BesideRound) -> Self {
        let a = &round.at_once.lanes;
        let start = a.iter().map(Lane::requested_at).min().unwrap_or_default();
        let end = a.iter().filter_map(Lane::ended_at).max().unwrap_or(start);
        let ends = round.samples.iter();
        let ends = ends.filter_map(|sample| sample.lane.ended_at());
        let last = ends.max().unwrap_or(end).max(end);
        Self {
            round,
            start,
            end,
            last,
            silences: silences(round.samples.iter(), last),
        }
    }

    /// B's requests that were sent and could have been answered while A ran.
    pub(super) fn while_a_ran(&self) -> impl Iterator<Item = &Sample> {
        let samples = self.round.samples.iter();
        samples.filter(|sample| {
            let lane = &sample.lane;
            let sent = lane.requested_at();
            sent >= self.start && sent < self.end && sample.failure().is_none()
        })
    }

    pub(super) fn at<'b>(&'b self, places: &'b [usize]) -> impl Iterator<Item = &'b Sample> {
        places.iter().map(|place| &self.round.samples[*place])
    }

    /// How long it took, at the least.
    pub(super) fn took(&self, sample: &Sample) -> Duration {
        let answered = sample.answered_at().unwrap_or(self.last);
        answered.saturating_sub(sample.lane.requested_at())
    }

    pub(super) fn median(&self) -> Option<Duration> {
        let mut times: Vec<_> = self
            .while_a_ran()
            .filter_map(|sample| sample.lane.duration())
            .collect();
        times.sort_unstable();
        rank(&times, 0.5)
    }

    /// The longest time without an answer while A ran.
    pub(super) fn longest(&self) -> Option<Silence> {
        longest(&self.silences, self.start, self.end)
    }

    pub(super) fn client_too_slow(&self) -> BesideReason {
        let lanes = self.round.samples.iter().map(|sample| &sample.lane);
        let lanes = lanes.chain(&self.round.at_once.lanes);
        let late = lanes.map(|lane| lane.client_time().late_for_it).max();
        BesideReason::ClientTooSlow {
            late: late.unwrap_or_default(),
        }
    }
}
