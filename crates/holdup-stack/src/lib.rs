//! Which line of code is a thread at? This crate captures a thread's stack from another thread, and looks up
//! its functions and lines.
//!
//! 1. Call [`start`] once in the process.
//! 2. Each thread whose stack is to be taken calls [`prepare_thread`].
//! 3. Any other thread can then [`take`] its stack. A signal interrupts the thread for less than a
//!    millisecond.
//! 4. [`Stack::reading`] looks up the functions and lines. The first call may take half a second, so call it
//!    on a thread that has nothing else to do.
//!
//! The crate writes no log. If stacks cannot be taken, [`start`] returns the reason.
//!
//! ```
//! # #[cfg(all(target_os = "linux", target_env = "gnu"))]
//! # fn main() {
//! use std::sync::mpsc;
//! use std::thread;
//!
//! holdup_stack::start();
//! let (send, receive) = mpsc::channel();
//! let (end, ends) = mpsc::channel::<()>();
//! let worker = thread::spawn(move || {
//!     holdup_stack::prepare_thread();
//!     send.send(rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()).unwrap();
//!     ends.recv().unwrap_err();
//! });
//! let number = receive.recv().unwrap();
//! if holdup_stack::is_on() {
//!     match holdup_stack::take(number) {
//!         Ok(stack) => println!("{:#?}", stack.reading().stack),
//!         Err(error) => println!("{error}"),
//!     }
//! }
//! drop(end);
//! worker.join().unwrap();
//! # }
//! # #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
//! # fn main() {}
//! ```

mod apps;
#[expect(
    unsafe_code,
    reason = "a waker of our own; each block says why it is sound"
)]
mod awaits;
mod called;
mod frame;
mod function;
mod known;
mod naming;
mod public;
mod reading;
mod sys;
mod system;
mod taken;

use std::sync::OnceLock;
use std::task::{Context, Waker};

pub use self::naming::HANDLER;
pub use self::reading::{Place, Reading};
pub use self::taken::TakeError;

/// The environment variables that turn the crate off when they are `0`. The second is the former name of the
/// first.
const VARIABLES: [&str; 2] = ["HOLDUP_STACKS", "HOLDUP_LINES"];

/// A stack that was taken.
#[derive(Debug)]
pub struct Stack {
    /// When the stack was taken, in nanoseconds of the monotonic clock.
    pub at: u64,
    addresses: Vec<usize>,
    reading: OnceLock<Reading>,
}

impl Stack {
    /// The addresses in the program, the innermost first. Two stacks with the same addresses have the same
    /// [`reading`](Self::reading).
    pub fn addresses(&self) -> &[usize] {
        &self.addresses
    }

    /// The stack's functions and lines. The first call looks them up, which may take half a second.
    pub fn reading(&self) -> &Reading {
        self.reading.get_or_init(|| sys::read(&self.addresses))
    }

    /// Whether [`reading`](Self::reading) returns without reading the line tables first.
    pub fn is_quick(&self) -> bool {
        self.reading.get().is_some() || sys::is_quick(&self.addresses)
    }

    /// The stack's functions and lines, if they have been looked up already.
    pub fn known_reading(&self) -> Option<&Reading> {
        self.reading.get()
    }
}

/// The reason why stacks cannot be taken, or `None`; empty before the start.
static OFF: OnceLock<Option<String>> = OnceLock::new();

/// Gets ready to take stacks, once for the process. The first call returns whether it worked, or why not;
/// later calls return `None`.
pub fn start() -> Option<Result<(), &'static str>> {
    let mut is_first = false;
    let off = OFF.get_or_init(|| {
        is_first = true;
        unwanted().or_else(|| sys::prepare().err())
    });
    let started = match off {
        None => Ok(()),
        Some(why) => Err(why.as_str()),
    };
    is_first.then_some(started)
}

/// Prepares the calling thread, so that its stack can be taken. Does nothing if an environment variable turns
/// the crate off.
pub fn prepare_thread() {
    if unwanted().is_none() {
        sys::prepare_thread();
    }
}

/// Takes the stack of a thread of this process, by its number in the system. The thread is interrupted for it,
/// for less than a millisecond.
///
/// # Errors
///
/// [`TakeError`] is the reason why there is no stack. Before [`start`], every call fails.
pub fn take(thread: u32) -> Result<Stack, TakeError> {
    let taken = sys::take(thread)?;
    Ok(Stack {
        at: taken.at,
        addresses: taken.addresses,
        reading: OnceLock::new(),
    })
}

/// Polls a future, and takes a stack wherever it hands out its waker: these are the places in the code at which it
/// waits, if it returns `Pending`. The poll has a waker that passes everything on to `waker`; what the future keeps
/// is a clone of `waker` itself.
///
/// Works on any thread, before [`start`] too, and interrupts no thread. At most 32 stacks are taken, each in some
/// tens of microseconds; none where stacks cannot be taken at all, or where an environment variable turns the crate
/// off.
///
/// What a future has not given its waker to, it does not show. A future that keeps others in an executor of its own,
/// as `FuturesUnordered` does, polls only those that were woken, so the stack ends there.
///
/// ```
/// use std::future::{Future, pending};
/// use std::pin::pin;
/// use std::task::Waker;
///
/// let mut never = pin!(async { pending::<()>().await });
/// let (polled, stacks) = holdup_stack::trace_awaits(Waker::noop(), |context| {
///     never.as_mut().poll(context)
/// });
/// assert!(polled.is_pending());
/// // `pending` gives its waker to nobody, because nothing will ever wake it.
/// assert!(stacks.is_empty());
/// ```
pub fn trace_awaits<R>(waker: &Waker, poll: impl FnOnce(&mut Context<'_>) -> R) -> (R, Vec<Stack>) {
    static IS_UNWANTED: OnceLock<bool> = OnceLock::new();
    if *IS_UNWANTED.get_or_init(|| unwanted().is_some()) {
        return (poll(&mut Context::from_waker(waker)), Vec::new());
    }
    let (polled, taken) = awaits::trace(waker, poll);
    let at = system::now();
    let stack = |addresses| Stack {
        at,
        addresses,
        reading: OnceLock::new(),
    };
    (polled, taken.into_iter().map(stack).collect())
}

/// Releases the line tables if they were not used in the ten seconds before `now`, a time of the monotonic
/// clock.
pub fn rest(now: u64) {
    sys::rest(now);
}

/// The environment variable that turns the crate off, and its value, if there is one.
fn unwanted() -> Option<String> {
    VARIABLES.into_iter().find_map(|variable| {
        let value = std::env::var(variable).ok()?;
        is_no(&value).then(|| format!("{variable} is {value}"))
    })
}

/// Whether the value of a variable turns off what it is about.
fn is_no(value: &str) -> bool {
    ["0", "no", "false"]
        .iter()
        .any(|no| value.eq_ignore_ascii_case(no))
}

/// Whether stacks can be taken: [`start`] was called and succeeded.
pub fn is_on() -> bool {
    OFF.get().is_some_and(Option::is_none)
}

/// Why stacks cannot be taken, if [`start`] was called and failed.
pub fn off() -> Option<&'static str> {
    OFF.get()?.as_deref()
}

/// Serializes tests that read or release the line tables, or that measure memory meanwhile.
#[cfg(test)]
pub(crate) fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_turns_it_off_in_any_usual_way() {
        for value in ["0", "no", "NO", "false", "False"] {
            assert!(is_no(value), "{value}");
        }
        for value in ["", "1", "yes", "true", "00", "off course"] {
            assert!(!is_no(value), "{value}");
        }
    }
}
