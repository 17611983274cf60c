//! The worker's own thread: it records its polls, and where its loop iterations begin.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use holdup_model::{HoldKind, Part};

use crate::blockers::Blockers;
use crate::busy_period::BusyPeriod;
use crate::captured;
use crate::clock::Clock;
use crate::gap::Gap;
use crate::lanes::Lanes;
use crate::looks::Answer;
use crate::recent::Recent;
use crate::record::HoldRecord;
use crate::routes::{Names, Route};
use crate::seat::{Seat, Seats};
use crate::shared::Shared;
use crate::stack;
use crate::worker_state::WorkerState;

/// A slow poll that has ended, nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlowPoll {
    pub(crate) since: u64,
    pub(crate) end: u64,
}

/// One worker of one detector. All watched services of the app on this thread share it.
#[derive(Debug)]
pub struct Worker {
    pub(crate) shared: Arc<Shared>,
    /// The detector's. It is read so often that the way to it has to be short.
    clock: Clock,
    pub(crate) state: Arc<WorkerState>,
    period: RefCell<BusyPeriod>,
    /// Whether the loop was asked to mark its next iteration. Until then, all polls belong to one busy
    /// period.
    pub(crate) in_period: Cell<bool>,
    /// How deep the thread is in nested watched calls and polls. Only the outermost one counts.
    pub(crate) depth: Cell<u32>,
    /// How many of its requests are waiting, as of their last poll.
    pub(crate) waiting: Cell<usize>,
    pub(crate) marker: RefCell<Option<Waker>>,
    /// Wakes the task that waits until the loop has looked at its sockets and timers.
    pub(crate) after_hold: RefCell<Option<Waker>>,
    /// The thread's CPU time at the last reading, and the time of that reading.
    pub(crate) cpu: Cell<(Option<u64>, u64)>,
    /// The worker's work since the second heartbeat's byte was sent, while the loop has not polled its
    /// sockets.
    pub(crate) gap: RefCell<Gap>,
    names: RefCell<Names>,
    pub(crate) recent: RefCell<Recent>,
    pub(crate) seats: RefCell<Seats>,
    /// The spans of the requests that it ran for long lately.
    pub(crate) blockers: RefCell<Blockers>,
    /// The number for its next request, and the end of those that it may give.
    next_number: Cell<u64>,
    numbers_end: Cell<u64>,
}

impl Worker {
    /// A worker on the calling thread.
    pub(crate) fn new(shared: &Arc<Shared>, number: usize) -> Self {
        let clock = &shared.clock;
        let state = WorkerState::new(number, clock);
        shared.workers.add(&state);
        Self {
            names: RefCell::new(Names::new(Arc::clone(&state.routes))),
            shared: Arc::clone(shared),
            clock: clock.clone(),
            state,
            period: RefCell::new(BusyPeriod::default()),
            in_period: Cell::new(false),
            depth: Cell::new(0),
            waiting: Cell::new(0),
            marker: RefCell::new(None),
            after_hold: RefCell::new(None),
            recent: RefCell::default(),
            seats: RefCell::default(),
            blockers: RefCell::default(),
            cpu: Cell::new((clock.thread_cpu(), clock.now())),
            gap: RefCell::default(),
            next_number: Cell::default(),
            numbers_end: Cell::default(),
        }
    }

    /// The route's number, by which requests refer to it.
    pub fn route_number(&self, route: Route) -> NonZeroU32 {
        self.names.borrow_mut().number(route)
    }

    /// The start time of a poll that begins now. Within a busy period this is the exact time. Otherwise it is
    /// the last tick of the clock, which is cheaper to read.
    #[inline]
    pub(crate) fn poll_begins(&self) -> u64 {
        if self.in_period.get() {
            self.period_goes_on()
        } else {
            self.note_tick(self.last_tick())
        }
    }

    /// As [`poll_begins`](Self::poll_begins), where the clock's last tick is known.
    #[inline]
    pub(crate) fn poll_begins_at(&self, tick: u64) -> u64 {
        if self.in_period.get() {
            self.period_goes_on()
        } else {
            self.note_tick(tick)
        }
    }

