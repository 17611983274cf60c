//! The types that the states are made of, replaced by loom's.

use std::task::Waker;

pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence};
pub(crate) use loom::thread::yield_now;

/// Does what the one in `futures-util` does, with a lock. There, a call that meets another one does not wait: a wake-up
/// during a registration leaves the waking to whoever registers, and a registration during a wake-up wakes at once. Both
/// are like one of the two orders of calls here, with a wake-up more. What happened before the one call is visible
/// after the other one, there as with a lock: the state is changed with acquire and release.
#[derive(Debug)]
pub(crate) struct AtomicWaker(loom::sync::Mutex<Option<Waker>>);

impl AtomicWaker {
    pub(crate) fn new() -> Self {
        Self(loom::sync::Mutex::new(None))
    }

    pub(crate) fn register(&self, waker: &Waker) {
        *self.0.lock().expect("nobody panics with it") = Some(waker.clone());
    }

    pub(crate) fn take(&self) -> Option<Waker> {
        self.0.lock().expect("nobody panics with it").take()
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = self.take() {
            waker.wake();
        }
    }
}
