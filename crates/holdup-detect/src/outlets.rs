//! The bounded channels through which the collector sends its findings to other threads. It never waits for
//! them. Items that find no room are dropped and counted.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{
    Receiver, RecvError, RecvTimeoutError, SyncSender, TrySendError, sync_channel,
};
use std::time::Duration;

use holdup_model::{Blame, HeldUpTimes, Hold, RouteName, Spent};
use tracing::Span;

use crate::record::HoldId;
use crate::stack::StackSample;

/// The most items that wait for one of the threads.
const ROOM: usize = 1024;

/// A line for the log.
#[derive(Debug)]
pub(crate) enum LogEntry {
    /// A worker is held. `lock_holder` is the worker that may hold the lock that it waits for.
    Held {
        hold: Hold,
        lock_holder: Option<String>,
    },
    /// The line of code that holds a worker, if the earlier log line could not name it.
    Named {
        hold: Hold,
        who: String,
        lock_holder: Option<String>,
    },
    /// A hold is over.
    Released { hold: Hold },
    /// A hold turned out not to be one. No more log lines follow for it.
    Withdrawn { id: HoldId },
    /// A request lost time to others. Written in its own span.
    HeldUp {
        span: Span,
        route: RouteName,
        spent: Spent,
    },
    /// So many more requests lost time to others.
    MoreHeldUp { requests: usize },
    /// A request was this one of the culprits of a hold that is over. Written in its own span.
    Culprit {
        span: Span,
        hold: Arc<Hold>,
        culprit: usize,
    },
    /// The request of this span was held up by those of the others. Its span is linked to theirs.
    Link { span: Span, by: Vec<Span> },
    /// Spans that are not needed any more. The thread that writes the log drops them.
    Unused { spans: Vec<Span> },
    /// So many requests lost time that is counted nowhere.
    Uncounted { requests: u64 },
    /// Whether stacks are taken, or why not.
    Stacks(Result<(), &'static str>),
    /// The program has installed its own handler for the signal with which stacks are taken.
    SignalTaken,
    /// So many lines of the record could not be written so far.
    NotRecorded {
        folder: PathBuf,
        lines: u64,
        error: String,
    },
    /// So many figures about holds were lost, because the app's recorder of metrics took them too slowly.
    FiguresLost { figures: u64 },
    /// The record is written again. So many lines are missing in it.
    RecordedAgain { folder: PathBuf, lines: u64 },
    /// A thread of the watch panicked and was restarted.
    Restarted { thread: &'static str },
    /// Threads could not be started.
    NoThreads(NoThreads),
}

/// Threads that could not be started.
#[derive(Debug, Default)]
pub(crate) struct NoThreads {
    pub(crate) names: Vec<&'static str>,
    /// Why the latest of them could not be started.
    pub(crate) error: String,
}

/// A change of the metrics.
#[derive(Debug)]
pub(crate) enum Figure {
    /// The number of polls so far, of open requests, of held workers and of all workers.
    Workers {
        polls: u64,
        open: usize,
        held: usize,
        workers: usize,
    },
    /// A hold that lasts, as of its latest event.
    Lasts(Hold),
    /// A hold is over. Its details follow.
    Ends(HoldId),
    /// A hold is over and complete.
    Over(Hold),
    /// A hold turned out not to be one.
    Withdrawn(HoldId),
    /// Requests of these routes lost time to others.
    HeldUp(Vec<(RouteName, Blame)>),
    /// How long all requests were held up that are over.
    Ended(Vec<HeldUpTimes>),
}

/// The sending ends of the channels.
#[derive(Debug, Default)]
pub(crate) struct Outlets {
    pub(crate) log: Outlet<LogEntry>,
    pub(crate) metrics: Outlet<Figure>,
    /// Holds for [`on_hold`](crate::Detector::on_hold).
    pub(crate) callbacks: Outlet<Hold>,
    /// Stacks whose names are to be looked up.
    pub(crate) symbols: Outlet<Arc<StackSample>>,
}

/// A sending end. Items that are sent while it is closed are dropped.
#[derive(Debug)]
pub(crate) struct Outlet<T> {
    sender: Option<SyncSender<T>>,
    lost: Arc<AtomicU64>,
    /// How many items wait or are being handled.
    queued: Arc<AtomicUsize>,
}

/// A receiving end. An item is handled when the next one is asked for.
#[derive(Debug)]
pub(crate) struct Inlet<T> {
    receiver: Receiver<T>,
    lost: Arc<AtomicU64>,
    queued: Arc<AtomicUsize>,
    is_handling: Cell<bool>,
}

impl<T> Inlet<T> {
    /// The next item.
    ///
    /// # Errors
    ///
    /// Returns an error when the watch is gone.
    pub(crate) fn recv(&self) -> Result<T, RecvError> {
        self.has_handled();
        let item = self.receiver.recv()?;
        self.is_handling.set(true);
        Ok(item)
    }

    /// The next item, if there is one within `pause`.
    ///
    /// # Errors
    ///
    /// Returns an error when there is none, or when the watch is gone.
    pub(crate) fn recv_timeout(&self, pause: Duration) -> Result<T, RecvTimeoutError> {
        self.has_handled();
        let item = self.receiver.recv_timeout(pause)?;
        self.is_handling.set(true);
        Ok(item)
    }

    fn has_handled(&self) {
        if self.is_handling.replace(false) {
            self.queued.fetch_sub(1, Ordering::Release);
        }
    }

    /// The items that are there.
    #[cfg(test)]
    pub(crate) fn try_iter(&self) -> impl Iterator<Item = T> {
        let items = self.receiver.try_iter();
        items.inspect(|_| {
            self.queued.fetch_sub(1, Ordering::Relaxed);
        })
    }

    /// How many items were dropped since the last call, because the channel was full.
    pub(crate) fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

impl<T> Drop for Inlet<T> {
    fn drop(&mut self) {
        self.has_handled();
        // Nobody handles these any more.
        while self.receiver.try_recv().is_ok() {
            self.queued.fetch_sub(1, Ordering::Release);
        }
    }
}

impl<T> Outlet<T> {
    pub(crate) fn open(&mut self) -> Inlet<T> {
        let (sender, receiver) = sync_channel(ROOM);
        self.sender = Some(sender);
        Inlet {
            receiver,
            lost: Arc::clone(&self.lost),
            queued: Arc::clone(&self.queued),
            is_handling: Cell::new(false),
        }
    }

    /// The number of items that wait or are being handled.
    pub(crate) fn queued(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.queued)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.sender.is_some()
    }

    /// Whether at least half of the room is free.
    pub(crate) fn has_room(&self) -> bool {
        self.queued.load(Ordering::Relaxed) < ROOM / 2
    }

    /// Sends the item if there is room, and returns whether there was.
    pub(crate) fn send(&self, value: T) -> bool {
        if self.sender.is_none() {
            return false;
        }
        let is_sent = self.offer(value).is_ok();
        if !is_sent {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        is_sent
    }

    /// Sends the item, or gives it back if there is no room.
    ///
    /// # Errors
    ///
    /// Returns the item if it is not sent.
    pub(crate) fn offer(&self, value: T) -> Result<(), T> {
        let Some(sender) = &self.sender else {
            return Err(value);
        };
        // Counted before it is sent, because it may be received at once.
        self.queued.fetch_add(1, Ordering::Relaxed);
        sender.try_send(value).map_err(|error| {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(value) | TrySendError::Disconnected(value) => value,
            }
        })
    }
}

impl<T> Clone for Outlet<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            lost: Arc::clone(&self.lost),
            queued: Arc::clone(&self.queued),
        }
    }
}

impl<T> Default for Outlet<T> {
    fn default() -> Self {
        Self {
            sender: None,
            lost: Arc::default(),
            queued: Arc::default(),
        }
    }
}
