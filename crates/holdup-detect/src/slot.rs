//! What other threads may read of an open request, and the waker that its futures get.
//!
//! A slot is written by its worker alone, except for the wake-up and the wish for a look, which come from any
//! thread. Its state is a sequence lock, as the worker's [cell](crate::cell) is.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::{Wake, Waker};

use futures_util::task::AtomicWaker;

use crate::sync::{AtomicBool, AtomicU64, Ordering, fence};
use crate::worker_state::WorkerState;

/// How often a reader tries. A request that changes its state during all tries does not wait.
const TRIES: usize = 8;

/// What an open request is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// A call or a poll works on it.
    Running,
    /// Its last poll left it waiting for something.
    Waiting,
    /// Nothing of it runs, and it waits for nothing: its last poll gave a chunk of the body, or it was not polled
    /// yet.
    Sending,
}

/// One state of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotState {
    /// The request's number.
    pub(crate) number: u64,
    /// The request's lane; 0 if none is recorded.
    pub(crate) lane: u64,
    pub(crate) route: NonZeroU32,
    pub(crate) opened: u64,
    pub(crate) doing: Doing,
    /// Since when.
    pub(crate) since: u64,
    /// When it was woken; 0 if it was not since its latest poll.
    pub(crate) woken: u64,
    /// The time that it was held up so far, nanoseconds.
    pub(crate) held_up: u64,
    /// How many calls and polls of it have begun.
    pub(crate) polls: u64,
}

/// The place of one open request at its worker. When the request is over, the place is used for another one. All
/// times are nanoseconds of one clock; 0 means no time.
#[derive(Debug)]
pub(crate) struct Slot {
    worker: Arc<WorkerState>,
    version: AtomicU64,
    /// 0 while no request has the slot.
    number: AtomicU64,
    lane: AtomicU64,
    route: AtomicU64,
    opened: AtomicU64,
    doing: AtomicU64,
    since: AtomicU64,
    held_up: AtomicU64,
    polls: AtomicU64,
    woken: AtomicU64,
    /// Whether the next poll is to take the stacks at which the request waits.
    look: AtomicBool,
    /// The waker of the task that the request is part of.
    task: AtomicWaker,
}

impl Slot {
    pub(crate) fn new(worker: &Arc<WorkerState>) -> Arc<Self> {
        let zero = || AtomicU64::new(0);
        Arc::new(Self {
            worker: Arc::clone(worker),
            version: zero(),
            number: zero(),
            lane: zero(),
            route: zero(),
            opened: zero(),
            doing: zero(),
            since: zero(),
            held_up: zero(),
            polls: zero(),
            woken: zero(),
            look: AtomicBool::new(false),
            task: AtomicWaker::new(),
        })
    }

    // Called by the worker.

    /// Gives the slot to a request.
    #[inline]
    pub(crate) fn open(&self, number: u64, lane: u64, route: NonZeroU32, at: u64) {
        self.write(|| {
            self.number.store(number, Ordering::Relaxed);
            self.lane.store(lane, Ordering::Relaxed);
            self.route.store(route.get().into(), Ordering::Relaxed);
            self.opened.store(at, Ordering::Relaxed);
            self.doing.store(code(Doing::Sending), Ordering::Relaxed);
            self.since.store(at, Ordering::Relaxed);
            self.held_up.store(0, Ordering::Relaxed);
            self.polls.store(0, Ordering::Relaxed);
            self.woken.store(0, Ordering::Relaxed);
            self.look.store(false, Ordering::Relaxed);
        });
    }

    /// Takes the slot back, because the request is over.
    #[inline]
    pub(crate) fn close(&self) {
        self.write(|| self.number.store(0, Ordering::Relaxed));
        self.task.take();
    }

    /// Records that a call or a poll begins. Returns when the request was woken for it; 0 if it was not.
    #[inline]
    pub(crate) fn enter(&self, now: u64) -> u64 {
        let polls = self.polls.load(Ordering::Relaxed) + 1;
        self.write(|| {
            self.doing.store(code(Doing::Running), Ordering::Relaxed);
            self.since.store(now, Ordering::Relaxed);
            self.polls.store(polls, Ordering::Relaxed);
        });
        if self.woken.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        // What happened before the wake-up is visible to the poll that begins now.
        self.woken.swap(0, Ordering::AcqRel)
    }

