//! One worker's own side: what it is in the middle of, and where its loop turns.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::hold::{HoldKind, Part};
use super::recorder::Recorder;
use super::request::Request;
use super::route::Names;
use super::shared::{Raw, Shared};
use super::slot::Slot;
use super::starved::Gap;
use super::stretch::Stretch;
use super::system;

thread_local! {
    /// What this thread is to each watch that it serves or served, by the watch's number.
    static PLACES: RefCell<HashMap<u64, Place>> = RefCell::new(HashMap::new());
}

/// A thread's place in a watch: its number as a worker stays, also from one app to the next.
struct Place {
    number: usize,
    /// None when it only asked for its number.
    worker: Option<Weak<Worker>>,
}

/// The calling thread's number as a worker of the watch.
pub(super) fn number(shared: &Shared) -> usize {
    PLACES.with_borrow_mut(|places| {
        let new = || Place {
            number: shared.next_worker(),
            worker: None,
        };
        places.entry(shared.number).or_insert_with(new).number
    })
}

/// The calling thread's number, if it is or was a worker of the watch, as it is in the test harness. Its
/// work so far is then settled, though its loop may not have turned since.
pub(super) fn settle_own(shared: &Shared) -> Option<usize> {
    let (number, worker) = PLACES.with_borrow(|places| {
        let place = places.get(&shared.number)?;
        Some((place.number, place.worker.clone()?))
    })?;
    if let Some(worker) = worker.upgrade() {
        worker.ends_with_its_last_piece();
    }
    Some(number)
}

/// One worker of one watch. All its services, wherever they stand in the app, share it.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) slot: Arc<Slot>,
    stretch: RefCell<Stretch>,
    /// Whether the loop was asked to mark its next turn. Until it does, all is one stretch.
    pub(super) lasting: Cell<bool>,
    /// How deep in watched pieces of work the thread is: a watch within a watch counts once.
    pub(super) depth: Cell<u32>,
    /// How many of its requests wait for something, as their last poll left them.
    pub(super) waiting: Cell<usize>,
    marker: RefCell<Option<Waker>>,
    /// The thread's CPU time when it was last read, and when that was.
    pub(super) cpu: Cell<(Option<u64>, u64)>,
    /// What it did since it was sent a byte that it has not come by.
    pub(super) gap: RefCell<Gap>,
    pub(super) names: RefCell<Names>,
    pub(super) requests: Cell<u64>,
}

impl Worker {
    /// This thread as a worker of the watch: the one that it already is, or a new one.
    pub(super) fn current(shared: &Arc<Shared>) -> Rc<Self> {
        let number = number(shared);
        let known =
            PLACES.with_borrow(|places| places.get(&shared.number)?.worker.as_ref()?.upgrade());
        if let Some(worker) = known {
            return worker;
        }
        #[cfg(feature = "stacks")]
        holdup_stack::prepare_thread();
        let slot = shared.register(number);
        let worker = Rc::new(Self {
            names: RefCell::new(Names::new(Arc::clone(&slot.routes))),
            shared: Arc::clone(shared),
            slot,
            stretch: RefCell::new(Stretch::default()),
            lasting: Cell::new(false),
            depth: Cell::new(0),
            waiting: Cell::new(0),
            marker: RefCell::new(None),
            cpu: Cell::new((system::thread_cpu(), system::now())),
            gap: RefCell::default(),
            requests: Cell::new(0),
        });
        let place = Place {
            number,
            worker: Some(Rc::downgrade(&worker)),
        };
        PLACES.with_borrow_mut(|places| places.insert(shared.number, place));
        worker
    }

    /// Spawns the tasks that run between the others: the marker, the heartbeat, and the one that
    /// answers through the sockets.
    pub(super) fn spawn_tasks(self: &Rc<Self>) {
        if self.marker.borrow().is_some() {
            return;
        }
        *self.marker.borrow_mut() = Some(Waker::noop().clone());
        let worker = Rc::downgrade(self);
        actix_web::rt::spawn(poll_fn(move |cx| {
            let Some(worker) = worker.upgrade() else {
                return Poll::Ready(());
            };
            worker.marker.borrow_mut().replace(cx.waker().clone());
            worker.turned();
            Poll::Pending
        }));
        self.slot.answer_beat();
        let heartbeat = Heartbeat {
            slot: Arc::clone(&self.slot),
            worker: Rc::downgrade(self),
        };
        actix_web::rt::spawn(poll_fn(move |cx| {
            heartbeat.slot.beat.register(cx.waker());
            let Some(worker) = heartbeat.worker.upgrade() else {
                return Poll::Ready(());
            };
            worker.beat();
            Poll::Pending
        }));
        self.spawn_answers();
    }

    /// The last tick of the clock. At the first piece of work after one the thread's CPU time is
    /// read, which costs ten times as much: a hold's CPU time is exact to within a tick.
    #[inline]
    pub(super) fn tick(&self) -> u64 {
        let tick = system::last_tick();
        if self.cpu.get().1 < tick {
            self.resumes(tick);
        }
        tick
    }

