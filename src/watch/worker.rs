//! One worker's own side: what it is in the middle of, and where its loop turns.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Poll, Waker};

use actix_web::dev::ServiceRequest;

use super::hold::{Part, Stretch};
use super::recorder::{Moment, Recorder};
use super::route::Finder;
use super::shared::{Raw, Shared};
use super::slot::Slot;
use super::system;

thread_local! {
    /// This thread as a worker of each watch that it serves, by the watch's number.
    static WORKERS: RefCell<HashMap<u64, Weak<Worker>>> = RefCell::new(HashMap::new());
}

/// One worker of one watch. All its services, wherever they stand in the app, share it.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) slot: Arc<Slot>,
    stretch: RefCell<Stretch>,
    /// Whether the loop was asked to mark its next turn. Until it does, all is one stretch.
    lasting: Cell<bool>,
    /// How deep in watched pieces of work the thread is: a watch within a watch counts once.
    depth: Cell<u32>,
    marker: RefCell<Option<Waker>>,
    /// The thread's CPU time when it was last read, and when that was.
    cpu: Cell<(Option<u64>, u64)>,
    finder: RefCell<Finder>,
    requests: Cell<u64>,
    open: Cell<usize>,
}

/// A request on its way: counted as open until it is dropped.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) worker: Rc<Worker>,
    number: u64,
    /// The lane that is recorded for it; 0 when nobody listened when it came.
    lane: u64,
    route: NonZeroU32,
    finished: Cell<bool>,
}

/// A piece of work in progress; dropping it, also in a panic, ends it.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    request: &'a Request,
    part: Part,
    since: u64,
    nested: bool,
}

impl Worker {
    /// This thread as a worker of the watch: the one that it already is, or a new one.
    pub(super) fn current(shared: &Arc<Shared>) -> Rc<Self> {
        let known = WORKERS.with_borrow(|workers| workers.get(&shared.number).cloned());
        if let Some(worker) = known.as_ref().and_then(Weak::upgrade) {
            return worker;
        }
        let slot = shared.register();
        let worker = Rc::new(Self {
            finder: RefCell::new(Finder::new(Arc::clone(&slot.routes))),
            shared: Arc::clone(shared),
            slot,
            stretch: RefCell::new(Stretch::default()),
            lasting: Cell::new(false),
            depth: Cell::new(0),
            marker: RefCell::new(None),
            cpu: Cell::new((system::thread_cpu(), system::now())),
            requests: Cell::new(0),
            open: Cell::new(0),
        });
        WORKERS.with_borrow_mut(|workers| {
            workers.retain(|_, worker| worker.strong_count() > 0);
            workers.insert(shared.number, Rc::downgrade(&worker))
        });
        worker
    }

