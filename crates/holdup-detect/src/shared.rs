//! The state that all clones of a watch share.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use holdup_model::{HeldUpTimes, OpenRequest, RouteName};
use holdup_record::Folder;

use crate::clock::Clock;
use crate::doze::Doze;
use crate::flush::Flushes;
use crate::lanes::Lanes;
use crate::lasting::Lasting;
use crate::looks::Looks;
use crate::losses::{Blamed, Loss, Losses};
use crate::memory::Memory;
use crate::outlets::Outlet;
use crate::oversleep::Oversleeps;
use crate::record::{HoldId, HoldRecord, Recorded};
use crate::settings::Settings;
use crate::spans::SpanNotes;
use crate::stack::StackSample;
use crate::subscription::{Events, Subscription};
use crate::threads::Threads;
use crate::worker_state::WorkerState;
use crate::workers::Workers;

/// How many numbers a worker takes at a time, so that workers do not contend for them.
const NUMBERS: u64 = 1024;

#[derive(Debug)]
pub(crate) struct Shared {
    /// Identifies the detector, because a thread may be a worker of several.
    pub(crate) number: u64,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    /// When the detector was created.
    origin: u64,
    pub(crate) workers: Workers,
    pub(crate) memory: Memory,
    pub(crate) losses: Losses,
    pub(crate) spans: SpanNotes,
    pub(crate) looks: Looks,
    /// Stacks whose names are to be looked up.
    pub(crate) symbols: OnceLock<Outlet<Arc<StackSample>>>,
    /// The next number for a request.
    numbers: AtomicU64,
    lasting: Mutex<Lasting>,
    pub(crate) lanes: Lanes,
    pub(crate) events: Events,
    pub(crate) oversleeps: Oversleeps,
    pub(crate) doze: Doze,
    pub(crate) flushes: Flushes,
    pub(crate) threads: Threads,
    /// The folder that is to be recorded into, until the thread that does so takes it.
    pub(crate) folder: Mutex<Option<Folder>>,
    /// The collector's thread, once it runs.
    pub(crate) collector: OnceLock<Thread>,
    /// Whether it was logged that the collector could not be started. Locked while the threads are started.
    pub(crate) starting: Mutex<bool>,
}

impl Shared {
    pub(crate) fn new(clock: Clock, threads: Threads) -> Self {
        static DETECTORS: AtomicU64 = AtomicU64::new(0);
        Self {
            number: DETECTORS.fetch_add(1, Ordering::Relaxed),
            settings: Settings::default(),
            origin: clock.now(),
            clock,
            workers: Workers::default(),
            memory: Memory::new(),
            losses: Losses::new(),
            spans: SpanNotes::new(),
            looks: Looks::default(),
            symbols: OnceLock::new(),
            numbers: AtomicU64::new(1),
            lasting: Mutex::default(),
            lanes: Lanes::default(),
            events: Events::default(),
            oversleeps: Oversleeps::default(),
            doze: Doze::default(),
            flushes: Flushes::default(),
            threads,
            folder: Mutex::default(),
            collector: OnceLock::new(),
            starting: Mutex::default(),
        }
    }

    /// The time from the detector's creation to `now`.
    pub(crate) fn since_origin(&self, now: u64) -> Duration {
        Duration::from_nanos(now.saturating_sub(self.origin))
    }

    /// The time since the detector was created.
    pub(crate) fn elapsed(&self) -> Duration {
        self.since_origin(self.clock.now())
    }

    /// Returns a function like [`elapsed`](Self::elapsed) that does not keep the shared state alive.
    pub(crate) fn stopwatch(&self) -> impl Fn() -> Duration + Clone + Send + use<> {
        let (clock, origin) = (self.clock.clone(), self.origin);
        move || Duration::from_nanos(clock.now().saturating_sub(origin))
    }

    /// The threshold in nanoseconds.
    #[inline]
    pub(crate) fn threshold(&self) -> u64 {
        nanoseconds(self.settings.threshold)
    }

    /// Locks the ongoing holds. The lock is only held briefly: no names are looked up and nothing is logged
    /// under it.
    pub(crate) fn lasting(&self) -> MutexGuard<'_, Lasting> {
        self.lasting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes to the events from now on, starting with the ongoing holds.
    pub(crate) fn subscribe(&self) -> Subscription {
        self.lanes.listen();
        // No hold is published while `lasting` is locked.
        let lasting = self.lasting();
        self.events
            .subscribe(lasting.events(), &self.lanes.listeners)
    }

