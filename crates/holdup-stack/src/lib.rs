//! Which line holds a worker: its stack, taken while it is held, and read on a thread outside.
//!
//! `signal` has the thread note addresses, `names` finds the functions and lines that
//! they stand for, `naming` what these are called, and [`reading`] the one that matters.

mod frame;
mod function;
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "elsewhere.rs"]
mod here;
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[path = "glibc/mod.rs"]
mod here;
mod known;
mod naming;
mod reading;
mod system;

use std::sync::OnceLock;

use tracing::info;

use self::here::{is_quick, prepare, read};
pub use self::here::{rest, take};
pub use self::naming::HANDLER;
pub use self::reading::{Place, Reading};

/// The variable that turns it off, by `0`.
const VARIABLE: &str = "HOLDUP_LINES";

/// A stack that was taken.
#[derive(Debug)]
pub struct Stack {
    /// When it was taken: nanoseconds of the monotonic clock.
    pub at: u64,
    addresses: Vec<usize>,
    reading: OnceLock<Reading>,
}

impl Stack {
    /// What it says; found out the first time, which may take a moment.
    pub fn reading(&self) -> &Reading {
        self.reading.get_or_init(|| read(&self.addresses))
    }

    /// Whether [`reading`](Self::reading) takes no longer than a moment.
    pub fn is_quick(&self) -> bool {
        self.reading.get().is_some() || is_quick(&self.addresses)
    }

    /// What it says, if it has been found out already.
    pub fn known_reading(&self) -> Option<&Reading> {
        self.reading.get()
    }
}

/// Why it is off, or nothing; empty before the start.
static OFF: OnceLock<Option<String>> = OnceLock::new();

/// Starts it, once for the process, and says whether it is on. Called by a monitor.
pub fn start() {
    OFF.get_or_init(|| {
        let off = if is_unwanted() {
            Some(format!("{VARIABLE} is 0"))
        } else {
            prepare().err()
        };
        match &off {
            None => info!(target: "holdup", "lines: on"),
            Some(why) => info!(target: "holdup", "lines: off: {why}"),
        }
        off
    });
}

/// Makes the calling thread one whose stack can be taken, if it is on. Called by a worker.
pub fn prepare_thread() {
    if !is_unwanted() {
        self::here::prepare_thread();
    }
}

fn is_unwanted() -> bool {
    std::env::var(VARIABLE).is_ok_and(|value| value == "0")
}

/// Why it is off, if it is.
pub fn off() -> Option<&'static str> {
    OFF.get()?.as_deref()
}

/// Tests that read or let go of the line tables, or look at the memory meanwhile, take turns.
#[cfg(test)]
pub(crate) fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
