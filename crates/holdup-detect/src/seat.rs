//! The seats of a worker's requests: each is a slot with the waker that leads to it, and what only the worker needs
//! to know of the request. Seats are used again, so that a request allocates nothing.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::task::Waker;

use holdup_model::Part;
use tracing::Span;

use crate::lost::Lost;
use crate::open_state::Doing;
use crate::slot::{Slot, number_or_lane};
use crate::worker_state::WorkerState;

/// How many references to its slot a seat has that is in no other use: its own and its waker's.
const REFERENCES: usize = 2;

/// The most seats that are kept for further requests. After more requests than that were open at a time, the other
/// seats are freed, about 400 bytes each, or 1400 after polls that were not woken.
const KEPT: usize = 1024;

/// The most seats that are kept because somebody still has a waker.
const LEFT: usize = 256;

/// How many places another one is looked for in, before a new one is used.
const TRIES: usize = 8;

/// The most polls that are remembered of a request that waits. If there are more, the time before them does not count
/// as lost.
const POLLS: usize = 64;

/// The place of one open request, as its worker sees it.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) slot: Arc<Slot>,
    /// The slot's place in the worker's list.
    place: usize,
    /// Wakes the request's task through the slot.
    pub(crate) waker: Waker,
    /// Identifies the request in the worker's cell, and contains its lane if it has one.
    pub(crate) number: Cell<u64>,
    /// The lane that is recorded for it; 0 if there is none.
    pub(crate) lane: Cell<u64>,
    /// When the request was opened.
    pub(crate) opened: Cell<u64>,
    /// When its last poll ended, or when it was opened. Polls that left it waiting for the same as before do not
    /// count.
    pub(crate) idle: Cell<u64>,
    /// When the latest of all its polls ended, or when it was opened.
    pub(crate) ran_until: Cell<u64>,
    /// The polls since `idle` that took long enough to matter: from, to.
    pub(crate) own: RefCell<Vec<(u64, u64)>>,
    /// Whether its last poll left it waiting for something.
    pub(crate) waits: Cell<bool>,
    /// Since when it waits.
    pub(crate) waits_since: Cell<u64>,
    /// Whether it waited before the poll in progress, and was not woken for it.
    pub(crate) still_waits: Cell<bool>,
    /// When its future was ready, if what it does since then is not recorded yet; otherwise 0.
    pub(crate) answered: Cell<u64>,
    /// How long its calls and polls took so far.
    pub(crate) running: Cell<u64>,
    /// How much time it lost so far.
    pub(crate) lost: RefCell<Lost>,
    /// Its span, once it has lost as much as the threshold.
    pub(crate) victim: RefCell<Option<Victim>>,
}

/// The span of a request that was held up.
#[derive(Debug)]
pub(crate) struct Victim {
    /// The span in which it was polled when it had lost as much as the threshold.
    pub(crate) span: Span,
    /// The requests that its span is linked to.
    pub(crate) linked: Vec<u64>,
}

/// The seats that no request has.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    #[expect(clippy::vec_box, reason = "a request keeps the box")]
    free: Vec<Box<Seat>>,
    /// Seats to which somebody still has a waker of the request before. That waker must not wake another request.
    left: VecDeque<Box<Seat>>,
    /// How many places the worker's list of slots has.
    places: usize,
    /// Those that are not in use any more.
    vacant: VecDeque<usize>,
}

impl Seats {
    /// A seat for a request.
    #[inline]
    pub(crate) fn take(&mut self, worker: &Arc<WorkerState>) -> Box<Seat> {
        self.free.pop().unwrap_or_else(|| self.find_or_make(worker))
    }

    #[cold]
    fn find_or_make(&mut self, worker: &Arc<WorkerState>) -> Box<Seat> {
        for _ in 0..self.left.len().min(TRIES) {
            self.look_at_left();
            if let Some(seat) = self.free.pop() {
                return seat;
            }
        }
        let slot = Slot::new(worker);
        Box::new(Seat {
            waker: Waker::from(Arc::clone(&slot)),
            place: self.place(&slot),
            slot,
            number: Cell::default(),
            lane: Cell::default(),
            opened: Cell::default(),
            idle: Cell::default(),
            ran_until: Cell::default(),
            own: RefCell::default(),
            waits: Cell::default(),
            waits_since: Cell::default(),
            still_waits: Cell::default(),
            answered: Cell::default(),
            running: Cell::default(),
            lost: RefCell::default(),
            victim: RefCell::default(),
        })
    }

    /// Frees the seat that was left first if nobody has a waker any more.
    fn look_at_left(&mut self) {
        match self.left.pop_front() {
            Some(seat) if seat.is_unused() => self.free.push(seat),
            Some(seat) => self.left.push_back(seat),
            None => {}
        }
    }

    /// Puts a slot into the worker's list. Returns its place.
    fn place(&mut self, slot: &Arc<Slot>) -> usize {
        let slots = &slot.worker().slots;
        for _ in 0..self.vacant.len().min(TRIES) {
            match self.vacant.pop_front() {
                Some(place) if slots.put(place, slot) => return place,
                Some(read) => self.vacant.push_back(read),
                None => break,
            }
        }
        slots.put(self.places, slot);
        self.places += 1;
        self.places - 1
    }

    /// Takes back the seat of a request that is over.
    #[inline]
    pub(crate) fn give_back(&mut self, seat: Box<Seat>) {
        if self.left.is_empty() && self.free.len() < KEPT && seat.is_unused() {
            self.free.push(seat);
        } else {
            self.give_back_another(seat);
        }
    }

