//! What a worker is in the middle of, for others to read at any time: a sequence lock.
//!
//! The worker alone writes, and never waits. The version is odd while it writes; a reader that finds it odd,
//! or changed after its reads, has read parts of different states and tries again. `tests/loom.rs` runs
//! this file under loom, which tries every order of loads and stores that the memory model allows.

use crate::sync::{AtomicU64, Ordering, fence};

/// How often a reader tries: a worker that writes so often is in nothing long.
const TRIES: usize = 8;

/// One worker's cell. All times are nanoseconds of one clock; 0 stands for none.
#[derive(Debug)]
pub(crate) struct Cell {
    version: AtomicU64,
    work: AtomicU64,
    request: AtomicU64,
    since: AtomicU64,
    pending_start: AtomicU64,
    pending_end: AtomicU64,
    last_end: AtomicU64,
    polls: AtomicU64,
}

/// One state of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The call or poll in progress: its route and part in one number; 0 for none.
    pub(crate) work: u64,
    /// The request that it is for; of the latest one where none is in progress, as `since` is.
    pub(crate) request: u64,
    /// When it began.
    pub(crate) since: u64,
    /// When the busy period began that waits for the next loop iteration; 0 for none.
    pub(crate) pending_start: u64,
    /// When its latest poll ended.
    pub(crate) pending_end: u64,
}

impl Cell {
    pub(crate) fn new() -> Self {
        Self {
            version: AtomicU64::new(0),
            work: AtomicU64::new(0),
            request: AtomicU64::new(0),
            since: AtomicU64::new(0),
            pending_start: AtomicU64::new(0),
            pending_end: AtomicU64::new(0),
            last_end: AtomicU64::new(0),
            polls: AtomicU64::new(0),
        }
    }

    // The worker's side.

    /// A call or a poll begins.
    #[inline]
    pub(crate) fn enter(&self, work: u64, request: u64, since: u64) {
        self.write(|| {
            self.request.store(request, Ordering::Relaxed);
            self.since.store(since, Ordering::Relaxed);
            self.work.store(work, Ordering::Relaxed);
        });
    }

    /// It ends.
    #[inline]
    pub(crate) fn leave(&self, now: u64) {
        let polls = self.polls.load(Ordering::Relaxed) + 1;
        self.write(|| {
            self.work.store(0, Ordering::Relaxed);
            self.last_end.store(now, Ordering::Relaxed);
            self.polls.store(polls, Ordering::Relaxed);
        });
    }

    /// A busy period waits for the next loop iteration.
    pub(crate) fn set_pending(&self, start: u64, end: u64) {
        self.write(|| {
            self.pending_start.store(start, Ordering::Relaxed);
            self.pending_end.store(end, Ordering::Relaxed);
        });
    }

    /// The loop has begun another iteration.
    pub(crate) fn clear_pending(&self) {
        self.set_pending(0, 0);
    }

    /// A busy period ended.
    pub(crate) fn set_last_end(&self, now: u64) {
        self.last_end.store(now, Ordering::Relaxed);
    }

    #[inline]
    fn write(&self, change: impl FnOnce()) {
        // The worker is the only writer, so these need not be atomic steps.
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        // A reader that reads one of the new values then finds the odd version, or a later one.
        fence(Ordering::Release);
        change();
        self.version.store(version + 2, Ordering::Release);
    }

    // The others' side.

    /// The cell's state, and what `beside` reads while the cell is in it; `None` while it changes too fast
    /// for anything in it to be long.
    pub(crate) fn read<T>(&self, beside: impl Fn() -> T) -> Option<(Snapshot, T)> {
        (0..TRIES).find_map(|_| self.try_read(&beside))
    }

    /// One try.
    pub(crate) fn try_read<T>(&self, beside: impl Fn() -> T) -> Option<(Snapshot, T)> {
        let version = self.version.load(Ordering::Acquire);
        let snapshot = Snapshot {
            work: self.work.load(Ordering::Relaxed),
            request: self.request.load(Ordering::Relaxed),
            since: self.since.load(Ordering::Relaxed),
            pending_start: self.pending_start.load(Ordering::Relaxed),
            pending_end: self.pending_end.load(Ordering::Relaxed),
        };
        let beside = beside();
        fence(Ordering::Acquire);
        let is_whole = version.is_multiple_of(2) && version == self.version.load(Ordering::Relaxed);
        is_whole.then_some((snapshot, beside))
    }

    /// All calls and polls so far.
    pub(crate) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    /// When the latest poll, or busy period, ended.
    pub(crate) fn last_end(&self) -> u64 {
        self.last_end.load(Ordering::Relaxed)
    }
}
