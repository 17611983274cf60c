//! The bounded channels through which the collector sends its findings to other threads. It never waits for
//! them. Items that find no room are dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use holdup_model::{Blame, Hold, RouteName, Spent};
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
    /// Whether stacks are taken, or why not.
    Stacks(Result<(), &'static str>),
    /// The program has installed its own handler for the signal with which stacks are taken.
    SignalTaken,
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
    /// The number of polls so far, of held workers and of all workers.
    Workers {
        polls: u64,
        held: usize,
        workers: usize,
    },
    /// A hold is over.
    Hold(Hold),
    /// Requests of these routes lost time to others.
    HeldUp(Vec<(RouteName, Blame)>),
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
}

/// A receiving end.
#[derive(Debug)]
pub(crate) struct Inlet<T> {
    pub(crate) receiver: Receiver<T>,
    lost: Arc<AtomicU64>,
}

impl<T> Inlet<T> {
    /// How many items were dropped since the last call, because the channel was full.
    pub(crate) fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

impl<T> Outlet<T> {
    pub(crate) fn open(&mut self) -> Inlet<T> {
        let (sender, receiver) = sync_channel(ROOM);
        self.sender = Some(sender);
        Inlet {
            receiver,
            lost: Arc::clone(&self.lost),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.sender.is_some()
    }

    /// Sends the item if there is room, and returns whether there was.
    pub(crate) fn send(&self, value: T) -> bool {
        let Some(sender) = &self.sender else {
            return false;
        };
        let is_sent = sender.try_send(value).is_ok();
        if !is_sent {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        is_sent
    }
}

impl<T> Clone for Outlet<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            lost: Arc::clone(&self.lost),
        }
    }
}

impl<T> Default for Outlet<T> {
    fn default() -> Self {
        Self {
            sender: None,
            lost: Arc::default(),
        }
    }
}
