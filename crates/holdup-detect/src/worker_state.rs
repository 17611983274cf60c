//! The state of one worker that other threads may read. Only the worker writes, and it never waits.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::task::AtomicWaker;
use holdup_model::Part;

use crate::busy_period::BusyPeriod;
use crate::cell::Cell;
use crate::clock::Clock;
use crate::routes::Routes;
use crate::run_queue::{Delay, Sample};
use crate::slots::Slots;
use crate::socket_beat::SocketBeat;
use crate::system;

/// Stored instead of a time when the event loop that would answer has ended.
const NO_BEAT: u64 = u64::MAX;

const UNKNOWN: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct WorkerState {
    pub(crate) worker: usize,
    pub(crate) routes: Arc<Routes>,
    pub(crate) thread: Option<u32>,
    clock: Clock,
    alive: AtomicBool,
    cell: Cell,
    open: AtomicUsize,
    /// The places of its open requests.
    pub(crate) slots: Slots,
    /// When the hold began since which the loop has not looked at its sockets and timers; 0 if it has.
    held_from: AtomicU64,
    /// When the hold began that the latest look at the sockets and timers ended, until the next look; 0 if there
    /// was none.
    found_from: AtomicU64,
    /// Whether what that look has found may not have run yet.
    is_found: AtomicBool,
    /// The busy period that the next loop iteration will end, as of its latest poll or an earlier one.
    pending: Mutex<BusyPeriod>,
    /// When the heartbeat was requested; 0 if it was answered, [`NO_BEAT`] if nothing can answer.
    beat_asked: AtomicU64,
    /// When the task that answers had been woken. The collector may be descheduled between the two.
    beat_sent: AtomicU64,
    /// The thread's CPU time when the heartbeat was requested, or shortly before; [`UNKNOWN`] where it is not known.
    beat_cpu: AtomicU64,
    pub(crate) beat: AtomicWaker,
    pub(crate) sockets: SocketBeat,
    /// Two samples of the thread's run-queue time: the last one before the ongoing busy period and the first
    /// one in it, or the latest two.
    run_delays: Mutex<[Sample; 2]>,
}

/// An ongoing busy period, as read by another thread.
#[derive(Debug)]
pub(crate) struct Ongoing {
    pub(crate) period: BusyPeriod,
    /// Whether a poll is in progress. If not, the busy period ends with the next loop iteration.
    pub(crate) in_poll: bool,
}

impl Ongoing {
    /// Whether the next loop iteration is about to end it: no poll is in progress, and the latest one ended a moment ago.
    /// Otherwise, something that is not watched holds the loop.
    pub(crate) fn is_ending(&self, now: u64, threshold: u64) -> bool {
        !self.in_poll && now.saturating_sub(self.period.end) < threshold
    }
}

impl WorkerState {
    /// Creates the state of the calling thread.
    pub(crate) fn new(worker: usize, clock: &Clock) -> Arc<Self> {
        let thread = system::thread_number();
        let run_delay = clock.run_delay(thread).unwrap_or(0);
        let at = clock.now();
        Arc::new(Self {
            worker,
            routes: Routes::new(),
            thread,
            clock: clock.clone(),
            alive: AtomicBool::new(true),
            cell: Cell::new(),
            open: AtomicUsize::new(0),
            slots: Slots::default(),
            held_from: AtomicU64::new(0),
            found_from: AtomicU64::new(0),
            is_found: AtomicBool::new(false),
            pending: Mutex::new(BusyPeriod::default()),
            beat_asked: AtomicU64::new(0),
            beat_sent: AtomicU64::new(0),
            beat_cpu: AtomicU64::new(UNKNOWN),
            beat: AtomicWaker::new(),
            sockets: SocketBeat::new(clock.clone()),
            run_delays: Mutex::new([Sample { at, run_delay }; 2]),
        })
    }

    // Called by the worker.

    #[inline]
    pub(crate) fn enter(&self, request: u64, route: NonZeroU32, part: Part, since: u64) {
        let work = (u64::from(route.get()) << 8) | code(part);
        self.cell.enter(work, request, since);
    }

    #[inline]
    pub(crate) fn leave(&self, now: u64) {
        self.cell.leave(now);
    }

    /// Publishes the busy period to other threads. Its polls are left out while another thread reads the
    /// previous ones.
    pub(crate) fn show_pending(&self, period: &BusyPeriod) {
        if let Ok(mut pending) = self.pending.try_lock() {
            pending.clone_from(period);
        }
        self.cell.set_pending(period.start, period.end);
    }

