//! The seats of a worker's requests: each is a slot with the waker that leads to it, and what only the worker needs
//! to know of the request. Seats are used again, so that a request allocates nothing.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Waker;

use tracing::Span;

use crate::lost::Lost;
use crate::slot::{Doing, Slot};
use crate::worker_state::WorkerState;

/// How many references to its slot a seat has that is in no other use: its own, its waker's and the registry's.
const REFERENCES: usize = 3;

/// The most polls that are remembered of a request that waits. If there are more, the time before them does not count
/// as lost.
const POLLS: usize = 64;

/// The place of one open request, as its worker sees it.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) slot: Arc<Slot>,
    /// Wakes the request's task through the slot.
    pub(crate) waker: Waker,
    /// When the request was opened.
    pub(crate) opened: Cell<u64>,
    /// When its last poll ended, or when it was opened. Polls that left it waiting for the same as before do not
    /// count.
    pub(crate) idle: Cell<u64>,
    /// When the latest of all its polls ended, or when it was opened.
    ran_until: Cell<u64>,
    /// The polls since `idle` that took long enough to matter: from, to.
    pub(crate) own: RefCell<Vec<(u64, u64)>>,
    /// Whether its last poll left it waiting for something.
    pub(crate) waits: Cell<bool>,
    /// Since when it waits.
    pub(crate) waits_since: Cell<u64>,
    /// Whether it waited before the poll in progress, and was not woken for it.
    pub(crate) still_waits: Cell<bool>,
    /// How long its calls and polls took so far.
    pub(crate) running: Cell<u64>,
    /// How much time it lost so far.
    pub(crate) lost: RefCell<Lost>,
    /// The span in which it was polled when it had lost as much as the threshold.
    pub(crate) span: RefCell<Option<Span>>,
}

/// The seats that no request has.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    /// How many seats the worker has made.
    made: usize,
    #[expect(clippy::vec_box, reason = "a request keeps the box")]
    free: Vec<Box<Seat>>,
    /// Seats to which somebody still has a waker of the request before. That waker must not wake another request.
    left: VecDeque<Box<Seat>>,
}

impl Seats {
    /// A seat for a request.
    #[inline]
    pub(crate) fn take(&mut self, worker: &Arc<WorkerState>) -> Box<Seat> {
        self.free.pop().unwrap_or_else(|| self.find_or_make(worker))
    }

    #[cold]
    fn find_or_make(&mut self, worker: &Arc<WorkerState>) -> Box<Seat> {
        // Seats that were left earlier are more likely to be free.
        for _ in 0..self.left.len().min(8) {
            match self.left.pop_front() {
                Some(seat) if seat.is_unused() => return seat,
                Some(seat) => self.left.push_back(seat),
                None => break,
            }
        }
        let slot = Slot::new(worker);
        worker.slots.add(self.made, &slot);
        self.made += 1;
        Box::new(Seat {
            waker: Waker::from(Arc::clone(&slot)),
            slot,
            opened: Cell::default(),
            idle: Cell::default(),
            ran_until: Cell::default(),
            own: RefCell::default(),
            waits: Cell::default(),
            waits_since: Cell::default(),
            still_waits: Cell::default(),
            running: Cell::default(),
            lost: RefCell::default(),
            span: RefCell::default(),
        })
    }

    /// Takes back the seat of a request that is over.
    #[inline]
    pub(crate) fn give_back(&mut self, seat: Box<Seat>) {
        if seat.is_unused() {
            self.free.push(seat);
        } else {
            self.left.push_back(seat);
        }
    }
}

impl Seat {
    fn is_unused(&self) -> bool {
        Arc::strong_count(&self.slot) == REFERENCES
    }

    /// Gives the seat to a request that is opened at `at`.
    #[inline]
    pub(crate) fn open(&self, number: u64, lane: u64, route: NonZeroU32, at: u64) {
        self.opened.set(at);
        self.idle.set(at);
        self.ran_until.set(at);
        self.own.borrow_mut().clear();
        self.still_waits.set(false);
        self.running.set(0);
        self.slot.open(number, lane, route, at);
    }

    /// Records that a poll of the request ends at `end`. `since` is when it began, if it took long enough to matter.
    #[inline]
    pub(crate) fn leave(&self, since: Option<u64>, end: u64) {
        // A tick of the clock may come late, so a poll may seem to have begun before the end of the one before.
        let since = since.map(|since| since.max(self.ran_until.get()).min(end));
        self.ran_until.set(self.ran_until.get().max(end));
        if let Some(since) = since {
            self.running.set(self.running.get() + (end - since));
        }
        let waits = self.waits.get();
        if waits && self.still_waits.get() {
            if let Some(since) = since {
                self.waits_still(since, end);
            }
            self.slot.leave(Doing::Waiting, self.waits_since.get());
            return;
        }
        // A tick of the clock may be earlier than the exact time at which an earlier poll ended.
        self.idle.set(self.ran_until.get());
        self.own.borrow_mut().clear();
        if waits {
            self.waits_since.set(end);
            self.slot.leave(Doing::Waiting, end);
        } else {
            self.slot.leave(Doing::Sending, end);
        }
    }

    /// Records a poll that left the request waiting for the same as before.
    #[cold]
    fn waits_still(&self, since: u64, end: u64) {
        let mut own = self.own.borrow_mut();
        if own.len() == POLLS {
            own.clear();
            self.idle.set(self.ran_until.get());
        } else {
            own.push((since, end));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Clock;

    use super::*;

    #[test]
    fn a_tick_that_comes_late_counts_no_time_twice() {
        let worker = WorkerState::new(0, &Clock::default());
        let seat = Seats::default().take(&worker);
        let leave = |still_waits, since, end| {
            seat.waits.set(true);
            seat.still_waits.set(still_waits);
            seat.leave(since, end);
            (
                seat.idle.get(),
                seat.running.get(),
                seat.own.borrow().clone(),
            )
        };
        seat.open(1, 0, NonZeroU32::MIN, 100);
        // The tick is older than the request.
        assert_eq!(leave(false, Some(98), 110), (110, 10, vec![]));
        assert_eq!(leave(true, Some(120), 130), (110, 20, vec![(120, 130)]));
        // A short poll within a tick that is older than the end of the poll before.
        assert_eq!(leave(false, None, 115), (130, 20, vec![]));
        assert_eq!(leave(true, Some(128), 140), (130, 30, vec![(130, 140)]));
        for poll in 0..POLLS as u64 {
            leave(true, Some(200 + 10 * poll), 205 + 10 * poll);
        }
        let (idle, running, own) = leave(true, Some(2000), 2010);
        assert_eq!((running, own.len()), (30 + 5 * POLLS as u64 + 10, 1));
        assert_eq!(idle, 205 + 10 * (POLLS as u64 - 1));
    }
}