    /// Spawns the two tasks that run between the others: the marker, and the heartbeat.
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
        let (slot, worker) = (Arc::clone(&self.slot), Rc::downgrade(self));
        actix_web::rt::spawn(poll_fn(move |cx| {
            slot.beat.register(cx.waker());
            let Some(worker) = worker.upgrade() else {
                return Poll::Ready(());
            };
            worker.beat();
            Poll::Pending
        }));
    }

    /// A request has come.
    pub(super) fn open(self: &Rc<Self>, request: &ServiceRequest) -> Request {
        self.requests.set(self.requests.get() + 1);
        self.open.set(self.open.get() + 1);
        self.slot.set_open(self.open.get());
        let (number, route) = (
            self.requests.get(),
            self.finder.borrow_mut().number(request),
        );
        let mut lane = 0;
        if self.recorder().is_listening() {
            let with_query = self.shared.records_query();
            let path = request.uri().path_and_query().filter(|_| with_query);
            let path = path.map_or(request.path(), |path| path.as_str());
            let slot = Arc::clone(&self.slot);
            let opened = Moment::Opened {
                slot,
                route,
                path: path.into(),
            };
            lane = self.recorder().begin(system::now(), opened);
        }
        Request {
            worker: Rc::clone(self),
            number,
            route,
            lane,
            finished: Cell::new(false),
        }
    }

    /// The last tick of the clock. At the first piece of work after one the thread's CPU time is
    /// read, which costs ten times as much: a hold's CPU time is exact to within a tick.
    fn tick(&self) -> u64 {
        let tick = system::last_tick();
        if self.cpu.get().1 < tick {
            self.cpu.set((system::thread_cpu(), tick));
        }
        tick
    }

    fn recorder(&self) -> &Recorder {
        &self.shared.recorder
    }

    /// A piece of work took its time: it begins a stretch, or belongs to one.
    #[cold]
    fn lasts(&self, request: &Request, part: Part, since: u64) {
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
        stretch.add(request.number, request.route, part, since, now);
        stretch.note_open(self.open.get());
        self.slot.show_pending(&stretch);
        if begins && let Some(marker) = &*self.marker.borrow() {
            marker.wake_by_ref();
        }
    }

    /// The loop has turned: what was one stretch is over, and a hold if it was long.
    fn turned(&self) {
        if !self.lasting.replace(false) {
            return;
        }
        let now = system::now();
        self.slot.clear_pending();
        self.slot.set_last_end(now);
        let mut stretch = self.stretch.borrow_mut();
        stretch.end = now;
        self.close(&stretch, now);
    }

    /// Answers the monitor. When that took long and no watched work was the reason, the worker was
    /// held by something else.
    fn beat(&self) {
        let now = system::now();
        let lasting = self.lasting.get();
        if let Some(asked) = self.slot.answer_beat() {
            // What watched work covers is its own: up to the last of it, and a stretch that waits
            // for its turn.
            let from = asked.max(self.slot.last_end());
            let until = if lasting {
                self.stretch.borrow().start
            } else {
                now
            };
            if until > from {
                let mut outside = Stretch::between(from, until);
                outside.note_open(self.open.get());
                self.close(&outside, now);
            }
        }
        if !lasting {
            self.cpu.set((system::thread_cpu(), now));
        }
    }

    /// Hands a stretch that is over to the monitor, if it was a hold.
    fn close(&self, stretch: &Stretch, now: u64) {
        let cpu_now = system::thread_cpu();
        let (cpu_before, _) = self.cpu.replace((cpu_now, now));
        let duration = stretch.end - stretch.start;
        if duration < self.shared.threshold() {
            return;
        }
        let cpu = cpu_before
            .zip(cpu_now)
            .map(|(before, now)| (now - before).min(duration));
        let descheduled = self.slot.descheduled_since_free(stretch.start);
        let descheduled = descheduled.map(|time| time.min(duration - cpu.unwrap_or(0)));
        let culprits = stretch.culprits();
        let waiting = stretch.waiting(&culprits);
        let slot = Arc::clone(&self.slot);
        self.shared.close(Raw {
            slot,
            start: stretch.start,
            duration,
            cpu,
            descheduled,
            culprits,
            waiting,
            ongoing: false,
        });
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A test drops its app and looks at the watch after, and the loop never turned in between.
        self.turned();
        self.slot.end();
        // Both tasks find the worker gone, and end.
        if let Some(marker) = self.marker.get_mut().take() {
            marker.wake();
        }
        self.slot.beat.wake();
    }
}

impl Request {
    /// A piece of work on this request begins.
    pub(super) fn enter(&self, part: Part) -> Piece<'_> {
        let worker = &*self.worker;
        let depth = worker.depth.replace(worker.depth.get() + 1);
        let mut piece = Piece {
            request: self,
            part,
            since: 0,
            nested: depth > 0,
        };
        if !piece.nested {
            piece.since = if worker.lasting.get() {
                system::now()
            } else {
                worker.tick()
            };
            worker
                .slot
                .enter(self.number, self.route, part, piece.since);
        }
        piece
    }

    /// Records a moment of this request's lane, if it has one.
    pub(super) fn record(&self, moment: impl FnOnce() -> Moment) {
        if self.is_recorded() {
            self.worker
                .recorder()
                .add(self.lane, system::now(), moment());
        }
    }

    /// Whether its lane is recorded.
    pub(super) fn is_recorded(&self) -> bool {
        self.lane > 0
    }

    /// All of its answer was handed over.
    pub(super) fn finish(&self) {
        self.finished.set(true);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let finished = self.finished.get();
        self.record(|| Moment::Ended { finished });
        let worker = &self.worker;
        worker.open.set(worker.open.get() - 1);
        worker.slot.set_open(worker.open.get());
    }
}

impl Drop for Piece<'_> {
    fn drop(&mut self) {
        let worker = &*self.request.worker;
        worker.depth.set(worker.depth.get() - 1);
        if self.nested {
            return;
        }
        let tick = system::last_tick();
        worker.slot.leave(tick);
        // Within a tick of the clock nothing can have lasted, and that is how nearly all end. Many
        // small pieces in a row are found all the same: a tick falls into one of them.
        if worker.lasting.get() || tick != self.since {
            worker.lasts(self.request, self.part, self.since);
        }
    }
}
