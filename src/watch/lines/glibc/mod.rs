//! Where stacks can be taken and read: Linux with glibc, on processors whose interrupted instruction it
//! knows how to find.

mod names;
#[expect(
    unsafe_code,
    reason = "a signal's handler and the unwinder in it; each block says why it is sound"
)]
mod signal;
mod symbols;

use std::fs;
use std::sync::OnceLock;

use tracing::warn;

pub(in crate::watch) use self::names::rest;
use self::signal::Failure;
use super::Stack;
use super::reading::{self, Reading};
use crate::watch::system;

/// What libgcc looks up a frame's tables with where it does so without a lock: glibc has it since
/// 2.35, and a libgcc that refers to it is not loaded without it.
const LOCK_FREE: &[u8] = b"\0_dl_find_object\0";

/// Installs the handler and tries it out on the calling thread.
pub(super) fn prepare() -> Result<(), String> {
    unwinder()?;
    if !signal::install() {
        return Err("the program has a handler for SIGURG".to_owned());
    }
    let stack = take(system::thread_number()).map_err(|()| "the stack cannot be read")?;
    // Looking up a name reads all of the line tables, so that waits for the first hold. Only where
    // there are no symbols it may be that they are in a file of their own.
    if !symbols::exist().unwrap_or(true) && names::are_stripped(&stack.addresses) {
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
pub(in crate::watch) fn take(thread: Option<u32>) -> Result<Stack, ()> {
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

#[cfg(test)]
mod tests;