    /// Records that the call or poll ends, and what the request does since when.
    #[inline]
    pub(crate) fn leave(&self, doing: Doing, since: u64) {
        self.write(|| {
            self.doing.store(code(doing), Ordering::Relaxed);
            self.since.store(since, Ordering::Relaxed);
        });
    }

    /// Adds to the time that the request was held up.
    pub(crate) fn add_held_up(&self, lost: u64) {
        let held_up = self.held_up.load(Ordering::Relaxed) + lost;
        self.held_up.store(held_up, Ordering::Relaxed);
    }

    /// Whether the poll that begins now is to take the stacks at which the request waits.
    #[inline]
    pub(crate) fn take_look(&self) -> bool {
        self.look.load(Ordering::Relaxed) && self.look.swap(false, Ordering::Acquire)
    }

    /// Keeps the task's waker after a poll that returned `Pending`. If the request was woken during the poll,
    /// wakes the task.
    #[inline]
    pub(crate) fn register(&self, task: &Waker) {
        self.task.register(task);
        // A wake-up that came before the waker was there is in `woken`.
        if self.woken.load(Ordering::Relaxed) > 0 {
            task.wake_by_ref();
        }
    }

    /// The request's number, and how many of its polls have begun.
    pub(crate) fn current(&self) -> (u64, u64) {
        let number = self.number.load(Ordering::Relaxed);
        (number, self.polls.load(Ordering::Relaxed))
    }

    fn write(&self, change: impl FnOnce()) {
        // The worker is the only writer, so no atomic read-modify-write is needed.
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        change();
        self.version.store(version + 2, Ordering::Release);
    }

    // Called by other threads.

    /// Wishes for a look at where the request waits, and wakes its task for it.
    pub(crate) fn wish_look(&self) {
        self.look_at_next_poll();
        self.task.wake();
    }

    /// Wishes for a look at where the request waits after its next poll.
    pub(crate) fn look_at_next_poll(&self) {
        self.look.store(true, Ordering::Release);
    }

    /// The slot's state. `None` if no request has the slot, `Some(None)` if it changes too fast.
    pub(crate) fn read(&self) -> Option<Option<SlotState>> {
        for _ in 0..TRIES {
            if let Some(state) = self.try_read() {
                return state.map(Some);
            }
        }
        Some(None)
    }

    fn try_read(&self) -> Option<Option<SlotState>> {
        let version = self.version.load(Ordering::Acquire);
        let number = self.number.load(Ordering::Relaxed);
        let state = SlotState {
            number,
            lane: self.lane.load(Ordering::Relaxed),
            route: route(self.route.load(Ordering::Relaxed)),
            opened: self.opened.load(Ordering::Relaxed),
            doing: doing(self.doing.load(Ordering::Relaxed)),
            since: self.since.load(Ordering::Relaxed),
            woken: self.woken.load(Ordering::Relaxed),
            held_up: self.held_up.load(Ordering::Relaxed),
            polls: self.polls.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        let is_whole = version.is_multiple_of(2) && version == self.version.load(Ordering::Relaxed);
        is_whole.then_some((number > 0).then_some(state))
    }
}

/// The waker that the request's futures get. It notes when the request was woken, and wakes the task.
impl Wake for Slot {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.woken.load(Ordering::Relaxed) == 0 {
            let ready = self.worker.ready_since();
            // If another thread was faster, its time is the earlier one.
            let change = (Ordering::AcqRel, Ordering::Relaxed);
            self.woken
                .compare_exchange(0, ready, change.0, change.1)
                .ok();
        }
        self.task.wake();
    }
}

fn code(doing: Doing) -> u64 {
    match doing {
        Doing::Running => 0,
        Doing::Waiting => 1,
        Doing::Sending => 2,
    }
}

fn doing(code: u64) -> Doing {
    match code {
        0 => Doing::Running,
        1 => Doing::Waiting,
        _ => Doing::Sending,
    }
}

fn route(number: u64) -> NonZeroU32 {
    let number = u32::try_from(number).ok();
    number.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}
