//! Where a future waits: the stacks at which it hands out its waker.
//!
//! A future that returns `Pending` has given its waker to what it waits for. Here a future is polled with a waker
//! that takes a stack each time it is cloned.

use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, RawWaker, RawWakerVTable, Waker};
use std::thread::{self, ThreadId};

use crate::sys;

/// The most stacks that one poll takes. Each costs some tens of microseconds, and a future may wait for thousands
/// of others.
pub(crate) const MOST_STACKS: usize = 32;

/// What the waker's data points to. It lives on the stack of [`trace`].
struct Trace<'a> {
    waker: &'a Waker,
    thread: ThreadId,
    /// The addresses of each stack.
    taken: Mutex<Vec<Vec<usize>>>,
}

/// Polls with a waker that passes everything on to `waker`, and takes a stack whenever it is cloned. Returns what
/// `poll` returns, and the addresses of the stacks, each from the caller of the clone up to `poll`.
pub(crate) fn trace<R>(
    waker: &Waker,
    poll: impl FnOnce(&mut Context<'_>) -> R,
) -> (R, Vec<Vec<usize>>) {
    let trace = Trace {
        waker,
        thread: thread::current().id(),
        taken: Mutex::default(),
    };
    let polled = {
        // SAFETY: the functions of the table keep the contract of `RawWaker`. They only read `trace`, which is
        // `Sync`, so they may be called from any thread. `trace` outlives the waker: this function owns the only
        // waker with this table, because a clone has the table of `waker`, and lends it to `poll` for the time of
        // the call. `poll` cannot keep it, because it has to accept a context of any lifetime.
        let waker = unsafe { Waker::new(shared(&trace), &TABLE) };
        run(poll, &mut Context::from_waker(&waker))
    };
    let taken = trace.taken.into_inner();
    (polled, taken.unwrap_or_else(PoisonError::into_inner))
}

/// The address of what any thread may read.
fn shared<T: Sync>(value: &T) -> *const () {
    ptr::from_ref(value).cast()
}

/// Has a frame of its own, so that what is inlined into it is on the stacks.
#[inline(never)]
fn run<R>(poll: impl FnOnce(&mut Context<'_>) -> R, context: &mut Context<'_>) -> R {
    poll(context)
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop);

/// # Safety
///
/// `data` points to a [`Trace`].
unsafe fn of<'a>(data: *const ()) -> &'a Trace<'a> {
    // SAFETY: as the caller promises. The reference is used only within the waker's functions, which are called
    // while the waker exists, and the trace outlives it.
    unsafe { &*data.cast() }
}

/// Takes a stack, and returns a clone of the waker behind. So whoever keeps it does not keep the trace.
///
/// # Safety
///
/// As [`of`].
#[inline(never)]
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: as the caller promises.
    let trace = unsafe { of(data) };
    let here = 0_u8;
    // Another thread may have borrowed the waker. Its stack does not lead to the poll.
    if trace.thread == thread::current().id()
        && let Ok(mut taken) = trace.taken.try_lock()
        && taken.len() < MOST_STACKS
    {
        let inner = ptr::from_ref(&here).addr();
        taken.push(sys::between(inner, data.addr()));
    }
    // The clone is handed over to the caller with its own table, which drops it.
    let clone = ManuallyDrop::new(trace.waker.clone());
    RawWaker::new(clone.data(), clone.vtable())
}

/// The waker is never woken by value, because nobody but `trace` owns it. If it were, nothing is owned that would
/// have to be dropped.
///
/// # Safety
///
/// As [`of`].
unsafe fn wake(data: *const ()) {
    // SAFETY: as the caller promises.
    unsafe { of(data) }.waker.wake_by_ref();
}

/// There is nothing to drop: `trace` owns what the waker points to.
fn drop(_: *const ()) {}

#[cfg(test)]
mod tests;
