//! Makes a thread copy its own stack.
//!
//! The monitor sends a signal. The thread's handler copies the registers and the stack to memory that exists
//! from the start, and the monitor reads the copy. Only one request is in progress at a time:
//!
//! ```text
//! IDLE ── the monitor ──▶ ASKED ── the thread ──▶ WRITING ── the thread ──▶ DONE
//!   ▲                       │ no answer in time                              │
//!   └───────────────────────┘◀───────────── the monitor has read it ─────────┘
//! ```
//!
//! The thread that moves the state from ASKED to WRITING has exclusive access to the copy until DONE, and the
//! monitor from DONE to IDLE. The state also names the thread that was asked, so a late signal that arrives
//! while another thread is asked does nothing.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use libc::{c_int, c_void, siginfo_t};

use super::copy::StackCopy;
use super::{processor, room};
use crate::system;

/// Programs that do not expect this signal ignore it, which is why Go's runtime uses it as well.
const SIGNAL: c_int = libc::SIGURG;

/// A thread that does not answer in this time is left alone.
const PATIENCE: Duration = Duration::from_millis(50);

/// How often the monitor checks for an answer, which takes some tenths of a millisecond.
const LOOK: Duration = Duration::from_micros(100);

const IDLE: u64 = 0;
const ASKED: u64 = 1;
const WRITING: u64 = 2;
const DONE: u64 = 3;
const PHASE: u64 = 3;

/// The phase in the low bits, and above it the thread that was asked.
static STATE: AtomicU64 = AtomicU64::new(IDLE);
/// When the stack was copied, on the clock of [`system::now`].
static AT: AtomicU64 = AtomicU64::new(0);
static COPY: Shared = Shared(UnsafeCell::new(StackCopy::new()));

struct Shared(UnsafeCell<StackCopy>);

// SAFETY: whoever accesses the copy has it alone, as the module's documentation says.
unsafe impl Sync for Shared {}

/// Why no stack was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The thread is gone.
    Gone,
    /// The thread did not answer in time.
    Silent,
    /// Other code has installed a handler for the signal.
    Taken,
}

/// Installs the handler. Returns false if the signal already has one.
pub(super) fn install() -> bool {
    if has_handler(current()) {
        return false;
    }
    // SAFETY: all zeros is a value of this C struct: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler_address();
    // The handler runs on the signal stack that `room` gives to a thread, because the thread's own may be
    // nearly full.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: `action` is initialized, its handler has the signature that SA_SIGINFO asks for and
    // lives as long as the program, and the old action is not asked for.
    unsafe { libc::sigaction(SIGNAL, &raw const action, ptr::null_mut()) == 0 }
}

fn handler_address() -> usize {
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = handler;
    handler as usize
}

/// The signal's current action.
fn current() -> usize {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is installed, and `action` has room for what is; all zeros is a value of it, so
    // it is initialized also when the call fails.
    let action = unsafe {
        libc::sigaction(SIGNAL, ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction
}

fn has_handler(action: usize) -> bool {
    action != libc::SIG_DFL && action != libc::SIG_IGN
}

/// Makes a thread of this process copy its stack, and returns what `read` makes of the copy and of the time at
/// which it was made, on the clock of [`system::now`].
pub(super) fn ask<R>(thread: u32, read: impl FnOnce(&StackCopy, u64) -> R) -> Result<R, Failure> {
    /// Allows one request at a time, even if the process has several watches. No worker locks it.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if current() != handler_address() {
        return Err(Failure::Taken);
    }
    let of = u64::from(thread) << 2;
    // A thread that timed out while it was writing still has the copy.
    let state = STATE.load(Ordering::Acquire);
    if state & PHASE == WRITING {
        return Err(Failure::Silent);
    }
    STATE.store(of | ASKED, Ordering::Release);
    let asked = if send(thread, SIGNAL) {
        wait(of)
    } else {
        Err(Failure::Gone)
    };
    let result = asked.map(|()| {
        // SAFETY: the state is DONE. It stays so until this function changes it below, and only one call of
        // it is in progress at a time.
        let copy = unsafe { &*COPY.0.get() };
        read(copy, AT.load(Ordering::Relaxed))
    });
    // Reset the state, whatever the outcome. Only while the thread is writing it is left alone: the thread
    // moves it on to DONE.
    let idle = |state| (state & PHASE != WRITING).then_some(IDLE);
    STATE
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, idle)
        .ok();
    // A thread may end between the signal and its handler. For a moment the system knows it still, although
    // it has been joined.
    match result {
        Err(Failure::Silent) if !send(thread, 0) => Err(Failure::Gone),
        result => result,
    }
}

/// Sends a signal to a thread of this process; 0 sends none. Returns false if the thread is gone.
fn send(thread: u32, signal: c_int) -> bool {
    let process = std::process::id();
    // SAFETY: tgkill(2) reads nothing but its three numbers. When the thread is gone it fails; when its
    // number was given to a new thread of this process, that thread copies its stack instead.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) == 0 }
}

/// Waits until the thread has copied its stack.
fn wait(of: u64) -> Result<(), Failure> {
    let asked = Instant::now();
    loop {
        if STATE.load(Ordering::Acquire) == of | DONE {
            return Ok(());
        }
        if asked.elapsed() > PATIENCE {
            // From here on a late signal finds nothing to do.
            let gave_up =
                STATE.compare_exchange(of | ASKED, IDLE, Ordering::AcqRel, Ordering::Acquire);
            return match gave_up {
                Err(state) if state == of | DONE => Ok(()),
                _ => Err(Failure::Silent),
            };
        }
        thread::park_timeout(LOOK);
    }
}

/// Runs on the thread that was asked, and interrupts whatever it was doing, which may be an allocation or a
/// panic. So it takes no lock, allocates nothing, cannot panic, and restores `errno`. It reads nothing but its
/// own stack, and leaves it to the monitor to find out what that means.
extern "C" fn handler(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: this is the address of the thread's own errno, which lives as long as the thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above; no other thread has it.
    let before = unsafe { *errno };
    // SAFETY: gettid(2) takes nothing and cannot fail.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    let of = thread.unsigned_abs() << 2;
    let asked = STATE.compare_exchange(
        of | ASKED,
        of | WRITING,
        Ordering::AcqRel,
        Ordering::Acquire,
    );
    if asked.is_ok() {
        // SAFETY: the state is WRITING, and this thread has set it.
        let copy = unsafe { &mut *COPY.0.get() };
        // SAFETY: this is a handler with SA_SIGINFO, called by the kernel with the context of what it
        // interrupted (sigaction(2)), which is valid until it returns, and which nothing else uses.
        let context = unsafe { &*context.cast::<libc::ucontext_t>() };
        let stack = room::enough(&context.uc_stack).unwrap_or_default();
        // SAFETY: these are the bounds of this thread's stack, or empty, and the registers that it had when it
        // was interrupted.
        unsafe { copy.fill(processor::of(&context.uc_mcontext), stack) };
        AT.store(system::now(), Ordering::Relaxed);
        STATE.store(of | DONE, Ordering::Release);
    }
    // SAFETY: as above.
    unsafe { *errno = before };
}