    #[cold]
    fn give_back_another(&mut self, seat: Box<Seat>) {
        self.left.push_back(seat);
        // The new one, or two if one was left before, so that none stays there for long.
        for _ in 0..2 {
            self.look_at_left();
        }
        if self.left.len() > LEFT
            && let Some(seat) = self.left.pop_front()
        {
            self.vacate(&seat);
        }
        if self.free.len() > KEPT
            && let Some(seat) = self.free.pop()
        {
            self.vacate(&seat);
        }
    }

    /// Gives up the place of a seat that is dropped. Its slot remains for as long as somebody has a waker.
    fn vacate(&mut self, seat: &Seat) {
        seat.slot.worker().slots.clear(seat.place);
        self.vacant.push_back(seat.place);
    }
}

impl Seat {
    fn is_unused(&self) -> bool {
        let is_unused = Arc::strong_count(&self.slot) == REFERENCES;
        // Whoever had a waker may have woken the request before. That is now in the past.
        fence(Ordering::Acquire);
        is_unused
    }

    /// Gives the seat to a request that is opened at `at`.
    #[inline]
    pub(crate) fn open(&self, number: u64, lane: u64, route: NonZeroU32, at: u64) {
        self.number.set(number_or_lane(number, lane));
        self.lane.set(lane);
        self.opened.set(at);
        self.idle.set(at);
        self.ran_until.set(at);
        self.forget_own();
        self.still_waits.set(false);
        self.running.set(0);
        self.slot.open(number, lane, route, at);
    }

    /// Records that a call or a poll of the request ends at `end`. `since` is when it began, if it took long enough
    /// to matter.
    #[inline]
    pub(crate) fn leave(&self, part: Part, since: Option<u64>, end: u64) {
        // The call took no time, so all is as it was when the request was opened.
        if part == Part::Call && since.is_none() && end == self.ran_until.get() {
            return;
        }
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
        self.forget_own();
        if waits {
            self.waits_since.set(end);
            self.slot.leave(Doing::Waiting, end);
            return;
        }
        let doing = match part {
            // Its future is there, and has not been polled.
            Part::Call => Doing::Ready,
            _ => Doing::Sending,
        };
        self.slot.leave(doing, end);
    }

    #[inline]
    fn forget_own(&self) {
        let mut own = self.own.borrow_mut();
        if !own.is_empty() {
            own.clear();
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
#[expect(clippy::vec_box, reason = "a request keeps the box")]
mod tests {
    use super::*;

    use crate::clock::Clock;

    fn open(seats: &mut Seats, worker: &Arc<WorkerState>, count: u64) -> Vec<Box<Seat>> {
        let open = |number| {
            let seat = seats.take(worker);
            seat.open(number, 0, NonZeroU32::MIN, 1);
            seat
        };
        (1..=count).map(open).collect()
    }

    fn close(seats: &mut Seats, open: Vec<Box<Seat>>) {
        for seat in open {
            seat.slot.close();
            seats.give_back(seat);
        }
    }

    #[test]
    fn many_seats_are_found_by_others_and_most_are_freed_later() {
        let worker = WorkerState::new(0, &Clock::default());
        let mut seats = Seats::default();
        for _ in 0..3 {
            let all = open(&mut seats, &worker, 5000);
            let mut found: Vec<_> = worker.slots.iter().map(|slot| slot.number()).collect();
            found.sort_unstable();
            assert!(found.into_iter().eq(1..=5000));
            close(&mut seats, all);
            assert_eq!(seats.free.len(), KEPT);
            assert_eq!(worker.slots.iter().count(), KEPT);
            // The places of those that were freed are used again.
            assert_eq!(seats.places, 5000);
        }
    }

    #[test]
    fn a_seat_is_used_again_only_when_nobody_has_its_waker() {
        let worker = WorkerState::new(0, &Clock::default());
        let mut seats = Seats::default();
        let all = open(&mut seats, &worker, 1);
        let (stray, number) = (all[0].waker.clone(), all[0].place);
        close(&mut seats, all);
        let all = open(&mut seats, &worker, 1);
        assert_ne!(all[0].place, number);
        stray.wake();
        assert_eq!(all[0].slot.read().map(|state| state.woken), Some(0));
        close(&mut seats, all);
        let mut places: Vec<_> = open(&mut seats, &worker, 2)
            .iter()
            .map(|seat| seat.place)
            .collect();
        places.sort_unstable();
        assert_eq!(places, [0, 1]);
    }

    #[test]
    fn wakers_that_are_kept_for_ever_keep_a_bounded_number_of_seats() {
        let worker = WorkerState::new(0, &Clock::default());
        let mut seats = Seats::default();
        let mut kept = Vec::new();
        for _ in 0..2000 {
            let all = open(&mut seats, &worker, 1);
            kept.push(all[0].waker.clone());
            close(&mut seats, all);
        }
        assert_eq!((seats.left.len(), seats.free.len()), (LEFT, 0));
        assert!(seats.places <= LEFT + 2, "{}", seats.places);
    }

    #[test]
    fn a_worker_is_freed_with_the_last_of_its_seats_and_wakers() {
        let worker = WorkerState::new(0, &Clock::default());
        let weak = Arc::downgrade(&worker);
        let mut seats = Seats::default();
        let all = open(&mut seats, &worker, 3);
        let stray = all[1].waker.clone();
        close(&mut seats, all);
        drop((seats, worker));
        assert!(weak.upgrade().is_some());
        stray.wake();
        assert!(weak.upgrade().is_none());
    }

    #[test]
    fn a_tick_that_comes_late_counts_no_time_twice() {
        let worker = WorkerState::new(0, &Clock::default());
        let seat = Seats::default().take(&worker);
        let leave = |still_waits, since, end| {
            seat.waits.set(true);
            seat.still_waits.set(still_waits);
            seat.leave(Part::Future, since, end);
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