    /// Returns the last tick of the clock. The thread's CPU time costs ten times as much to read, so it is read only
    /// at the first poll after a tick. A hold's CPU time is therefore exact to within a tick.
    #[inline]
    fn note_tick(&self, tick: u64) -> u64 {
        if self.cpu.get().1 < tick {
            self.detect_outside_hold(tick);
        }
        tick
    }

    #[inline]
    pub(crate) fn last_tick(&self) -> u64 {
        self.clock.last_tick()
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    #[inline]
    pub(crate) fn lanes(&self) -> &Lanes {
        &self.shared.lanes
    }

    pub(crate) fn records_query(&self) -> bool {
        self.shared.settings.records_query
    }

    /// Handles the time up to `now`, in which no watched poll ran. If a heartbeat was unanswered for at least
    /// the threshold meanwhile, something else held the worker, and that is recorded as a hold.
    fn detect_outside_hold(&self, now: u64) {
        if let Some(asked) = self.state.unanswered() {
            // Nobody may have asked for a long time before, and then this thread's own reading is old.
            let (cpu, at) = self.cpu.get();
            self.cpu.set((cpu.max(self.state.cpu_when_asked()), at));
            let from = asked.max(self.state.last_end());
            let mut outside = BusyPeriod::between(from, now.max(from));
            outside.note_open(self.state.open());
            if self.waiting.get() > 0 {
                outside.outside = outside.end - outside.start;
            }
            if outside.end - outside.start >= self.shared.threshold() {
                self.note_hold(outside.start);
            }
            self.close(&outside);
        }
        self.cpu.set((self.clock.thread_cpu(), now));
    }

    /// Records a slow poll, which begins a busy period or belongs to one.
    #[cold]
    pub(crate) fn record_slow_poll(
        &self,
        request: u64,
        route: NonZeroU32,
        part: Part,
        since: u64,
    ) -> SlowPoll {
        let mut period = self.period.borrow_mut();
        let now = self.now();
        let begins = !self.in_period.replace(true);
        // Only the tick before the first poll is known. The latest possible start is used, so that the
        // request is not charged for time before its poll.
        let since = if begins {
            self.clock.at_the_latest(since).min(now)
        } else {
            since
        };
        if begins {
            period.begin(since);
        }
        period.add(request, route, part, since, now);
        period.note_open(self.state.open());
        self.state.show_pending(&period);
        self.recent.borrow_mut().add(route, since, now);
        if begins && let Some(marker) = &*self.marker.borrow() {
            marker.wake_by_ref();
        }
        if now - period.start >= self.shared.threshold() {
            self.note_hold(period.start);
        }
        let hold = now - period.start;
        drop(period);
        self.note_starved(now);
        let since = since.min(now);
        self.note_blocker(request, (since, now), hold);
        SlowPoll { since, end: now }
    }

    /// Records that the worker was in a hold, so that the loop has not looked at its sockets and timers since
    /// `start`.
    fn note_hold(&self, start: u64) {
        if let Some(waker) = &*self.after_hold.borrow()
            && self.state.set_held_from(start)
        {
            waker.wake_by_ref();
        }
    }

    /// Records that the loop has not looked at its sockets and timers for at least the threshold, if that is so,
    /// although it has turned.
    fn note_starved(&self, now: u64) {
        if let Some(asked) = self.state.sockets.unseen()
            && now.saturating_sub(asked) >= self.shared.threshold()
        {
            self.note_hold(asked);
        }
    }

    /// Polls a request, and hands over the stacks at which it waits then.
    #[cold]
    pub(crate) fn look<T>(
        &self,
        seat: &Seat,
        poll: &mut dyn FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let (polled, stacks) = stack::trace_awaits(&seat.waker, poll);
        if let Some(stacks) = captured::offer(stacks) {
            let (number, polls) = seat.slot.current();
            self.shared.looks.answer(Answer {
                number,
                polls,
                stacks,
            });
        }
        polled
    }

    /// A number for a new request. No other request of the detector has it.
    #[inline]
    pub(crate) fn next_request(&self) -> u64 {
        if self.next_number.get() == self.numbers_end.get() {
            self.take_numbers();
        }
        self.next_number.replace(self.next_number.get() + 1)
    }

    #[cold]
    fn take_numbers(&self) {
        let numbers = self.shared.numbers();
        self.next_number.set(numbers.start);
        self.numbers_end.set(numbers.end);
    }

    /// Continues the busy period with a poll that begins now. Returns the time.
    fn period_goes_on(&self) -> u64 {
        let now = self.now();
        self.was_outside(now);
        now
    }

    /// Counts the time since the busy period's latest poll as time without a watched poll, if a request
    /// waits.
    fn was_outside(&self, now: u64) {
        if self.waiting.get() > 0 {
            let mut period = self.period.borrow_mut();
            period.outside += now.saturating_sub(period.end);
        }
    }

    /// Ends the busy period, because the loop has begun another iteration. It is a hold if it reached the
    /// threshold.
    pub(crate) fn on_loop_iteration(&self) {
        if self.in_period.replace(false) {
            let now = self.now();
            self.was_outside(now);
            self.note_hold_by_others(now);
            self.close_period(now);
            self.count_iteration_in_gap();
            self.state.set_last_end(now);
            if !self.state.is_after_hold() {
                self.forget_blockers();
            }
        }
    }

    /// Records that the worker was in a hold, if the busy period is one only with the time since its latest poll.
    fn note_hold_by_others(&self, now: u64) {
        let period = self.period.borrow();
        let threshold = self.shared.threshold();
        if period.end - period.start < threshold && now - period.start >= threshold {
            self.note_hold(period.start);
        }
    }

    /// Ends the busy period without another loop iteration, which may never come. Its time counts up to the
    /// last poll.
    pub(crate) fn close_at_last_poll(&self) {
        if self.depth.get() == 0 && self.in_period.replace(false) {
            let end = self.period.borrow().end;
            self.close_period(end);
        }
    }

    fn close_period(&self, end: u64) {
        let mut period = self.period.borrow_mut();
        period.end = end;
        self.close(&period);
        // Cleared only after the hold is recorded, so that a reader finds the busy period either ongoing or
        // over.
        self.state.clear_pending();
    }

    /// Answers the collector's heartbeat.
    pub(crate) fn on_heartbeat(&self) {
        // A busy period covers all time since it began, and the time before the period was handled when the
        // period began.
        if !self.in_period.get() {
            let asked = self.state.unanswered();
            let now = self.now();
            self.detect_outside_hold(now);
            self.note_starved(now);
            // Otherwise the marker task has already counted this iteration.
            if asked.is_some_and(|asked| asked > self.state.last_end()) {
                self.count_iteration_in_gap();
            }
        }
        self.state.answer_beat();
    }

    /// Handles the end of the loop. The app remains, and may be served on another loop.
    pub(crate) fn on_loop_end(&self) {
        self.close_at_last_poll();
        *self.marker.borrow_mut() = None;
        *self.after_hold.borrow_mut() = None;
        self.state.forget_holds();
        self.forget_blockers();
    }

    /// Hands a finished busy period to the collector if it was a hold.
    fn close(&self, period: &BusyPeriod) {
        let duration = period.end - period.start;
        if duration < self.shared.threshold() {
            self.change_gap(|gap| gap.period.take_in(period));
            return;
        }
        self.cut_gap(period.start, period.end);
        let cpu_now = self.clock.thread_cpu();
        let (cpu_before, _) = self.cpu.replace((cpu_now, period.end));
        let cpu = cpu_before
            .zip(cpu_now)
            .map(|(before, now)| now.saturating_sub(before).min(duration));
        let delay = self.state.delay_since(period.start);
        let delay = delay.map(|delay| delay.at_most(duration - cpu.unwrap_or(0)));
        let culprits = period.culprits(self.shared.threshold());
        let waiting = period.waiting(&culprits);
        self.hand_over_culprits(period.start, &culprits);
        self.shared.memory.close(HoldRecord {
            kind: HoldKind::Blocked,
            state: Arc::clone(&self.state),
            start: period.start,
            duration,
            cpu,
            delay,
            outside: period.outside,
            culprits,
            waiting,
            ongoing: false,
        });
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A test may drop its app and then query the watch without a loop iteration in between.
        self.close_at_last_poll();
        self.state.end();
        // The woken tasks find that the worker is gone, and end.
        if let Some(marker) = self.marker.get_mut().take() {
            marker.wake();
        }
        if let Some(after_hold) = self.after_hold.get_mut().take() {
            after_hold.wake();
        }
        self.state.beat.wake();
        self.state.sockets.task.wake();
    }
}
