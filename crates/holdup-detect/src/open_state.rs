//! What other threads may read of an open request: a sequence lock, as the worker's [cell](crate::cell) is.
//!
//! Only the worker writes, and it never waits.

use std::num::NonZeroU32;

use crate::sync::{AtomicU64, Ordering, fence, yield_now};
use crate::version::Version;

/// How often a reader tries before it lets other threads run, and how often it tries in all. A worker may have lost
/// its core while it wrote.
const TRIES: usize = 8;
const MOST_TRIES: usize = 32;

/// What an open request is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// A call or a poll works on it.
    Running,
    /// Its last poll left it waiting for something.
    Waiting,
    /// Nothing of it runs, and it waits for nothing: it was opened or called, and not polled yet.
    Ready,
    /// Nothing of it runs, and it waits for nothing: its last poll gave the response or a chunk of its body.
    Sending,
}

/// One state of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The request's number.
    pub(crate) number: u64,
    /// The request's lane; 0 if none is recorded.
    pub(crate) lane: u64,
    pub(crate) route: NonZeroU32,
    pub(crate) opened: u64,
    /// What it does; `None` if that changes too fast to be read.
    pub(crate) activity: Option<Activity>,
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Activity {
    pub(crate) doing: Doing,
    /// Since when.
    pub(crate) since: u64,
    /// How many calls and polls of the request have begun.
    pub(crate) polls: u64,
}

/// The state was changed while it was read.
#[derive(Debug)]
pub(crate) struct Changed;

/// The state of one request after another. All times are nanoseconds of one clock.
#[derive(Debug)]
pub(crate) struct OpenState {
    version: Version,
    /// 0 while there is no request. It is written after the values that do not change while the request is open, and
    /// no number is used twice. So whoever reads a number before and after these values has those of that request.
    number: AtomicU64,
    lane: AtomicU64,
    route: AtomicU64,
    opened: AtomicU64,
    /// How many calls and polls have begun, and below that, in two bits, what the request does.
    doing: AtomicU64,
    since: AtomicU64,
}

impl OpenState {
    pub(crate) fn new() -> Self {
        Self {
            version: Version::new(),
            number: AtomicU64::new(0),
            lane: AtomicU64::new(0),
            route: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            doing: AtomicU64::new(0),
            since: AtomicU64::new(0),
        }
    }

    // Called by the worker.

    /// Begins with a request. The one before has ended.
    #[inline]
    pub(crate) fn open(&self, number: u64, lane: u64, route: NonZeroU32, at: u64) {
        self.version.write(|| {
            self.lane.store(lane, Ordering::Relaxed);
            self.route.store(route.get().into(), Ordering::Relaxed);
            self.opened.store(at, Ordering::Relaxed);
            self.doing.store(code(Doing::Ready), Ordering::Relaxed);
            self.since.store(at, Ordering::Relaxed);
            self.number.store(number, Ordering::Release);
        });
    }

    /// Records that the request is over.
    #[inline]
    pub(crate) fn close(&self) {
        self.number.store(0, Ordering::Relaxed);
    }

    /// Records that a call or a poll has begun at `since`. A poll that the worker's cell shows is not
    /// recorded here.
    pub(crate) fn enter(&self, since: u64) {
        self.change((self.with_this_poll() << 2) | code(Doing::Running), since);
    }

    /// Records that a call or poll ends, and what the request does since when.
    #[inline]
    pub(crate) fn leave(&self, doing: Doing, since: u64) {
        self.change((self.with_this_poll() << 2) | code(doing), since);
    }

    /// The number of calls and polls that have begun, with the one in progress. Called by the worker within it.
    #[inline]
    pub(crate) fn with_this_poll(&self) -> u64 {
        // A poll in progress that is recorded here is counted already. Its state is 0, and those of all others are not.
        (self.doing.load(Ordering::Relaxed) + 3) >> 2
    }

    #[inline]
    fn change(&self, doing: u64, since: u64) {
        self.version.write(|| {
            self.doing.store(doing, Ordering::Relaxed);
            self.since.store(since, Ordering::Relaxed);
        });
    }

    // Called by any thread.

    /// The request's number; 0 if there is none.
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// The state; `None` if there is no request.
    pub(crate) fn read(&self) -> Option<Snapshot> {
        for n in 0..MOST_TRIES {
            if let Ok(read) = self.try_read() {
                return read;
            }
            if n >= TRIES {
                yield_now();
            }
        }
        self.identity(None)
    }

    /// Tries once to read the whole state.
    pub(crate) fn try_read(&self) -> Result<Option<Snapshot>, Changed> {
        let read = self.version.read(|| {
            let code = self.doing.load(Ordering::Relaxed);
            let activity = Activity {
                doing: doing(code),
                since: self.since.load(Ordering::Relaxed),
                polls: code >> 2,
            };
            self.identity(Some(activity))
        });
        read.ok_or(Changed)
    }

    /// What does not change while a request is open, with what it does; `None` if there is no request, or another one
    /// than a moment ago.
    pub(crate) fn identity(&self, activity: Option<Activity>) -> Option<Snapshot> {
        let number = self.number.load(Ordering::Acquire);
        let route = u32::try_from(self.route.load(Ordering::Relaxed)).ok();
        let snapshot = Snapshot {
            number,
            lane: self.lane.load(Ordering::Relaxed),
            route: route.and_then(NonZeroU32::new)?,
            opened: self.opened.load(Ordering::Relaxed),
            activity,
        };
        // A new value was written after the version's fence, and that after the number of the request before was
        // removed. So with this fence, whoever read a new value does not read the number of the request before.
        fence(Ordering::Acquire);
        (number > 0 && number == self.number()).then_some(snapshot)
    }
}

fn code(doing: Doing) -> u64 {
    match doing {
        Doing::Running => 0,
        Doing::Waiting => 1,
        Doing::Ready => 2,
        Doing::Sending => 3,
    }
}

fn doing(code: u64) -> Doing {
    match code & 3 {
        0 => Doing::Running,
        1 => Doing::Waiting,
        2 => Doing::Ready,
        _ => Doing::Sending,
    }
}
