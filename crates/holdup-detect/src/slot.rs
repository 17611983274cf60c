//! The place of an open request: what other threads may read of it, and the waker that its futures get.
//!
//! A slot is written by its worker alone, except for the wake-up and the wish for a look, which come from any
//! thread.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::busy_period::request_of_lane;
use crate::open_state::{Activity, Doing, OpenState, Snapshot};
use crate::sync::{AtomicU64, Ordering};
use crate::wake_up::WakeUp;
use crate::worker_state::WorkerState;

/// One state of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotState {
    pub(crate) request: Snapshot,
    /// When it was woken; 0 if it was not since its latest poll.
    pub(crate) woken: u64,
    /// The time that it was held up so far, nanoseconds.
    pub(crate) held_up: u64,
}

/// The place of one open request at its worker. When the request is over, the place is used for another one. All
/// times are nanoseconds of one clock; 0 means no time.
#[derive(Debug)]
pub(crate) struct Slot {
    worker: Arc<WorkerState>,
    state: OpenState,
    held_up: AtomicU64,
    wake_up: WakeUp,
}

impl Slot {
    pub(crate) fn new(worker: &Arc<WorkerState>) -> Arc<Self> {
        Arc::new(Self {
            worker: Arc::clone(worker),
            state: OpenState::new(),
            held_up: AtomicU64::new(0),
            wake_up: WakeUp::new(),
        })
    }

    /// The worker whose request this is.
    pub(crate) fn worker(&self) -> &Arc<WorkerState> {
        &self.worker
    }

    // Called by the worker.

    /// Gives the slot to a request. Nobody has a waker of the one before.
    #[inline]
    pub(crate) fn open(&self, number: u64, lane: u64, route: NonZeroU32, at: u64) {
        self.wake_up.open();
        self.held_up.store(0, Ordering::Relaxed);
        self.state.open(number, lane, route, at);
    }

    /// Takes the slot back, because the request is over.
    #[inline]
    pub(crate) fn close(&self) {
        self.state.close();
        self.wake_up.close();
    }

    /// Records that a call or a poll has begun at `since`. Needed only where the worker's cell does not say so.
    pub(crate) fn enter(&self, since: u64) {
        self.state.enter(since);
    }

    /// Returns when the request was woken for the call or poll that begins now; 0 if it was not.
    #[inline]
    pub(crate) fn take_woken(&self) -> u64 {
        self.wake_up.enter()
    }

    /// Records that a call or poll ends, and what the request does since when.
    #[inline]
    pub(crate) fn leave(&self, doing: Doing, since: u64) {
        self.state.leave(doing, since);
    }

    /// Adds to the time that the request was held up.
    pub(crate) fn add_held_up(&self, lost: u64) {
        let held_up = self.held_up.load(Ordering::Relaxed) + lost;
        self.held_up.store(held_up, Ordering::Relaxed);
    }

    /// Whether the poll that begins now is to take the stacks at which the request waits.
    #[inline]
    pub(crate) fn take_look(&self) -> bool {
        self.wake_up.take_look()
    }

    /// Begins a trace: a poll in it takes the stacks at which the request waits. Returns false if another trace has
    /// begun before and not ended.
    pub(crate) fn begin_trace(&self) -> bool {
        self.wake_up.begin_trace()
    }

    /// Ends the trace.
    pub(crate) fn end_trace(&self) {
        self.wake_up.end_trace();
    }

    /// Keeps the task's waker after a poll that returned `Pending`. If the request was woken during the poll,
    /// wakes the task.
    #[inline]
    pub(crate) fn register(&self, task: &Waker) {
        self.wake_up.register(task);
    }

    /// The request's number, and how many of its polls have begun, with the one that is in progress.
    pub(crate) fn current(&self) -> (u64, u64) {
        (self.state.number(), self.state.with_this_poll())
    }

    // Called by other threads.

    /// Wishes for a look at where the request waits, and wakes its task for it.
    pub(crate) fn wish_look(&self) {
        self.wake_up.wish_look();
    }

    /// The number of the request that has the slot; 0 if there is none.
    pub(crate) fn number(&self) -> u64 {
        self.state.number()
    }

    /// The slot's state; `None` if no request has the slot.
    pub(crate) fn read(&self) -> Option<SlotState> {
        // The cell is read first. What a poll leaves behind is written into the slot before the cell says that the
        // poll has ended. So if the cell says nothing of this request, the slot is right, or was a moment ago.
        let running = self.worker.running();
        let mut request = self.state.read()?;
        let (woken, held_up) = (self.wake_up.woken(), self.held_up.load(Ordering::Relaxed));
        if let Some(activity) = &mut request.activity
            && activity.doing != Doing::Running
            && let Some((running, since)) = running
            && running == number_or_lane(request.number, request.lane)
        {
            *activity = Activity {
                doing: Doing::Running,
                since,
                polls: activity.polls + 1,
            };
        }
        Some(SlotState {
            request,
            woken,
            held_up,
        })
    }
}

/// The number by which the worker's cell knows a request: that of its lane if it has one.
#[inline]
pub(crate) fn number_or_lane(number: u64, lane: u64) -> u64 {
    if lane > 0 {
        request_of_lane(lane)
    } else {
        number
    }
}

/// The waker that the request's futures get. It notes when the request was woken, and wakes the task.
impl Wake for Slot {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_up.wake(|| self.worker.ready_since());
    }
}
