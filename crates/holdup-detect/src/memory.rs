//! Keeps the last thousand holds that are over.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_queue::ArrayQueue;
use holdup_model::Hold;

use crate::record::{HoldId, HoldRecord, Recorded};

/// The most holds that are kept. The oldest are dropped first.
const HOLDS: usize = 1000;

/// The most records that wait for the collector.
const CLOSED: usize = 1024;

/// Takes holds from the workers, which never wait for it, and keeps them.
#[derive(Debug)]
pub(crate) struct Memory {
    closed: ArrayQueue<HoldRecord>,
    kept: Mutex<VecDeque<Kept>>,
}

#[derive(Debug)]
struct Kept {
    recorded: Recorded,
    stage: Stage,
}

/// The progress of a hold that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// The time that the collector overslept in the hold is not known yet.
    Closed,
    /// The record is a hold. Its samples have not been added yet.
    Judged,
    /// The hold is complete, and published.
    Complete,
}

/// The records that the collector takes from the memory, by what they turned out to be.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Records that are holds.
    pub(crate) holds: Vec<Hold>,
    /// Records that were handed over as holds and turned out not to be.
    pub(crate) none: Vec<HoldId>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            closed: ArrayQueue::new(CLOSED),
            kept: Mutex::default(),
        }
    }

    /// Takes a hold that is over, without waiting. If the queue is full, because a thousand holds were not
    /// drained, the oldest is lost.
    pub(crate) fn close(&self, record: HoldRecord) {
        self.closed.force_push(record);
    }

    /// The holds that are over, the oldest first. `name` turns a record into a hold, `judge` decides whether
    /// one that the collector has not judged yet is a hold, and `fill` adds the samples to those that are not
    /// complete.
    pub(crate) fn holds(
        &self,
        name: impl Fn(&HoldRecord) -> Recorded,
        judge: impl Fn(Recorded) -> Option<Recorded>,
        fill: impl Fn(&mut Hold),
    ) -> Vec<Recorded> {
        let kept = self.drain(name);
        let holds = kept.iter().filter_map(|kept| {
            let mut recorded = kept.recorded.clone();
            if kept.stage == Stage::Closed {
                recorded = judge(recorded)?;
            }
            if kept.stage < Stage::Complete {
                fill(&mut recorded.hold);
            }
            Some(recorded)
        });
        holds.collect()
    }

    /// The holds that have ended since the last call. Only the collector may call this, because the time that
    /// it overslept in these holds counts as known afterwards.
    pub(crate) fn judge(
        &self,
        name: impl Fn(&HoldRecord) -> Recorded,
        judge: impl Fn(Recorded) -> Option<Recorded>,
    ) -> Judged {
        let mut judged = Judged::default();
        let mut kept = self.drain(name);
        kept.retain_mut(|kept| {
            if kept.stage > Stage::Closed {
                return true;
            }
            kept.stage = Stage::Judged;
            if let Some(recorded) = judge(kept.recorded.clone()) {
                judged.holds.push(recorded.hold.clone());
                kept.recorded = recorded;
                true
            } else {
                judged.none.push(HoldId::of(&kept.recorded.hold));
                false
            }
        });
        judged
    }

    /// The holds that were judged and are not complete, for a collector that takes over from one that
    /// panicked.
    pub(crate) fn incomplete(&self) -> Vec<Hold> {
        let all = self.lock();
        let judged = all.iter().filter(|kept| kept.stage == Stage::Judged);
        judged.map(|kept| kept.recorded.hold.clone()).collect()
    }

    /// Marks a hold as complete. The caller publishes it next.
    pub(crate) fn complete(&self, hold: &Hold) {
        let id = HoldId::of(hold);
        let mut all = self.lock();
        let kept = all.iter_mut().rev();
        let mut same = kept
            .filter(|kept| kept.stage == Stage::Judged && HoldId::of(&kept.recorded.hold) == id);
        if let Some(kept) = same.next() {
            kept.stage = Stage::Complete;
            kept.recorded.hold = hold.clone();
        }
    }

    /// Whether all holds that are over are complete.
    pub(crate) fn is_complete(&self) -> bool {
        let all = self.lock();
        self.closed.is_empty() && all.iter().all(|kept| kept.stage == Stage::Complete)
    }

    fn drain(&self, name: impl Fn(&HoldRecord) -> Recorded) -> MutexGuard<'_, VecDeque<Kept>> {
        let mut kept = self.lock();
        while let Some(record) = self.closed.pop() {
            if kept.len() == HOLDS {
                kept.pop_front();
            }
            kept.push_back(Kept {
                recorded: name(&record),
                stage: Stage::Closed,
            });
        }
        kept
    }

    /// The lock is only held briefly: names of routes are copied under it, but no symbols are looked up.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
