//! One worker's own side: what it is working on, and where its loop iterations begin.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Waker;

use holdup_model::{HoldKind, Part};

use crate::busy_period::BusyPeriod;
use crate::gap::Gap;
use crate::lanes::Lanes;
use crate::record::HoldRecord;
use crate::routes::{Names, Route};
use crate::shared::Shared;
use crate::worker_state::WorkerState;

/// One worker of one detector. All its services, wherever they stand in the app, share it.
#[derive(Debug)]
pub struct Worker {
    shared: Arc<Shared>,
    pub(crate) state: Arc<WorkerState>,
    period: RefCell<BusyPeriod>,
    /// Whether the loop was asked to mark its next iteration. Until it does, all is one busy period.
    pub(crate) in_period: Cell<bool>,
    /// How deep in watched calls and polls the thread is: a watch within a watch counts once.
    pub(crate) depth: Cell<u32>,
    /// How many of its requests wait for something, as their last poll left them.
    pub(crate) waiting: Cell<usize>,
    pub(crate) marker: RefCell<Option<Waker>>,
    /// The thread's CPU time when it was last read, and when that was.
    cpu: Cell<(Option<u64>, u64)>,
    /// What it did since it was sent a byte that it has not come by.
    gap: RefCell<Gap>,
    names: RefCell<Names>,
    pub(crate) requests: Cell<u64>,
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
            state,
            period: RefCell::new(BusyPeriod::default()),
            in_period: Cell::new(false),
            depth: Cell::new(0),
            waiting: Cell::new(0),
            marker: RefCell::new(None),
            cpu: Cell::new((clock.thread_cpu(), clock.now())),
            gap: RefCell::default(),
            requests: Cell::new(0),
        }
    }

    /// The number by which requests name their route.
    pub fn route_number(&self, route: Route) -> NonZeroU32 {
        self.names.borrow_mut().number(route)
    }

    /// When the poll that begins now began: within a busy period the time; otherwise the last tick of the
    /// clock, which is cheaper to read.
    #[inline]
    pub(crate) fn poll_begins(&self) -> u64 {
        if self.in_period.get() {
            self.period_goes_on()
        } else {
            self.tick()
        }
    }

    /// The last tick of the clock. At the first poll after one the thread's CPU time is read, which costs
    /// ten times as much: a hold's CPU time is exact to within a tick.
    #[inline]
    fn tick(&self) -> u64 {
        let tick = self.last_tick();
        if self.cpu.get().1 < tick {
            self.detect_outside_hold(tick);
        }
        tick
    }

    #[inline]
    pub(crate) fn last_tick(&self) -> u64 {
        self.shared.clock.last_tick()
    }

    pub(crate) fn now(&self) -> u64 {
        self.shared.clock.now()
    }

    #[inline]
    pub(crate) fn lanes(&self) -> &Lanes {
        &self.shared.lanes
    }

    pub(crate) fn records_query(&self) -> bool {
        self.shared.settings.records_query
    }

    /// Nothing of what is watched went on until now. When the collector waits for an answer since long
    /// before, the worker was held by something else.
    fn detect_outside_hold(&self, now: u64) {
        if let Some(asked) = self.state.unanswered() {
            let from = asked.max(self.state.last_end());
            let mut outside = BusyPeriod::between(from, now.max(from));
            outside.note_open(self.state.open());
            if self.waiting.get() > 0 {
                outside.outside = outside.end - outside.start;
            }
            self.close(&outside);
        }
        self.cpu.set((self.shared.clock.thread_cpu(), now));
    }

    /// A poll took its time: it begins a busy period, or belongs to one.
    #[cold]
    pub(crate) fn record_slow_poll(&self, request: u64, route: NonZeroU32, part: Part, since: u64) {
        let mut period = self.period.borrow_mut();
        let now = self.now();
        let begins = !self.in_period.replace(true);
        // Of the first poll only the tick before it is known; nobody is blamed for that.
        let since = if begins {
            self.shared.clock.at_the_latest(since).min(now)
        } else {
            since
        };
        if begins {
            period.begin(since);
        }
        period.add(request, route, part, since, now);
        period.note_open(self.state.open());
        self.state.show_pending(&period);
        if begins && let Some(marker) = &*self.marker.borrow() {
            marker.wake_by_ref();
        }
    }

    /// The busy period goes on with another poll, now.
    fn period_goes_on(&self) -> u64 {
        let now = self.now();
        self.was_outside(now);
        now
    }

    /// Nothing of what is watched went on since the busy period's latest poll.
    fn was_outside(&self, now: u64) {
        if self.waiting.get() > 0 {
            let mut period = self.period.borrow_mut();
            period.outside += now.saturating_sub(period.end);
        }
    }

    /// The loop has turned: what was one busy period is over, and a hold if it was long.
    pub(crate) fn on_loop_iteration(&self) {
        if self.in_period.replace(false) {
            let now = self.now();
            self.was_outside(now);
            self.close_period(now);
            self.count_iteration_in_gap();
            self.state.set_last_end(now);
        }
    }

    /// The busy period is over without another iteration of the loop, which may not come: its time counts up
    /// to the last poll.
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
        // Only now, so that whoever reads finds it not over, or over.
        self.state.clear_pending();
    }

    /// Answers the collector.
    pub(crate) fn on_heartbeat(&self) {
        // A busy period that waits for the next iteration covers all since it began, and before that was
        // looked at then.
        if !self.in_period.get() {
            let asked = self.state.unanswered();
            self.detect_outside_hold(self.now());
            // If not, the marker has counted this iteration.
            if asked.is_some_and(|asked| asked > self.state.last_end()) {
                self.count_iteration_in_gap();
            }
        }
        self.state.answer_beat();
    }

    /// The loop is gone, and an app is left that may be wrapped anew, for another one.
    pub(crate) fn on_loop_end(&self) {
        self.close_at_last_poll();
        *self.marker.borrow_mut() = None;
    }

    /// Hands a busy period that is over to the collector, if it was a hold.
    fn close(&self, period: &BusyPeriod) {
        let duration = period.end - period.start;
        if duration < self.shared.threshold() {
            self.change_gap(|gap| gap.period.take_in(period));
            return;
        }
        self.cut_gap(period.start, period.end);
        let cpu_now = self.shared.clock.thread_cpu();
        let (cpu_before, _) = self.cpu.replace((cpu_now, period.end));
        let cpu = cpu_before
            .zip(cpu_now)
            .map(|(before, now)| (now - before).min(duration));
        let delay = self.state.delay_since(period.start);
        let delay = delay.map(|delay| delay.at_most(duration - cpu.unwrap_or(0)));
        let culprits = period.culprits(self.shared.threshold());
        let waiting = period.waiting(&culprits);
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

    /// What was between those times is a hold of its own.
    fn cut_gap(&self, start: u64, end: u64) {
        let sockets = &self.state.sockets;
        if let Some(asked) = sockets.asked() {
            self.end_gap(asked, sockets.looked().unwrap_or(start).min(start));
            sockets.restart(end, self.state.thread);
        }
    }

    /// The loop has begun another iteration.
    fn count_iteration_in_gap(&self) {
        self.change_gap(|gap| gap.turns += 1);
    }

    fn change_gap(&self, change: impl FnOnce(&mut Gap)) {
        let sockets = &self.state.sockets;
        // Once the loop has come by the byte it is over, and only the task that takes it has still to run.
        let Some(asked) = sockets.unseen() else {
            return;
        };
        let mut gap = self.gap.borrow_mut();
        if gap.period.start != asked {
            gap.begin(asked, self.cpu.get().0);
        }
        change(&mut gap);
        sockets.show(&gap);
    }

    /// The time without a look at the sockets, which began with the byte that was sent then, is over:
    /// a hold if it was long.
    fn end_gap(&self, asked: u64, end: u64) {
        let gap = self.gap.borrow();
        if gap.period.start == asked
            && let Some(record) = self.shared.starved_record(&self.state, &gap, end)
        {
            let cpu_now = self.shared.clock.thread_cpu();
            let cpu = gap.cpu.zip(cpu_now);
            let cpu = cpu.map(|(before, now)| (now - before).min(record.duration));
            let not_computing = record.duration - cpu.unwrap_or(0);
            self.shared.memory.close(HoldRecord {
                cpu,
                delay: record.delay.map(|delay| delay.at_most(not_computing)),
                ongoing: false,
                ..record
            });
        }
    }

    /// The byte was taken.
    #[cfg(unix)]
    pub(crate) fn on_sockets_looked_at(&self) {
        let sockets = &self.state.sockets;
        if let Some(asked) = sockets.asked() {
            self.end_gap(asked, sockets.looked().unwrap_or_else(|| self.now()));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A test drops its app and looks at the watch after, and the loop never turned in between.
        self.close_at_last_poll();
        self.state.end();
        // All tasks find the worker gone, and end.
        if let Some(marker) = self.marker.get_mut().take() {
            marker.wake();
        }
        self.state.beat.wake();
        self.state.sockets.task.wake();
    }
}
