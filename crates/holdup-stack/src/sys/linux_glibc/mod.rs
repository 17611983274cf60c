//! Takes and reads stacks on Linux with glibc, on the processors whose registers it knows. musl loads
//! no unwind tables for its functions, so the way out of one that waits cannot be found.

#[expect(
    unsafe_code,
    reason = "the calling thread's stack is walked; the block says why it is sound"
)]
mod awaits;
#[expect(
    unsafe_code,
    reason = "a running thread's stack is copied; the block says why it is sound"
)]
mod copy;
mod inlined;
mod names;
mod processor;
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
mod source;
mod symbols;
#[expect(
    unsafe_code,
    reason = "the loader tells where tables are; each block says why it is sound"
)]
mod tables;
mod walk;

pub(crate) use self::awaits::between;
pub(crate) use self::names::rest;
use self::signal::Failure;
use crate::reading::{self, Reading};
use crate::system;
use crate::taken::{TakeError, Taken};

/// Prepares the calling thread, so that its stack can be taken.
pub(crate) fn prepare_thread() {
    room::prepare();
}

/// Installs the handler and tries it out on the calling thread.
pub(crate) fn prepare() -> Result<(), String> {
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

/// Takes the stack of a thread of this process.
pub(crate) fn take(thread: u32) -> Result<Taken, TakeError> {
    let taken = signal::ask(thread, |copy, at| {
        let memory = copy.memory()?;
        let addresses = walk::walk(copy.registers(), memory, &tables::find);
        Some(Taken { at, addresses })
    });
    match taken {
        Ok(taken) => taken.ok_or(TakeError::Empty),
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
