//! The version of a state that one thread writes and any thread reads: a sequence lock.
//!
//! The writer never waits. The version is odd while it writes. A reader that finds an odd version, or a different
//! one after its reads, may have mixed two states. `tests/loom` runs this file, and the states that use it,
//! under loom, which tries every order of loads and stores that the memory model allows.

use crate::sync::{AtomicU64, Ordering, fence};

#[derive(Debug)]
pub(crate) struct Version(AtomicU64);

impl Version {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Writes: `change` stores the new values, with any ordering. Called by one thread only.
    #[inline]
    pub(crate) fn write(&self, change: impl FnOnce()) {
        // There is one writer, so no atomic read-modify-write is needed.
        let version = self.0.load(Ordering::Relaxed);
        self.0.store(version + 1, Ordering::Relaxed);
        // With this fence, a reader of any new value also reads the odd version or a later one.
        fence(Ordering::Release);
        change();
        self.0.store(version + 2, Ordering::Release);
    }

    /// Returns what `read` returns, which loads the values with any ordering. `None` if something was written
    /// meanwhile.
    #[inline]
    pub(crate) fn read<T>(&self, read: impl FnOnce() -> T) -> Option<T> {
        let before = self.0.load(Ordering::Acquire);
        let read = read();
        fence(Ordering::Acquire);
        let is_whole = before.is_multiple_of(2) && before == self.0.load(Ordering::Relaxed);
        is_whole.then_some(read)
    }
}
