//! The second heartbeat, as others see it: a byte that comes to the worker through a socket.
//!
//! The first one is a task that is woken, so it shows only that the loop turns. tokio's loop looks at
//! its sockets and timers when nothing is ready to run, and otherwise once in 61 polls. A task that
//! wakes itself after each piece of its work is always ready: with pieces of 30 ms nobody's request
//! is read for one or two seconds, though the loop turns after each piece.
//!
//! A timer would show it too, but a pending one changes how a test's paused time advances.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
#[cfg(unix)]
use std::{
    io::{self, Write},
    os::unix::net::UnixStream,
    sync::OnceLock,
};

use futures_util::task::AtomicWaker;

use crate::clock::Clock;
use crate::gap::Gap;
use crate::run_queue::Delay;

/// One worker's second heartbeat.
#[derive(Debug)]
pub(crate) struct SocketBeat {
    clock: Clock,
    #[cfg(unix)]
    wire: OnceLock<Wire>,
    /// When the byte was sent that the worker has still to take, or one of the values below.
    asked: AtomicU64,
    /// When the loop came by that byte; 0 when it has not yet.
    looked: AtomicU64,
    /// The thread's time in the run queue when the byte was sent; [`UNKNOWN`] where it is not known.
    run_delay: AtomicU64,
    /// What the worker did since, as of its latest turn or an earlier one.
    gap: Mutex<Gap>,
    /// The task that takes the byte.
    pub(crate) task: AtomicWaker,
}

/// No byte is on its way.
const NOT_ASKED: u64 = 0;

/// One is being sent: from when it counts is not known yet.
const ASKING: u64 = 1;

/// Nothing would read the byte: there is no event loop, or no socket.
const NO_BEAT: u64 = u64::MAX;

const UNKNOWN: u64 = u64::MAX;

/// Both ends stay open as long as the worker is known, so that sending to it never fails.
#[cfg(unix)]
#[derive(Debug)]
struct Wire {
    near: UnixStream,
    far: UnixStream,
}

impl SocketBeat {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            #[cfg(unix)]
            wire: OnceLock::new(),
            asked: AtomicU64::new(NO_BEAT),
            looked: AtomicU64::new(0),
            run_delay: AtomicU64::new(UNKNOWN),
            gap: Mutex::default(),
            task: AtomicWaker::new(),
        }
    }

    // The worker's side.

    /// The end at which the worker takes bytes, for a loop of its own.
    #[cfg(unix)]
    pub(crate) fn far_end(&self) -> io::Result<tokio::net::UnixStream> {
        if self.wire.get().is_none() {
            let (near, far) = UnixStream::pair()?;
            near.set_nonblocking(true)?;
            far.set_nonblocking(true)?;
            self.wire.set(Wire { near, far }).ok();
        }
        let wire = self.wire.get().ok_or(io::ErrorKind::NotConnected)?;
        tokio::net::UnixStream::from_std(wire.far.try_clone()?)
    }

    /// The loop looks at its sockets, and the byte is there.
    #[cfg(unix)]
    pub(crate) fn look(&self) {
        self.looked.store(self.clock.now(), Ordering::Release);
    }

    /// The byte was taken, or there is none on its way: the next one may be sent.
    #[cfg(unix)]
    pub(crate) fn answer(&self) {
        self.looked.store(0, Ordering::Release);
        self.asked.store(NOT_ASKED, Ordering::Release);
    }

    /// From now on nobody takes a byte.
    #[cfg(unix)]
    pub(crate) fn stop(&self) {
        self.asked.store(NO_BEAT, Ordering::Release);
    }

    /// What was before `now` does not count, though the byte is on its way for longer.
    pub(crate) fn restart(&self, now: u64, thread: Option<u32>) {
        self.note_run_delay(thread);
        self.asked.store(now, Ordering::Release);
    }

    /// Shows what the worker did since the byte was sent, unless somebody looks at an earlier state.
    pub(crate) fn show(&self, gap: &Gap) {
        if let Ok(mut shown) = self.gap.try_lock() {
            shown.clone_from(gap);
        }
    }

    // The others' side.

    /// Sends a byte, unless one is on its way.
    pub(crate) fn ask(&self, thread: Option<u32>) {
        if self.change(NOT_ASKED, ASKING) {
            if self.send() {
                self.note_run_delay(thread);
                // The clock is read only now, because this thread may have been descheduled before. The byte
                // may have been read meanwhile.
                self.change(ASKING, self.clock.now());
            } else {
                self.change(ASKING, NOT_ASKED);
            }
        }
    }

    #[cfg(unix)]
    fn send(&self) -> bool {
        let wire = self.wire.get();
        wire.is_some_and(|wire| (&wire.near).write(&[0]).is_ok())
    }

    #[cfg(not(unix))]
    fn send(&self) -> bool {
        false
    }

    /// Since when a byte is on its way.
    pub(crate) fn asked(&self) -> Option<u64> {
        match self.asked.load(Ordering::Acquire) {
            NOT_ASKED | ASKING | NO_BEAT => None,
            asked => Some(asked),
        }
    }

    /// When the loop came by it, if it did.
    pub(crate) fn looked(&self) -> Option<u64> {
        Some(self.looked.load(Ordering::Acquire)).filter(|&looked| looked > 0)
    }

    /// Since when one is on its way that the loop has not come by.
    pub(crate) fn unseen(&self) -> Option<u64> {
        self.asked().filter(|_| self.looked().is_none())
    }

    /// What the worker did since the byte was sent; `None` when there is none, or nothing is shown.
    pub(crate) fn gap(&self) -> Option<Gap> {
        let gap = self.gap.lock().unwrap_or_else(PoisonError::into_inner);
        (self.asked() == Some(gap.period.start)).then(|| gap.clone())
    }

    /// How long the worker's thread was in the run queue since the byte was sent.
    pub(crate) fn delay(&self, thread: Option<u32>) -> Option<Delay> {
        let before = self.run_delay.load(Ordering::Relaxed);
        if before == UNKNOWN {
            return None;
        }
        Some(Delay {
            at_most: self.clock.run_delay(thread)?.saturating_sub(before),
            is_exact: true,
        })
    }

    fn note_run_delay(&self, thread: Option<u32>) {
        let run_delay = self.clock.run_delay(thread).unwrap_or(UNKNOWN);
        self.run_delay.store(run_delay, Ordering::Relaxed);
    }

    fn change(&self, from: u64, to: u64) -> bool {
        self.asked
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}
