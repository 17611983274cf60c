//! Writes to the lane of a request what happens to it, and when.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::inlet::Arrivals;
use super::inlets::Inlets;
use super::own_time::OwnTime;
use holdup_model::{Failure, Lane, Timeline};

/// The prober's side of a round, which all of its lanes share.
#[derive(Clone, Copy)]
pub(super) struct Client<'a> {
    /// The lanes' times count from here.
    pub(super) clock: Instant,
    pub(super) own: &'a OwnTime,
    pub(super) inlets: &'a Inlets,
}

/// The lane to record to, and the prober's side of its round.
#[derive(Clone, Copy)]
pub(super) struct LaneRecorder<'a> {
    pub(super) timeline: &'a Mutex<Timeline>,
    pub(super) place: usize,
    pub(super) client: Client<'a>,
}

impl LaneRecorder<'_> {
    pub(super) fn timeline(&self) -> MutexGuard<'_, Timeline> {
        lock(self.timeline)
    }

    pub(super) fn record(&self, mark: impl FnOnce(&mut Lane, Duration)) {
        self.record_at(Instant::now(), mark);
    }

    /// Records what happened at this time.
    pub(super) fn record_at(&self, at: Instant, mark: impl FnOnce(&mut Lane, Duration)) {
        let at = at.saturating_duration_since(self.client.clock);
        if let Some(lane) = self.timeline().lanes.get_mut(self.place) {
            mark(lane, at.max(lane.requested_at()));
        }
    }

    /// Records what the bytes mean that are being worked on, at the time at which they were read.
    pub(super) fn record_arrival(&self, of: &Arrivals, mark: impl FnOnce(&mut Lane, Duration)) {
        self.record_at(of.latest(), mark);
    }

    /// The time now, on the lanes' clock.
    pub(super) fn now(&self) -> Duration {
        self.client.clock.elapsed()
    }

    /// Reads something of the lane.
    pub(super) fn lane<T: Default>(&self, read: impl FnOnce(&Lane) -> T) -> T {
        let timeline = self.timeline();
        timeline.lanes.get(self.place).map(read).unwrap_or_default()
    }

    pub(super) fn fail(&self, failure: Failure) {
        self.record(|lane, now| lane.fail(now, failure));
    }

    /// What the end of the connection means: if the answer has begun, it is cut off.
    pub(super) fn torn(&self, failure: Failure) -> Failure {
        let has_begun = self.lane(|lane| lane.status().is_some());
        cut_off_if(has_begun, failure)
    }
}

/// The failure of an answer that may have begun when the connection ended.
pub(super) fn cut_off_if(has_begun: bool, failure: Failure) -> Failure {
    match failure {
        Failure::Reset | Failure::Closed if has_begun => Failure::CutOff,
        failure => failure,
    }
}

/// Locks the lanes, even after a panic: no panic leaves them half written.
pub(super) fn lock(timeline: &Mutex<Timeline>) -> MutexGuard<'_, Timeline> {
    timeline.lock().unwrap_or_else(PoisonError::into_inner)
}