    /// Records that the loop has begun another iteration.
    pub(crate) fn clear_pending(&self) {
        self.cell.clear_pending();
    }

    pub(crate) fn set_last_end(&self, now: u64) {
        self.cell.set_last_end(now);
    }

    /// Records that the worker was in a hold that began at `start`, and that its loop has not looked at its sockets
    /// and timers since. Returns false if that is known of an earlier hold.
    pub(crate) fn set_held_from(&self, start: u64) -> bool {
        let is_new = self.held_from.load(Ordering::Relaxed) == 0;
        if is_new {
            self.held_from.store(start, Ordering::Relaxed);
        }
        is_new
    }

    /// Records that the loop has looked at its sockets and timers. What it has found runs before it looks again.
    pub(crate) fn on_look(&self) {
        let start = self.held_from.swap(0, Ordering::Relaxed);
        self.found_from.store(start, Ordering::Relaxed);
        self.is_found.store(start > 0, Ordering::Relaxed);
    }

    /// Records that all that the latest look has found was polled once.
    pub(crate) fn on_found_polled(&self) {
        self.is_found.store(false, Ordering::Relaxed);
    }

    /// Forgets holds, because the loop has ended.
    pub(crate) fn forget_holds(&self) {
        self.held_from.store(0, Ordering::Relaxed);
        self.found_from.store(0, Ordering::Relaxed);
    }

    /// Whether the loop has to look at its sockets and timers because of a hold, or has done so and not yet looked
    /// again.
    pub(crate) fn is_after_hold(&self) -> bool {
        self.polled_since().is_some()
    }

    /// Since when a task may have been ready that the loop polls now. The latest look has found it, so the hold
    /// before that look counts. `None` if there was no hold.
    #[inline]
    pub(crate) fn polled_since(&self) -> Option<u64> {
        let (found, held) = self.holds();
        found.or(held)
    }

    /// Since when something may have been ready that the loop finds now. The latest look has not found it, so only
    /// a hold after that look counts. What the look has found may wake others, and those could have been ready as
    /// early.
    fn found_since(&self) -> Option<u64> {
        let (found, held) = self.holds();
        held.or_else(|| found.filter(|_| self.is_found.load(Ordering::Relaxed)))
    }

    /// When the hold began that the latest look at the sockets and timers ended, and the hold after that look.
    #[inline]
    fn holds(&self) -> (Option<u64>, Option<u64>) {
        let time = |time: &AtomicU64| Some(time.load(Ordering::Relaxed)).filter(|&time| time > 0);
        (time(&self.found_from), time(&self.held_from))
    }

    pub(crate) fn set_open(&self, open: usize) {
        self.open.store(open, Ordering::Relaxed);
    }

    /// Answers the requested heartbeat, if there is one.
    pub(crate) fn answer_beat(&self) {
        self.beat_asked.store(0, Ordering::Release);
    }

    /// Records that nothing answers heartbeats any more.
    pub(crate) fn stop_beat(&self) {
        self.beat_asked.store(NO_BEAT, Ordering::Release);
    }

    pub(crate) fn end(&self) {
        self.alive.store(false, Ordering::Release);
    }

    /// The thread's CPU time when the latest heartbeat was requested, or shortly before; `None` if it is not known.
    pub(crate) fn cpu_when_asked(&self) -> Option<u64> {
        Some(self.beat_cpu.load(Ordering::Relaxed)).filter(|&cpu| cpu != UNKNOWN)
    }

    /// How long the worker's thread was in the run queue in a busy period that began at `start` and ends now;
    /// `None` if that is not known.
    pub(crate) fn delay_since(&self, start: u64) -> Option<Delay> {
        let samples = *self.run_delays.try_lock().ok()?;
        Delay::between(start, &samples, self.clock.run_delay(self.thread)?)
    }

    // Called by other threads.

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// The request whose call or poll is in progress, and since when it is; `None` if there is none, or if the cell
    /// changes too fast to be read.
    pub(crate) fn running(&self) -> Option<(u64, u64)> {
        let (cell, ()) = self.cell.read(|| ())?;
        (cell.work > 0).then_some((cell.request, cell.since))
    }

    pub(crate) fn polls(&self) -> u64 {
        self.cell.polls()
    }

