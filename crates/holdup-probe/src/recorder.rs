//! Writes to the lane of a request what happens to it, and when.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::own_time::OwnTime;
use holdup_model::{Failure, Lane, Timeline};

/// The lane to record to, and the clock for its times.
#[derive(Clone, Copy)]
pub(super) struct LaneRecorder<'a> {
    pub(super) timeline: &'a Mutex<Timeline>,
    pub(super) place: usize,
    pub(super) clock: Instant,
    pub(super) own: &'a OwnTime,
}

impl LaneRecorder<'_> {
    pub(super) fn timeline(&self) -> MutexGuard<'_, Timeline> {
        lock(self.timeline)
    }

    pub(super) fn record(&self, mark: impl FnOnce(&mut Lane, Duration)) {
        let now = self.clock.elapsed();
        if let Some(lane) = self.timeline().lanes.get_mut(self.place) {
            mark(lane, now);
        }
    }

    pub(super) fn fail(&self, failure: Failure) {
        self.record(|lane, now| lane.fail(now, failure));
    }

    /// The failure for an answer that broke off, or that never began.
    pub(super) fn torn(&self) -> Failure {
        let timeline = self.timeline();
        let lane = timeline.lanes.get(self.place);
        if lane.is_some_and(|lane| lane.status().is_some()) {
            Failure::CutOff
        } else {
            Failure::Reset
        }
    }
}

/// Locks the lanes, even after a panic: no panic leaves them half written.
pub(super) fn lock(timeline: &Mutex<Timeline>) -> MutexGuard<'_, Timeline> {
    timeline.lock().unwrap_or_else(PoisonError::into_inner)
}
