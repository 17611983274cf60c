//! What all clones of a watch share: its workers, its settings, and the holds that were seen.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;

use super::hold::{Culprit, HoldKind, Recorded, THRESHOLD, WorkerStatus};
use super::monitor;
use super::oversleep::Oversleeps;
use super::recorder::Recorder;
use super::seen::Seen;
use super::slot::{Delay, Ongoing, Slot};
use super::stretch::{Entry, Stretch};
use super::system;
use holdup_model::Hold;

/// The most holds that are kept; the oldest are forgotten first.
const HOLDS: usize = 1000;

/// The most holds that wait for the monitor.
const CLOSED: usize = 1024;

/// The longest that an assertion waits for the monitor to have its turn, nanoseconds.
const CATCH_UP: u64 = 5_000_000_000;

#[derive(Debug)]
pub(super) struct Shared {
    /// Tells watches apart, for the threads that are workers of several.
    pub(super) number: u64,
    /// When the watch was made.
    origin: u64,
    threshold: AtomicU64,
    record_query: AtomicBool,
    workers: AtomicUsize,
    slots: Mutex<Vec<Arc<Slot>>>,
    /// The polls of the workers that are gone.
    past_polls: AtomicU64,
    closed: ArrayQueue<Raw>,
    settled: Mutex<Settled>,
    pub(super) recorder: Recorder,
    pub(super) seen: Seen,
    pub(super) oversleeps: Oversleeps,
    monitor: OnceLock<Thread>,
}

/// A hold as its worker hands it over; names and sentences are for others to make.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) kind: HoldKind,
    pub(super) slot: Arc<Slot>,
    pub(super) start: u64,
    pub(super) duration: u64,
    pub(super) cpu: Option<u64>,
    /// In the run queue.
    pub(super) delay: Option<Delay>,
    /// In which nothing watched went on, though a request waited for something.
    pub(super) outside: u64,
    pub(super) culprits: Vec<Entry>,
    pub(super) waiting: usize,
    pub(super) ongoing: bool,
}

#[derive(Debug, Default)]
struct Settled {
    holds: VecDeque<Recorded>,
    /// Of so many of them, the newest, the monitor has still to tell. Until it does it is not known what it
    /// overslept in them.
    untold: usize,
}

impl Shared {
    pub(super) fn new() -> Self {
        static WATCHES: AtomicU64 = AtomicU64::new(0);
        Self {
            number: WATCHES.fetch_add(1, Ordering::Relaxed),
            origin: system::now(),
            threshold: AtomicU64::new(nanoseconds(THRESHOLD)),
            record_query: AtomicBool::new(false),
            workers: AtomicUsize::new(0),
            slots: Mutex::default(),
            past_polls: AtomicU64::new(0),
            closed: ArrayQueue::new(CLOSED),
            settled: Mutex::default(),
            recorder: Recorder::new(),
            seen: Seen::default(),
            oversleeps: Oversleeps::default(),
            monitor: OnceLock::new(),
        }
    }

    /// The time of `now` since the watch was made.
    pub(super) fn since_origin(&self, now: u64) -> Duration {
        Duration::from_nanos(now.saturating_sub(self.origin))
    }

    /// In nanoseconds.
    pub(super) fn threshold(&self) -> u64 {
        self.threshold.load(Ordering::Relaxed)
    }

    pub(super) fn set_threshold(&self, threshold: Duration) {
        self.threshold
            .store(nanoseconds(threshold), Ordering::Relaxed);
    }

    pub(super) fn records_query(&self) -> bool {
        self.record_query.load(Ordering::Relaxed)
    }

    pub(super) fn set_record_query(&self, record: bool) {
        self.record_query.store(record, Ordering::Relaxed);
    }

