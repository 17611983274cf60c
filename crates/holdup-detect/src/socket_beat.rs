//! The second heartbeat, as other threads read it: a byte that the worker receives through a socket.
//!
//! The first heartbeat is a task that is woken, so it only shows that the loop iterates. tokio's loop polls
//! its sockets and timers when no task is ready, and otherwise once in 61 polls. A task that wakes itself
//! after each poll is always ready. With polls of 30 ms, no request is read for one or two seconds, although
//! the loop iterates after each poll.
//!
//! A timer would show that too, but a pending timer changes how a test's paused time advances.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
#[cfg(unix)]
use std::{
    io::{self, Write},
    os::fd::AsRawFd,
    os::unix::net::UnixStream,
    sync::OnceLock,
    sync::atomic::AtomicI32,
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
    /// When the byte was sent that the worker has not read yet, or one of the constants below.
    asked: AtomicU64,
    /// When the loop polled its sockets and found the byte; 0 if it has not yet.
    looked: AtomicU64,
    /// The thread's time in the run queue when the byte was sent; [`UNKNOWN`] where it is not known.
    run_delay: AtomicU64,
    /// The worker's work since the byte was sent, as of its latest loop iteration or an earlier one.
    gap: Mutex<Gap>,
    /// How many event loops of this thread have begun to read bytes.
    #[cfg(unix)]
    loops: AtomicU64,
    /// The descriptor at which the loop reads bytes; [`NOT_READ`] if none does.
    #[cfg(unix)]
    read_at: AtomicI32,
    /// Wakes the task that reads the byte.
    pub(crate) task: AtomicWaker,
}

/// No byte was sent that is still unread.
const NOT_ASKED: u64 = 0;

/// A byte is being sent, and its time is not known yet.
const ASKING: u64 = 1;

/// Nothing would read the byte: there is no event loop, or no socket.
const NO_BEAT: u64 = u64::MAX;

const UNKNOWN: u64 = u64::MAX;

/// No event loop reads bytes.
#[cfg(unix)]
const NOT_READ: i32 = -1;

/// The two ends of the socket. Both stay open as long as the worker is known, so that sending never fails.
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
            #[cfg(unix)]
            loops: AtomicU64::new(0),
            #[cfg(unix)]
            read_at: AtomicI32::new(NOT_READ),
            task: AtomicWaker::new(),
        }
    }

    // Called by the worker.

    /// The end at which the worker reads bytes, for use on its loop.
    #[cfg(unix)]
    pub(crate) fn far_end(&self) -> io::Result<tokio::net::UnixStream> {
        if self.wire.get().is_none() {
            let (near, far) = UnixStream::pair()?;
            near.set_nonblocking(true)?;
            far.set_nonblocking(true)?;
            self.wire.set(Wire { near, far }).ok();
        }
        let wire = self.wire.get().ok_or(io::ErrorKind::NotConnected)?;
        let far = tokio::net::UnixStream::from_std(wire.far.try_clone()?)?;
        self.loops.fetch_add(1, Ordering::Relaxed);
        self.read_at.store(far.as_raw_fd(), Ordering::Release);
        Ok(far)
    }

    /// Records that the loop polled its sockets and found the byte.
    #[cfg(unix)]
    pub(crate) fn look(&self) {
        self.looked.store(self.clock.now(), Ordering::Release);
    }

    /// Records that no byte is unread any more, so that the next one may be sent.
    #[cfg(unix)]
    pub(crate) fn answer(&self) {
        self.looked.store(0, Ordering::Release);
        self.asked.store(NOT_ASKED, Ordering::Release);
    }

    /// Records that nothing reads bytes from now on.
    #[cfg(unix)]
    pub(crate) fn stop(&self) {
        self.read_at.store(NOT_READ, Ordering::Release);
        self.asked.store(NO_BEAT, Ordering::Release);
    }

    /// Counts from `now` on, although the unread byte was sent earlier.
    pub(crate) fn restart(&self, now: u64, thread: Option<u32>) {
        self.note_run_delay(thread);
        self.asked.store(now, Ordering::Release);
    }

    /// Publishes the worker's work since the byte was sent to other threads. Skipped while another thread
    /// reads the previous state.
    pub(crate) fn show(&self, gap: &Gap) {
        if let Ok(mut shown) = self.gap.try_lock() {
            shown.clone_from(gap);
        }
    }

    // Called by other threads.

    /// Sends a byte, unless one is still unread.
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

    /// Which of the thread's event loops reads bytes, and at which descriptor; `None` if none does.
    #[cfg(target_os = "linux")]
    pub(crate) fn watched_by_loop(&self) -> Option<(u64, i32)> {
        let descriptor = self.read_at.load(Ordering::Acquire);
        (descriptor != NOT_READ).then(|| (self.loops.load(Ordering::Relaxed), descriptor))
    }

    /// Whether no byte that was sent is unread.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.asked.load(Ordering::Acquire), NOT_ASKED | NO_BEAT)
    }

    /// When the byte was sent that is still unread, if there is one.
    pub(crate) fn asked(&self) -> Option<u64> {
        match self.asked.load(Ordering::Acquire) {
            NOT_ASKED | ASKING | NO_BEAT => None,
            asked => Some(asked),
        }
    }

    /// When the loop polled its sockets and found the byte, if it did.
    pub(crate) fn looked(&self) -> Option<u64> {
        Some(self.looked.load(Ordering::Acquire)).filter(|&looked| looked > 0)
    }

    /// When the byte was sent, if the loop has not polled its sockets since.
    pub(crate) fn unseen(&self) -> Option<u64> {
        self.asked().filter(|_| self.looked().is_none())
    }

    /// The worker's work since the byte was sent; `None` if no byte is unread or no work was published.
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