    pub(crate) fn last_end(&self) -> u64 {
        self.cell.last_end()
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Since when a request that is woken now has been ready. Called by whoever wakes it.
    ///
    /// What wakes it from another thread, or from within another request, has just happened. What the loop itself
    /// finds right after a hold may have happened at any time since the hold began. The same holds for what wakes
    /// it from a task that is not watched, such as the one that drives a connection to a database: that task, too,
    /// could not run before.
    pub(crate) fn ready_since(&self) -> u64 {
        let found_late = || {
            let start = self.found_since()?;
            let is_found_by_the_loop =
                !self.cell.is_working() && system::thread_number() == self.thread;
            is_found_by_the_loop.then_some(start)
        };
        found_late().unwrap_or_else(|| self.clock.last_tick())
    }

    /// Requests a heartbeat. If an earlier one is still unanswered, returns [since when](Self::unanswered). `cpu` is
    /// the thread's CPU time, if it is known.
    pub(crate) fn ask_beat(&self, now: u64, cpu: Option<u64>) -> Option<u64> {
        if self.beat_asked.load(Ordering::Acquire) == 0 {
            self.beat_cpu
                .store(cpu.unwrap_or(UNKNOWN), Ordering::Relaxed);
        }
        match self
            .beat_asked
            .compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => {
                self.beat.wake();
                self.beat_sent.store(self.clock.now(), Ordering::Release);
                None
            }
            Err(_) => self.unanswered(),
        }
    }

    /// Whether an event loop is there that answers heartbeats.
    pub(crate) fn has_loop(&self) -> bool {
        self.beat_asked.load(Ordering::Acquire) != NO_BEAT
    }

    /// Whether a requested heartbeat is unanswered.
    pub(crate) fn is_asked(&self) -> bool {
        !matches!(self.beat_asked.load(Ordering::Acquire), 0 | NO_BEAT)
    }

    /// Since when a requested heartbeat is unanswered.
    pub(crate) fn unanswered(&self) -> Option<u64> {
        let asked = self.beat_asked.load(Ordering::Acquire);
        if asked == 0 || asked == NO_BEAT {
            return None;
        }
        let sent = self.beat_sent.load(Ordering::Acquire);
        (sent >= asked).then_some(sent)
    }

    /// Samples the thread's run-queue time. Also returns its CPU time, if that is known.
    pub(crate) fn sample(&self) -> (Option<Sample>, Option<u64>) {
        let (cpu, run_delay) = self.clock.times_of(self.thread);
        // The clock is read only now, because this thread may be descheduled before it does so.
        let at = self.clock.now();
        (run_delay.map(|run_delay| Sample { at, run_delay }), cpu)
    }

    /// Keeps the sample, unless a first one of the busy period that began at `start` is kept already: then there is
    /// also the last one from before it.
    pub(crate) fn keep(&self, sample: Sample, start: Option<u64>) {
        let mut samples = self
            .run_delays
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if start.is_none_or(|start| start > samples[1].at) {
            *samples = [samples[1], sample];
        }
    }

    /// The start times of the holds that the worker may be in now.
    pub(crate) fn beginnings(&self) -> impl Iterator<Item = u64> {
        let start = match self.ongoing(self.clock.now()) {
            Some(ongoing) => Some(ongoing.period.start),
            None => self.unanswered().map(|asked| asked.max(self.last_end())),
        };
        [start, self.sockets.unseen()].into_iter().flatten()
    }

    /// The busy period that is ongoing at `now`, because a poll is in progress or the loop has not begun
    /// another iteration since. `None` if there is none, or if it changes too fast to be long.
    pub(crate) fn ongoing(&self, now: u64) -> Option<Ongoing> {
        let pending = || self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let (cell, pending) = self.cell.read(|| pending().clone())?;
        if cell.work == 0 && cell.pending_start == 0 {
            return None;
        }
        let since = self.clock.at_the_latest(cell.since).min(now);
        let is_pending = cell.pending_start > 0;
        let start = if is_pending {
            cell.pending_start
        } else {
            since
        };
        let is_known = is_pending && pending.start == cell.pending_start;
        let mut period = if is_known {
            pending
        } else {
            BusyPeriod::between(start, start)
        };
        if is_pending {
            period.end = period.end.max(cell.pending_end);
        }
        let route = u32::try_from(cell.work >> 8).ok();
        if let Some(route) = route.and_then(NonZeroU32::new) {
            let part = part(cell.work & 0xff);
            period.add(cell.request, route, part, since, now.max(since));
        }
        Some(Ongoing {
            period,
            in_poll: cell.work > 0,
        })
    }
}

/// The part as a number, for storage in an atomic.
fn code(part: Part) -> u64 {
    match part {
        Part::Call => 0,
        Part::Future => 1,
        _ => 2,
    }
}

/// The part of a number that [`code`] returned.
fn part(code: u64) -> Part {
    match code {
        0 => Part::Call,
        1 => Part::Future,
        _ => Part::Body,
    }
}
