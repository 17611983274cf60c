//! A worker's current poll and busy period, which other threads can read at any time: a sequence lock.
//!
//! Only the worker writes, and it never waits. A reader whose reads may have mixed two states tries again.

use crate::sync::{AtomicU64, Ordering};
use crate::version::Version;

/// How often a reader tries. A worker that changes its cell during all tries is in no long poll.
const TRIES: usize = 8;

/// One worker's cell. All times are nanoseconds of one clock; 0 means no time.
#[derive(Debug)]
pub(crate) struct Cell {
    version: Version,
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
    /// The route and part of the call or poll in progress, in one number; 0 if there is none.
    pub(crate) work: u64,
    /// The request of the call or poll in progress, or of the latest one.
    pub(crate) request: u64,
    /// When the call or poll in progress, or the latest one, began.
    pub(crate) since: u64,
    /// When the busy period began that the next loop iteration will end; 0 if there is none.
    pub(crate) pending_start: u64,
    /// When the latest poll of that busy period ended.
    pub(crate) pending_end: u64,
}

impl Cell {
    pub(crate) fn new() -> Self {
        Self {
            version: Version::new(),
            work: AtomicU64::new(0),
            request: AtomicU64::new(0),
            since: AtomicU64::new(0),
            pending_start: AtomicU64::new(0),
            pending_end: AtomicU64::new(0),
            last_end: AtomicU64::new(0),
            polls: AtomicU64::new(0),
        }
    }

    // Called by the worker.

    /// Records that a call or a poll begins.
    #[inline]
    pub(crate) fn enter(&self, work: u64, request: u64, since: u64) {
        self.version.write(|| {
            self.request.store(request, Ordering::Relaxed);
            self.since.store(since, Ordering::Relaxed);
            self.work.store(work, Ordering::Relaxed);
        });
    }

    /// Records that the call or poll ends.
    #[inline]
    pub(crate) fn leave(&self, now: u64) {
        let polls = self.polls.load(Ordering::Relaxed) + 1;
        self.last_end.store(now, Ordering::Relaxed);
        self.polls.store(polls, Ordering::Relaxed);
        // Of what makes up a state, only this changes, so a reader finds the state before or after. What was written
        // before is visible to whoever finds the state after.
        self.work.store(0, Ordering::Release);
    }

    /// Records a busy period that the next loop iteration will end.
    pub(crate) fn set_pending(&self, start: u64, end: u64) {
        self.version.write(|| {
            self.pending_start.store(start, Ordering::Relaxed);
            self.pending_end.store(end, Ordering::Relaxed);
        });
    }

    /// Records that the loop has begun another iteration.
    pub(crate) fn clear_pending(&self) {
        self.set_pending(0, 0);
    }

    /// Records the end of a busy period.
    pub(crate) fn set_last_end(&self, now: u64) {
        self.last_end.store(now, Ordering::Relaxed);
    }

    // Called by other threads.

    /// Returns the cell's state, and what `beside` reads while the cell is in that state. Returns `None` if
    /// the cell changes too fast, in which case nothing in it is long.
    pub(crate) fn read<T>(&self, beside: impl Fn() -> T) -> Option<(Snapshot, T)> {
        (0..TRIES).find_map(|_| self.try_read(&beside))
    }

    /// Tries once to read; see [`read`](Self::read).
    pub(crate) fn try_read<T>(&self, beside: impl Fn() -> T) -> Option<(Snapshot, T)> {
        let read = self.version.read(|| {
            let snapshot = Snapshot {
                work: self.work.load(Ordering::Relaxed),
                request: self.request.load(Ordering::Relaxed),
                since: self.since.load(Ordering::Relaxed),
                pending_start: self.pending_start.load(Ordering::Relaxed),
                pending_end: self.pending_end.load(Ordering::Relaxed),
            };
            let beside = beside();
            // The end of a poll changes no version, and what was read beside may be of a time after it.
            let is_same = self.work.load(Ordering::Relaxed) == snapshot.work;
            is_same.then_some((snapshot, beside))
        });
        read.flatten()
    }

    /// Whether a call or a poll is in progress.
    pub(crate) fn is_working(&self) -> bool {
        self.work.load(Ordering::Relaxed) > 0
    }

    /// All calls and polls so far.
    pub(crate) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    /// When the latest poll or busy period ended.
    pub(crate) fn last_end(&self) -> u64 {
        self.last_end.load(Ordering::Relaxed)
    }
}
