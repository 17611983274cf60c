//! Which line holds a worker: its stack, taken while it is held, and read on a thread outside.
//!
//! [`signal`] has the thread note addresses, [`names`](mod@names) finds the functions and lines that
//! they stand for, and [`reading`] the one that matters. Linux with glibc, on `x86_64` and `aarch64`;
//! elsewhere nothing is taken.

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod names;
mod reading;
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[expect(
    unsafe_code,
    reason = "a signal's handler and the unwinder in it; each block says why it is sound"
)]
mod signal;

use std::sync::OnceLock;

use tracing::info;

pub(super) use self::reading::Reading;
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(super) use self::supported::take;
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
pub(super) use self::unsupported::take;

/// The variable that turns it off, by `0`.
const VARIABLE: &str = "HOLDUP_LINES";

/// A stack that was taken.
#[derive(Debug)]
pub(super) struct Stack {
    /// By the clock of [`system::now`](super::system::now).
    pub(super) at: u64,
    addresses: Vec<usize>,
    reading: OnceLock<Reading>,
}

impl Stack {
    /// What it says; found out the first time, which may take a moment.
    pub(super) fn reading(&self) -> &Reading {
        self.reading.get_or_init(|| read(&self.addresses))
    }
}

/// Why it is off, if it was started.
static STARTED: OnceLock<Option<String>> = OnceLock::new();

/// Starts it, once for the process, and says whether it is on; called by a monitor.
pub(super) fn start() {
    STARTED.get_or_init(|| {
        let off = if std::env::var(VARIABLE).is_ok_and(|value| value == "0") {
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

/// Why it is off, if it is.
pub(super) fn off() -> Option<&'static str> {
    STARTED.get()?.as_deref()
}

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
use self::supported::{prepare, read};
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
use self::unsupported::{prepare, read};

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod supported {
    use std::fs;
    use std::sync::OnceLock;

    use tracing::warn;

    use super::super::system;
    use super::reading::{self, Reading};
    use super::signal::{self, Failure};
    use super::{Stack, names};

    /// What libgcc looks up a frame's tables with where it does so without a lock: glibc has it since
    /// 2.35, and a libgcc that refers to it is not loaded without it.
    const LOCK_FREE: &[u8] = b"\0_dl_find_object\0";

    /// Installs the handler and tries it out on the calling thread.
    pub(super) fn prepare() -> Result<(), String> {
        unwinder()?;
        if !signal::install() {
            return Err("the program has a handler for SIGURG".to_owned());
        }
        let stack = take(system::thread_number()).map_err(|_| "the stack cannot be read")?;
        if names::are_stripped(&stack.addresses) {
            return Err("the program is stripped of its symbols".to_owned());
        }
        Ok(())
    }

    /// Whether the unwinder may be called in a signal handler.
    fn unwinder() -> Result<(), String> {
        let maps = fs::read_to_string("/proc/self/maps").map_err(|error| error.to_string())?;
        let path = maps.lines().find_map(|line| {
            let path = line.split_ascii_whitespace().nth(5)?;
            path.contains("/libgcc_s.so").then_some(path)
        });
        let path = path.ok_or("libgcc_s.so, which walks stacks, is not loaded")?;
        let library = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        let lock_free = library
            .windows(LOCK_FREE.len())
            .any(|window| window == LOCK_FREE);
        if lock_free {
            Ok(())
        } else {
            Err(format!(
                "{path} takes a lock to walk a stack (it does not with glibc 2.35 and GCC 12)"
            ))
        }
    }

    /// Takes the stack of a thread of this process.
    pub(in super::super) fn take(thread: Option<u32>) -> Result<Stack, ()> {
        static TOLD: OnceLock<()> = OnceLock::new();
        match signal::note(thread.ok_or(())?) {
            Ok(noted) if !noted.addresses.is_empty() => Ok(Stack {
                at: noted.at,
                addresses: noted.addresses,
                reading: OnceLock::new(),
            }),
            Err(Failure::Taken) => {
                TOLD.get_or_init(|| {
                    warn!(target: "holdup", "lines: off: the program has taken SIGURG");
                });
                Err(())
            }
            Ok(_) | Err(Failure::Gone | Failure::Silent) => Err(()),
        }
    }

    pub(super) fn read(addresses: &[usize]) -> Reading {
        reading::read(&names::of(addresses))
    }
}

#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod unsupported {
    use super::Stack;
    use super::reading::{self, Reading};

    pub(super) fn prepare() -> Result<(), String> {
        Err("it needs Linux with glibc, on x86_64 or aarch64".to_owned())
    }

    pub(in super::super) fn take(_: Option<u32>) -> Result<Stack, ()> {
        Err(())
    }

    pub(super) fn read(_: &[usize]) -> Reading {
        reading::read(&[])
    }
}
