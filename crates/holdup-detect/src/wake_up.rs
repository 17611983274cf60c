//! The way from a request's futures to its task: when it was woken, and whether somebody wants to know where it
//! waits.
//!
//! No wake-up is lost, although the task's waker is taken by the first one and registered again only after the next
//! poll that leaves the request waiting:
//!
//! - A wake-up that finds the task's waker wakes the task. Whoever polls the request afterwards has been told.
//! - One that does not find it came after another one, and before the waker was registered again. If its mark in
//!   `woken` is taken when a poll begins, then all that happened before it is visible to that poll. Otherwise the mark
//!   is still there when the waker is registered, and the task is woken then.
//!
//! So each wake-up writes its mark, even where one is there already: only by a write is what happened before it
//! visible to whoever takes the mark. `tests/loom` runs this file under loom.

use std::task::Waker;

use crate::sync::{AtomicBool, AtomicU8, AtomicU64, AtomicWaker, Ordering};

/// Somebody has wished for a look.
const WISHED: u8 = 1;

/// A trace is in progress on the worker's own thread.
const TRACED: u8 = 2;

#[derive(Debug)]
pub(crate) struct WakeUp {
    /// When the request was woken, nanoseconds; 0 if it was not since its latest poll began.
    woken: AtomicU64,
    /// Why the next poll is to take the stacks at which the request waits: [`WISHED`], [`TRACED`], both, or 0 if it
    /// is not to.
    look: AtomicU8,
    /// The waker of the task that the request is part of.
    task: AtomicWaker,
    /// Whether a waker was registered for this request. Only the worker uses it.
    is_registered: AtomicBool,
}

impl WakeUp {
    pub(crate) fn new() -> Self {
        Self {
            woken: AtomicU64::new(0),
            look: AtomicU8::new(0),
            task: AtomicWaker::new(),
            is_registered: AtomicBool::new(false),
        }
    }

    // Called by the worker.

    /// Begins with a request. Nobody has a waker of the one before.
    #[inline]
    pub(crate) fn open(&self) {
        self.woken.store(0, Ordering::Relaxed);
        self.look.store(0, Ordering::Relaxed);
    }

    /// Ends with the request: its task is not woken any more.
    #[inline]
    pub(crate) fn close(&self) {
        if self.is_registered.load(Ordering::Relaxed) {
            self.is_registered.store(false, Ordering::Relaxed);
            self.task.take();
        }
    }

    /// Begins a call or a poll. Returns when the request was woken for it; 0 if it was not.
    #[inline]
    pub(crate) fn enter(&self) -> u64 {
        if self.woken.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        // What happened before the wake-up is visible to the poll that begins now.
        self.woken.swap(0, Ordering::AcqRel)
    }

    /// Whether the poll that begins now is to take the stacks at which the request waits.
    #[inline]
    pub(crate) fn take_look(&self) -> bool {
        self.look.load(Ordering::Relaxed) > 0 && self.look.swap(0, Ordering::Acquire) > 0
    }

    /// Begins a trace: a poll in it takes the stacks at which the request waits. Returns false if another trace has
    /// begun before and not ended.
    pub(crate) fn begin_trace(&self) -> bool {
        self.look.fetch_or(TRACED, Ordering::Relaxed) & TRACED == 0
    }

    /// Ends the trace. What others have wished for remains.
    pub(crate) fn end_trace(&self) {
        self.look.fetch_and(!TRACED, Ordering::Relaxed);
    }

    /// Keeps the task's waker after a poll that left the request waiting. If the request was woken or asked for a
    /// look since that poll began, wakes the task.
    #[inline]
    pub(crate) fn register(&self, task: &Waker) {
        self.is_registered.store(true, Ordering::Relaxed);
        self.task.register(task);
        // Whoever did not find the waker before it was registered has written these before.
        if self.woken.load(Ordering::Relaxed) > 0 || self.look.load(Ordering::Relaxed) & WISHED > 0
        {
            task.wake_by_ref();
        }
    }

    // Called by any thread.

    /// When the request was woken; 0 if it was not since its latest poll began.
    pub(crate) fn woken(&self) -> u64 {
        self.woken.load(Ordering::Relaxed)
    }

    /// Wakes the request. It was ready since `ready`, unless it was woken before.
    pub(crate) fn wake(&self, ready: impl Fn() -> u64) {
        let mut before = self.woken.load(Ordering::Relaxed);
        loop {
            // If there was an earlier wake-up, its time remains. Zero would be none.
            let woken = if before > 0 { before } else { ready().max(1) };
            let (done, failed) = (Ordering::AcqRel, Ordering::Relaxed);
            match self
                .woken
                .compare_exchange_weak(before, woken, done, failed)
            {
                Ok(_) => break,
                Err(now) => before = now,
            }
        }
        self.task.wake();
    }

    /// Wishes for a look at where the request waits, and wakes its task for it.
    pub(crate) fn wish_look(&self) {
        self.look.fetch_or(WISHED, Ordering::Release);
        self.task.wake();
    }
}
