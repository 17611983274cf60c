//! The end of a program: what has happened so far is told before it ends.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

/// How far the threads of a watch are with what has to be told. Flushes have numbers, from 1 on.
#[derive(Debug, Default)]
pub(crate) struct Flushes {
    /// The latest flush that was asked for.
    asked: AtomicU64,
    /// How many flushes are waited for.
    waiting: AtomicUsize,
    /// The latest flush for which the collector has published everything.
    published: AtomicU64,
    /// The latest flush for which everything is in the record.
    recorded: AtomicU64,
    /// The thread that writes the record: `None` if it could not be started. Not set if there is no record.
    recorder: OnceLock<Option<Thread>>,
    /// How many items wait for each of the other threads.
    queues: OnceLock<Vec<Arc<AtomicUsize>>>,
}

impl Flushes {
    // Called when the threads are started.

    pub(crate) fn wait_for_recorder(&self, recorder: Option<Thread>) {
        self.recorder.set(recorder).ok();
    }

    pub(crate) fn wait_for_queues(&self, queues: Vec<Arc<AtomicUsize>>) {
        self.queues.set(queues).ok();
    }

    // Called by whoever flushes.

    /// Asks for a flush, which is waited for until the result is dropped.
    pub(crate) fn ask(&self) -> Flush<'_> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let number = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        Flush { of: self, number }
    }

    fn is_published(&self, flush: u64) -> bool {
        self.published.load(Ordering::Acquire) >= flush
    }

    fn is_recorded(&self, flush: u64) -> bool {
        let Some(recorder) = self.recorder.get() else {
            return true;
        };
        let is_recorded = self.recorded.load(Ordering::Acquire) >= flush;
        if let Some(recorder) = recorder
            && !is_recorded
        {
            recorder.unpark();
        }
        is_recorded
    }

    fn are_queues_empty(&self) -> bool {
        let mut queues = self.queues.get().into_iter().flatten();
        queues.all(|queued| queued.load(Ordering::Acquire) == 0)
    }

    // Called by the collector.

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Acquire)
    }

    /// Whether somebody waits for the collector to publish everything.
    pub(crate) fn is_asked(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0 && !self.is_published(self.asked())
    }

    pub(crate) fn has_published(&self, flush: u64) {
        self.published.store(flush, Ordering::Release);
    }

    // Called by the thread that writes the record.

    /// The latest flush that it is to write, before it takes the events.
    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    pub(crate) fn has_recorded(&self, flush: u64) {
        self.recorded.store(flush, Ordering::Release);
    }
}

/// A flush that somebody waits for.
#[derive(Debug)]
pub(crate) struct Flush<'a> {
    of: &'a Flushes,
    number: u64,
}

impl Flush<'_> {
    /// Whether the collector has published everything.
    pub(crate) fn is_published(&self) -> bool {
        self.of.is_published(self.number)
    }

    /// Whether everything is in the record, if there is one. Has it written otherwise.
    pub(crate) fn is_recorded(&self) -> bool {
        self.of.is_recorded(self.number)
    }

    /// Whether the other threads have handled all that was sent to them.
    pub(crate) fn is_handled(&self) -> bool {
        self.of.are_queues_empty()
    }
}

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        self.of.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