    /// A number for one more worker.
    pub(super) fn next_worker(&self) -> usize {
        self.workers.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes the calling thread the worker of that number. The first one starts the monitor.
    pub(super) fn register(self: &Arc<Self>, worker: usize) -> Arc<Slot> {
        let slot = Slot::new(worker, system::now());
        lock(&self.slots).push(Arc::clone(&slot));
        // It sleeps while there is no worker.
        self.monitor
            .get_or_init(|| monitor::start(Arc::downgrade(self)))
            .unpark();
        slot
    }

    /// The workers that are there.
    pub(super) fn slots(&self) -> Vec<Arc<Slot>> {
        self.alive().clone()
    }

    /// Those that are gone are forgotten, except for what they did.
    fn alive(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        let mut slots = lock(&self.slots);
        slots.retain(|slot| {
            let alive = slot.is_alive();
            if !alive {
                self.past_polls.fetch_add(slot.polls(), Ordering::Relaxed);
            }
            alive
        });
        slots
    }

    /// All polls of all workers so far.
    pub(super) fn polls(&self) -> u64 {
        // Locked until both are read, or one that goes meanwhile would be counted twice.
        let slots = self.alive();
        let now = slots.iter().map(|slot| slot.polls()).sum::<u64>();
        self.past_polls.load(Ordering::Relaxed) + now
    }

    /// Takes a hold that is over. The worker does not wait: when the queue is full, which takes a
    /// thousand holds that nobody looked at, the oldest is lost.
    pub(super) fn close(&self, raw: Raw) {
        self.closed.force_push(raw);
    }

    /// The holds that are over, the oldest first.
    pub(super) fn over(&self) -> Vec<Hold> {
        let settled = self.settled().into_iter();
        settled.map(|recorded| recorded.hold).collect()
    }

    /// The same, as they are kept.
    fn settled(&self) -> Vec<Recorded> {
        let settled = self.settle();
        let told = settled.holds.len() - settled.untold;
        let mut holds: Vec<_> = settled.holds.iter().cloned().collect();
        let untold = holds.split_off(told);
        holds.extend(untold.into_iter().filter_map(|hold| self.known(hold)));
        holds
    }

    /// Whether nothing is there to be told of, and nobody at it.
    pub(super) fn is_settled(&self) -> bool {
        let settled = self.settled.try_lock();
        self.closed.is_empty() && settled.is_ok_and(|settled| settled.untold == 0)
    }

    /// The holds that nobody has been told of, and when those began that are none after all. Only for the
    /// monitor: from now on, what it overslept in them is taken to be known.
    pub(super) fn untold(&self) -> (Vec<Hold>, Vec<(usize, Duration)>) {
        let mut settled = self.settle();
        let told = settled.holds.len() - std::mem::take(&mut settled.untold);
        let untold = settled.holds.split_off(told);
        let (mut known, mut none) = (Vec::<Recorded>::new(), Vec::new());
        for recorded in untold {
            let began = (recorded.hold.worker, recorded.hold.started);
            match self.known(recorded) {
                Some(recorded) => known.push(recorded),
                None => none.push(began),
            }
        }
        settled.holds.extend(known.iter().cloned());
        let known = known.into_iter().map(|recorded| recorded.hold).collect();
        (known, none)
    }

    /// The hold with what is known of the time in which the process was stopped; `None` when without that
    /// time it is none, or when a starved one is none without the time in which the machine ran something
    /// else.
    pub(super) fn known(&self, mut recorded: Recorded) -> Option<Recorded> {
        let hold = &mut recorded.hold;
        let (start, end) = self.times(hold);
        let stopped = Duration::from_nanos(self.oversleeps.stopped(start, end));
        let duration = hold.duration;
        let at_most = |time: Duration| time.min(duration);
        let lost = match recorded.lost {
            Some(delay) => at_most(delay + stopped),
            None => Duration::from_nanos(self.oversleeps.missed(start, end)),
        };
        // Of a starved hold the time that the machine took is no fault of the app at all.
        let not_its_own = match hold.kind {
            HoldKind::Starved { .. } => lost,
            _ => stopped,
        };
        if nanoseconds(duration.saturating_sub(not_its_own)) < self.threshold() {
            return None;
        }
        recorded.lost = Some(lost);
        if !stopped.is_zero() && !hold.ongoing {
            hold.descheduled = Some(at_most(hold.descheduled.unwrap_or_default() + stopped));
        }
        Some(recorded)
    }

    /// When a hold began and ended.
    fn times(&self, hold: &Hold) -> (u64, u64) {
        let start = self.origin + nanoseconds(hold.started);
        (start, start + nanoseconds(hold.duration))
    }

    /// Waits until the monitor knows what it overslept so far; not for long.
    pub(super) fn catch_up(&self) {
        let now = system::now();
        let deadline = now + CATCH_UP;
        while !self.oversleeps.are_known(now) && system::now() < deadline {
            if let Some(monitor) = self.monitor.get() {
                monitor.unpark();
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "an assertion that is about to fail"
            )]
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn settle(&self) -> MutexGuard<'_, Settled> {
        let mut settled = lock(&self.settled);
        while let Some(raw) = self.closed.pop() {
            let recorded = self.hold(&raw);
            if settled.holds.len() == HOLDS {
                settled.holds.pop_front();
                settled.untold = settled.untold.min(HOLDS - 1);
            }
            settled.holds.push_back(recorded);
            settled.untold += 1;
        }
        settled
    }

    /// The hold that a worker is in `now`, in which a stretch of it may be `ongoing` and a heartbeat may
    /// be `unanswered`.
    pub(super) fn current(
        &self,
        slot: &Arc<Slot>,
        ongoing: Option<Ongoing>,
        unanswered: Option<u64>,
        now: u64,
    ) -> Option<Hold> {
        let (since, hold) = match (ongoing, unanswered) {
            (Some(ongoing), _) => {
                let since = ongoing.stretch.start;
                (since, self.ongoing(slot, ongoing, now))
            }
            (None, Some(asked)) => {
                let since = asked.max(slot.last_end());
                (since, self.outside(slot, since, now))
            }
            (None, None) => (now, None),
        };
        let recorded = hold.or_else(|| self.starved(slot, since));
        recorded.map(|recorded| recorded.hold)
    }

    /// The hold that a worker's stretch is at `now`; `None` when it is too short.
    fn ongoing(&self, slot: &Arc<Slot>, ongoing: Ongoing, now: u64) -> Option<Recorded> {
        let Ongoing {
            mut stretch,
            in_piece,
        } = ongoing;
        if !in_piece {
            stretch.end = stretch.end.max(now);
        }
        stretch.note_open(slot.open());
        self.unfinished(slot, &stretch, None)
    }

    /// The hold of a worker that does not answer, with no watched work since then to explain it;
    /// `None` when that is not long.
    fn outside(&self, slot: &Arc<Slot>, since: u64, now: u64) -> Option<Recorded> {
        let mut stretch = Stretch::between(since, now.max(since));
        stretch.note_open(slot.open());
        self.unfinished(slot, &stretch, None)
    }

    fn unfinished(
        &self,
        slot: &Arc<Slot>,
        stretch: &Stretch,
        delay: Option<Delay>,
    ) -> Option<Recorded> {
        let duration = stretch.end.saturating_sub(stretch.start);
        if duration < self.threshold() {
            return None;
        }
        let culprits = stretch.culprits(self.threshold());
        self.known(self.hold(&Raw {
            kind: HoldKind::Blocked,
            slot: Arc::clone(slot),
            start: stretch.start,
            duration,
            cpu: None,
            delay,
            outside: stretch.outside,
            waiting: stretch.waiting(&culprits),
            culprits,
            ongoing: true,
        }))
    }

    /// The time now since the watch was made.
    pub(super) fn elapsed(&self) -> Duration {
        self.since_origin(system::now())
    }

    /// The workers that are there, by number, with the requests that each has open.
    pub(super) fn workers(&self) -> Vec<WorkerStatus> {
        let load = |slot: &Arc<Slot>| WorkerStatus::new(slot.worker, slot.open());
        let mut workers: Vec<_> = self.slots().iter().map(load).collect();
        workers.sort_unstable_by_key(|load| load.worker);
        workers
    }

    /// The workers that are held at this moment.
    pub(super) fn held_now(&self) -> Vec<Hold> {
        let now = system::now();
        let hold = |slot: &Arc<Slot>| self.current(slot, slot.ongoing(now), slot.unanswered(), now);
        self.slots().iter().filter_map(hold).collect()
    }

    /// The holds so far, with those that are not over: of these only the work that was watched.
    pub(super) fn certain(&self) -> Vec<Recorded> {
        // First what is not over: what ends meanwhile is then in both, and not in neither.
        let unfinished = |slot: &Arc<Slot>| {
            let Ongoing { mut stretch, .. } = slot.ongoing(system::now())?;
            stretch.note_open(slot.open());
            self.unfinished(slot, &stretch, slot.delay_since(stretch.start))
        };
        let slots = self.slots();
        let mut unfinished: Vec<_> = slots.iter().filter_map(unfinished).collect();
        unfinished.extend(slots.iter().filter_map(|slot| self.certainly_starved(slot)));
        let mut holds = self.settled();
        let key = |recorded: &Recorded| (recorded.hold.worker, recorded.hold.started);
        for recorded in unfinished {
            if !holds.iter().any(|over| key(over) == key(&recorded)) {
                holds.push(recorded);
            }
        }
        holds
    }

    /// A raw hold with its names.
    pub(super) fn hold(&self, raw: &Raw) -> Recorded {
        let culprit = |entry: &Entry| {
            let route = raw.slot.routes.get(entry.route);
            let busy = Duration::from_nanos(entry.busy);
            let mut culprit = Culprit::new(route.method, route.pattern, entry.part, busy);
            culprit.polls = entry.polls;
            culprit
        };
        let time = |delay: Delay| Duration::from_nanos(delay.at_most);
        let (started, duration) = (self.since_origin(raw.start), raw.duration);
        let duration = Duration::from_nanos(duration);
        let mut hold = Hold::new(raw.kind, raw.slot.worker, started, duration);
        hold.cpu = raw.cpu.map(Duration::from_nanos);
        hold.descheduled = raw.delay.filter(|delay| delay.is_exact).map(time);
        hold.culprits = raw.culprits.iter().map(culprit).collect();
        hold.waiting = raw.waiting;
        hold.ongoing = raw.ongoing;
        let until = started + duration;
        self.seen.fill(&mut hold, until);
        Recorded {
            hold,
            lost: raw.delay.map(time),
            outside: Duration::from_nanos(raw.outside),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The monitor finds nothing left to watch, and ends.
        if let Some(monitor) = self.monitor.get() {
            monitor.unpark();
        }
    }
}

/// A panic elsewhere leaves lists of finished records, which are whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_counted_once_while_workers_end() {
        let (shared, over) = (Shared::new(), AtomicBool::new(false));
        let ends = || {
            for worker in 0..20_000 {
                let slot = Slot::new(worker, 0);
                slot.leave(1);
                lock(&shared.slots).push(Arc::clone(&slot));
                slot.end();
            }
            over.store(true, Ordering::Relaxed);
        };
        let most = thread::scope(|scope| {
            scope.spawn(ends);
            let counting = scope.spawn(|| {
                let mut most = 0;
                while !over.load(Ordering::Relaxed) {
                    let polls = shared.polls();
                    assert!(polls >= most, "{polls} after {most}");
                    most = polls;
                }
                most
            });
            while !counting.is_finished() {
                shared.slots();
            }
            counting.join().expect("they only grow")
        });
        assert!(most <= 20_000, "{most}");
        assert_eq!(shared.polls(), 20_000);
    }

    #[test]
    fn what_the_machine_took_makes_a_starved_hold_none_and_a_blocked_one_shorter() {
        const MS: u64 = 1_000_000;
        let shared = Shared::new();
        let slot = Slot::new(0, system::now());
        let known = |kind, at_most| {
            shared.known(shared.hold(&Raw {
                kind,
                slot: Arc::clone(&slot),
                start: system::now(),
                duration: 150 * MS,
                cpu: None,
                delay: Some(Delay {
                    at_most,
                    is_exact: true,
                }),
                outside: 0,
                culprits: Vec::new(),
                waiting: 0,
                ongoing: false,
            }))
        };
        let starved = HoldKind::Starved { turns: 3 };
        assert!(known(starved, 40 * MS).is_some());
        assert_eq!(known(starved, 60 * MS), None);
        let blocked = known(HoldKind::Blocked, 60 * MS).expect("a hold");
        assert_eq!(blocked.hold.own_duration(), Duration::from_millis(90));
    }
}
