//! Takes and reads stacks on Linux with glibc, on the processors for which it can find the interrupted
//! instruction.

mod names;
#[expect(
    unsafe_code,
    reason = "a handler's stack is the system's to give; each block says why it is sound"
)]
mod room;
#[expect(
    unsafe_code,
    reason = "a signal's handler; each block says why it is sound"
)]
mod signal;
mod symbols;
#[expect(
    unsafe_code,
    reason = "the unwinder is a C library's; each block says why it is sound"
)]
mod unwind;

use std::fs;
use std::path::Path;

pub(crate) use self::names::rest;
use self::signal::Failure;
use crate::reading::{self, Reading};
use crate::system;
use crate::taken::{TakeError, Taken};

/// The name of the function by which libgcc looks up a frame's tables without a lock. glibc has it since
/// 2.35, and a libgcc that refers to it cannot be loaded without it.
const LOCK_FREE: &[u8] = b"\0_dl_find_object\0";

/// Prepares the calling thread, so that its stack can be taken.
pub(crate) fn prepare_thread() {
    room::prepare();
}

/// Installs the handler and tries it out on the calling thread.
pub(crate) fn prepare() -> Result<(), String> {
    unwinder()?;
    room::prepare();
    if !signal::install() {
        return Err("the program has a handler for SIGURG".to_owned());
    }
    let stack = take(system::thread_number()).map_err(|error| error.to_string())?;
    // Looking up a name reads all of the line tables, so it is left to the first hold. Only a program without
    // symbols is looked up here, because its symbols may be in a separate file.
    if !symbols::exist().unwrap_or(true) && names::are_stripped(&stack.addresses) {
        return Err("the program is stripped of its symbols".to_owned());
    }
    Ok(())
}

/// Whether the unwinder that the program calls may be called in a signal handler.
fn unwinder() -> Result<(), String> {
    for file in unwind::files() {
        let file = file.ok_or("the library that walks stacks cannot be found")?;
        takes_no_lock(&file)?;
    }
    if !unwind::find_own_code() {
        return Err("the library that walks stacks cannot be found".to_owned());
    }
    Ok(())
}

fn takes_no_lock(library: &Path) -> Result<(), String> {
    let path = library.display();
    let name = library.file_name().unwrap_or_default();
    if !name.as_encoded_bytes().starts_with(b"libgcc_s.so") {
        return Err(format!(
            "{path} walks stacks, and may take a lock for it; libgcc_s.so does not"
        ));
    }
    let code = fs::read(library).map_err(|error| format!("{path}: {error}"))?;
    if code
        .windows(LOCK_FREE.len())
        .any(|window| window == LOCK_FREE)
    {
        Ok(())
    } else {
        Err(format!(
            "{path} takes a lock to walk a stack (it does not with glibc 2.35 and GCC 12)"
        ))
    }
}

/// Takes the stack of a thread of this process.
pub(crate) fn take(thread: u32) -> Result<Taken, TakeError> {
    match signal::note(thread) {
        Ok(noted) if noted.addresses.is_empty() => Err(TakeError::Empty),
        Ok(noted) => Ok(Taken {
            at: noted.at,
            addresses: noted.addresses,
        }),
        Err(Failure::Gone) => Err(TakeError::Gone),
        Err(Failure::Silent) => Err(TakeError::Silent),
        Err(Failure::Taken) => Err(TakeError::SignalTaken),
    }
}

pub(crate) fn read(addresses: &[usize]) -> Reading {
    reading::read(&names::of(addresses))
}

/// Whether the frames can be looked up without reading the line tables first.
pub(crate) fn is_quick(addresses: &[usize]) -> bool {
    names::are_at_hand(addresses)
}

#[cfg(test)]
#[expect(
    unsafe_code,
    reason = "functions with wrong tables are called, and stacks are set"
)]
mod tests;
