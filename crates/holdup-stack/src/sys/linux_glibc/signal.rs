//! Makes a thread record its own stack.
//!
//! The monitor sends a signal. The thread's handler walks the stack and records the addresses in memory that
//! was allocated at the start. Only one request is in progress at a time, and both sides share nothing but
//! atomics:
//!
//! ```text
//! IDLE ── the monitor ──▶ ASKED ── the thread ──▶ WRITING ── the thread ──▶ DONE
//!   ▲                       │ no answer in time                              │
//!   └───────────────────────┘◀───────────── the monitor has read it ─────────┘
//! ```
//!
//! The side that moves the state from ASKED to WRITING has exclusive access to the addresses until DONE. The
//! state also names the thread that was asked, so a late signal that arrives while another thread is asked
//! does nothing.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use libc::{c_int, c_void, siginfo_t};

use super::unwind;
use crate::system;

/// Programs that do not expect this signal ignore it, which is why Go's runtime uses it as well.
const SIGNAL: c_int = libc::SIGURG;

/// The most frames that are recorded. The outermost frames of a deeper stack are lost.
const DEPTH: usize = 192;

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
static ADDRESSES: [AtomicUsize; DEPTH] = [const { AtomicUsize::new(0) }; DEPTH];
static LENGTH: AtomicUsize = AtomicUsize::new(0);
/// When the addresses were recorded.
static AT: AtomicU64 = AtomicU64::new(0);

/// A stack as its thread recorded it.
#[derive(Debug)]
pub(super) struct Noted {
    /// When it was recorded, on the clock of [`system::now`].
    pub(super) at: u64,
    /// The addresses, the innermost first. Each is one byte after an instruction of its frame, as
    /// [`backtrace::resolve`] expects.
    pub(super) addresses: Vec<usize>,
}

/// Why no stack was recorded.
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

/// Makes a thread of this process record its stack.
pub(super) fn note(thread: u32) -> Result<Noted, Failure> {
    /// Allows one request at a time, even if the process has several watches. No worker locks it.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if current() != handler_address() {
        return Err(Failure::Taken);
    }
    let of = u64::from(thread) << 2;
    // A thread that timed out while it was writing still has the addresses.
    let state = STATE.load(Ordering::Acquire);
    if state & PHASE == WRITING {
        return Err(Failure::Silent);
    }
    STATE.store(of | ASKED, Ordering::Release);
    let result = ask(thread).and_then(|()| wait(of));
    // Reset the state, whatever the outcome. Only while the thread is writing it is left alone: the thread
    // moves it on to DONE.
    let idle = |state| (state & PHASE != WRITING).then_some(IDLE);
    STATE
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, idle)
        .ok();
    result
}

fn ask(thread: u32) -> Result<(), Failure> {
    let process = std::process::id();
    // SAFETY: tgkill(2) reads nothing but its three numbers. When the thread is gone it fails; when its
    // number was given to a new thread of this process, that thread records its stack instead.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, SIGNAL) };
    if sent == 0 {
        Ok(())
    } else {
        Err(Failure::Gone)
    }
}

fn wait(of: u64) -> Result<Noted, Failure> {
    let asked = Instant::now();
    loop {
        let state = STATE.load(Ordering::Acquire);
        if state == of | DONE {
            return Ok(read());
        }
        if asked.elapsed() > PATIENCE {
            // From here on a late signal finds nothing to do.
            let gave_up =
                STATE.compare_exchange(of | ASKED, IDLE, Ordering::AcqRel, Ordering::Acquire);
            return match gave_up {
                Err(state) if state == of | DONE => Ok(read()),
                _ => Err(Failure::Silent),
            };
        }
        thread::park_timeout(LOOK);
    }
}

fn read() -> Noted {
    let length = LENGTH.load(Ordering::Relaxed);
    let noted = ADDRESSES.iter().take(length);
    Noted {
        at: AT.load(Ordering::Relaxed),
        addresses: noted
            .map(|address| address.load(Ordering::Relaxed))
            .collect(),
    }
}

/// Runs on the thread that was asked, and interrupts whatever it was doing, which may be an allocation, a
/// panic or another walk of the stack. So it takes no lock, allocates nothing, cannot panic, and restores
/// `errno`.
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
        // SAFETY: this is a handler with SA_SIGINFO, called by the kernel with the context of what it
        // interrupted, valid until it returns.
        let interrupted = unsafe { instruction(context) };
        let length = walk(interrupted);
        LENGTH.store(length, Ordering::Relaxed);
        AT.store(system::now(), Ordering::Relaxed);
        STATE.store(of | DONE, Ordering::Release);
    }
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// Records the addresses of the stack, from the interrupted instruction outwards, and returns their number.
fn walk(interrupted: usize) -> usize {
    let mut length = 0;
    let mut note = |address| {
        if let Some(place) = ADDRESSES.get(length) {
            place.store(address, Ordering::Relaxed);
            length += 1;
        }
    };
    unwind::walk(interrupted, DEPTH, &mut note);
    length
}

/// The instruction at which a signal interrupted its thread.
///
/// # Safety
///
/// `context` has to be the third argument of a signal handler that has not returned.
unsafe fn instruction(context: *mut c_void) -> usize {
    // SAFETY: such an argument points to a ucontext_t (sigaction(2)), which nothing else uses.
    let context = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
    #[cfg(target_arch = "x86_64")]
    let instruction = context.gregs[libc::REG_RIP as usize].cast_unsigned();
    #[cfg(target_arch = "aarch64")]
    let instruction = context.pc;
    instruction as usize
}