    /// The holds that are over, the oldest first.
    pub(crate) fn holds(&self) -> Vec<Recorded> {
        self.memory.holds(
            |record| self.named(record),
            |recorded| self.judged(recorded),
            |hold| self.lasting().fill(hold),
        )
    }

    /// The record with the names of its routes.
    pub(crate) fn named(&self, record: &HoldRecord) -> Recorded {
        Recorded::of(record, self.since_origin(record.start))
    }

    /// The hold with the time in which the process was stopped taken into account. `None` if it is shorter
    /// than the threshold without that time, or, for a starved hold, without the time in which the machine
    /// ran something else.
    pub(crate) fn judged(&self, recorded: Recorded) -> Option<Recorded> {
        let start = self.origin + nanoseconds(recorded.hold.started);
        let end = start + nanoseconds(recorded.hold.duration);
        recorded.without(
            Duration::from_nanos(self.oversleeps.stopped(start, end)),
            Duration::from_nanos(self.oversleeps.missed(start, end)),
            self.settings.threshold,
        )
    }

    /// Whom a request lost time to that is over.
    pub(crate) fn blamed<'a>(&self, loss: &'a Loss) -> &'a Blamed {
        loss.blamed(|from, to| {
            let stopped = self.oversleeps.long_stops(from, to, self.threshold());
            (stopped, self.oversleeps.missed(from, to))
        })
    }

    /// How long requests were held up that are over, by route.
    pub(crate) fn held_up_times(&self) -> Vec<HeldUpTimes> {
        let mut all = self.losses.times();
        for (route, requests) in self.workers.unharmed() {
            let route = RouteName::new(route.method, route.pattern);
            *all.entry(route)
                .or_default()
                .entry(Duration::ZERO)
                .or_default() += requests;
        }
        let times = |(route, times): (_, BTreeMap<_, _>)| {
            HeldUpTimes::new(route, times.into_iter().collect())
        };
        let mut all: Vec<_> = all.into_iter().map(times).collect();
        all.sort_by(|one, other| one.route.cmp(&other.route));
        all
    }

    /// How much of the time that an open request was held up the app has caused for certain. It is not known when in
    /// its life the request was held up, so the machine may have caused as much of it as it missed in all that time.
    pub(crate) fn certain(&self, open: &OpenRequest) -> Duration {
        let now = self.clock.now();
        let opened = now.saturating_sub(nanoseconds(open.age));
        let missed = self.oversleeps.missed(opened, now);
        open.held_up.saturating_sub(Duration::from_nanos(missed))
    }

    /// Whether the worker is still in the hold.
    pub(crate) fn is_in(&self, state: &WorkerState, id: HoldId) -> bool {
        state
            .beginnings()
            .any(|start| self.since_origin(start) == id.started)
    }

    /// Whether the hold's worker is among `states` and still in the hold.
    pub(crate) fn is_any_in(&self, states: &[Arc<WorkerState>], id: HoldId) -> bool {
        let state = states.iter().find(|state| state.worker == id.worker);
        state.is_some_and(|state| self.is_in(state, id))
    }

    /// Numbers for a worker's next requests.
    pub(crate) fn numbers(&self) -> Range<u64> {
        let first = self.numbers.fetch_add(NUMBERS, Ordering::Relaxed);
        first..first + NUMBERS
    }

    /// Has the names of a stack looked up by the thread for it. Returns false if that has too much to do already, or
    /// does not run.
    pub(crate) fn send_to_be_named(&self, stack: &Arc<StackSample>) -> bool {
        let symbols = self.symbols.get();
        symbols.is_some_and(|symbols| symbols.send(Arc::clone(stack)))
    }

    /// Wakes the collector if it dozes. Called by a worker that has opened a request.
    #[inline]
    pub(crate) fn end_doze(&self) {
        if self.doze.is_on() {
            self.wake_from_doze();
        }
    }

    #[cold]
    fn wake_from_doze(&self) {
        if self.doze.wake(|| self.clock.now()) {
            self.wake_collector();
        }
    }

    /// Wakes the collector, if there is one.
    pub(crate) fn wake_collector(&self) {
        if let Some(collector) = self.collector.get() {
            collector.unpark();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The collector then finds that the shared state is gone, and ends.
        self.wake_collector();
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