    /// Nothing of what is watched went on until now. When the monitor waits for an answer since long
    /// before, the worker was held by something else.
    fn resumes(&self, now: u64) {
        if let Some(asked) = self.slot.unanswered() {
            let from = asked.max(self.slot.last_end());
            let mut outside = Stretch::between(from, now.max(from));
            outside.note_open(self.slot.open());
            if self.waiting.get() > 0 {
                outside.outside = outside.end - outside.start;
            }
            self.close(&outside);
        }
        self.cpu.set((system::thread_cpu(), now));
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.shared.recorder
    }

    /// A piece of work took its time: it begins a stretch, or belongs to one.
    #[cold]
    pub(super) fn lasts(&self, request: &Request, part: Part, since: u64) {
        let mut stretch = self.stretch.borrow_mut();
        let now = system::now();
        let begins = !self.lasting.replace(true);
        // Of the first piece only the tick before it is known; nobody is blamed for that.
        let since = if begins {
            system::at_the_latest(since).min(now)
        } else {
            since
        };
        if begins {
            stretch.begin(since);
        }
        stretch.add(request.number(), request.route(), part, since, now);
        stretch.note_open(self.slot.open());
        self.slot.show_pending(&stretch);
        if begins && let Some(marker) = &*self.marker.borrow() {
            marker.wake_by_ref();
        }
    }

    /// The stretch goes on with another piece of work, now.
    pub(super) fn goes_on(&self) -> u64 {
        let now = system::now();
        self.was_outside(now);
        now
    }

    /// Nothing of what is watched went on since the stretch's latest piece.
    fn was_outside(&self, now: u64) {
        if self.waiting.get() > 0 {
            let mut stretch = self.stretch.borrow_mut();
            stretch.outside += now.saturating_sub(stretch.end);
        }
    }

    /// The loop has turned: what was one stretch is over, and a hold if it was long.
    fn turned(&self) {
        if self.lasting.replace(false) {
            let now = system::now();
            self.was_outside(now);
            self.over(now);
            self.gap_turns();
            self.slot.set_last_end(now);
        }
    }

    /// The stretch is over without a turn of the loop, which may not come: its time counts up to
    /// the last piece of work.
    fn ends_with_its_last_piece(&self) {
        if self.depth.get() == 0 && self.lasting.replace(false) {
            let end = self.stretch.borrow().end;
            self.over(end);
        }
    }

    fn over(&self, end: u64) {
        let mut stretch = self.stretch.borrow_mut();
        stretch.end = end;
        self.close(&stretch);
        // Only now, so that whoever looks sees it as not over, or as over.
        self.slot.clear_pending();
    }

    /// Answers the monitor.
    fn beat(&self) {
        // A stretch that waits for its turn covers all since it began, and before that was looked at
        // then.
        if !self.lasting.get() {
            let asked = self.slot.unanswered();
            self.resumes(system::now());
            // If not, the marker has counted this turn.
            if asked.is_some_and(|asked| asked > self.slot.last_end()) {
                self.gap_turns();
            }
        }
        self.slot.answer_beat();
    }

    /// The loop is gone, and an app is left that may be wrapped anew, for another one.
    fn loop_ends(&self) {
        self.ends_with_its_last_piece();
        *self.marker.borrow_mut() = None;
    }

    /// Hands a stretch that is over to the monitor, if it was a hold.
    fn close(&self, stretch: &Stretch) {
        let duration = stretch.end - stretch.start;
        if duration < self.shared.threshold() {
            self.gap_takes(stretch);
            return;
        }
        self.cut_gap(stretch.start, stretch.end);
        let cpu_now = system::thread_cpu();
        let (cpu_before, _) = self.cpu.replace((cpu_now, stretch.end));
        let cpu = cpu_before
            .zip(cpu_now)
            .map(|(before, now)| (now - before).min(duration));
        let delay = self.slot.delay_since(stretch.start);
        let delay = delay.map(|delay| delay.at_most(duration - cpu.unwrap_or(0)));
        let culprits = stretch.culprits(self.shared.threshold());
        let waiting = stretch.waiting(&culprits);
        let slot = Arc::clone(&self.slot);
        self.shared.close(Raw {
            kind: HoldKind::Blocked,
            slot,
            start: stretch.start,
            duration,
            cpu,
            delay,
            outside: stretch.outside,
            culprits,
            waiting,
            ongoing: false,
        });
    }
}

/// What answers the monitor as long as the loop turns.
struct Heartbeat {
    slot: Arc<Slot>,
    worker: Weak<Worker>,
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.slot.stop_beat();
        if let Some(worker) = self.worker.upgrade() {
            worker.loop_ends();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A test drops its app and looks at the watch after, and the loop never turned in between.
        self.ends_with_its_last_piece();
        self.slot.end();
        // All tasks find the worker gone, and end.
        if let Some(marker) = self.marker.get_mut().take() {
            marker.wake();
        }
        self.slot.beat.wake();
        self.slot.sockets.task.wake();
    }
}
