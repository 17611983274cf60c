//! What a thread has to have before its stack is walked: a stack for the signal's handler, so that a
//! thread whose own is nearly full can be interrupted, and where its own stack is.
//!
//! The kernel puts up to eleven kilobytes on a stack before a handler runs, as many as the processor's
//! registers have, and ends the program when they do not fit. So a look in the handler comes too late.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

/// A handler's stack. The one that Rust gives its threads, for stack overflows, has 8 KiB.
const SIZE: usize = 64 * 1024;

/// A walk takes some kilobytes; with less than this left it is not begun.
const LEAST: usize = 16 * 1024;

/// Where the calling thread may be walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// The thread's own stack: its first address, and the one behind its last.
    own: (usize, usize),
    /// The one for handlers.
    handlers: (usize, usize),
}

thread_local! {
    /// Read in the handler: it is there from the thread's start and never dropped, so to read it takes
    /// no lock and allocates nothing.
    static ROOM: Cell<Option<Room>> = const { Cell::new(None) };
    /// Drops the stack at the thread's end.
    static MAPPING: Cell<Option<Mapping>> = const { Cell::new(None) };
}

/// Makes room on the calling thread, once. Without it the thread's stack is not walked.
pub(super) fn prepare() {
    if ROOM.get().is_none()
        && let Some(own) = own_stack()
        && let Some(handlers) = handlers_stack()
    {
        ROOM.set(Some(Room { own, handlers }));
    }
}

impl Room {
    /// The calling thread's, when what is left of the stack that it is on is enough to walk.
    /// For a signal's handler.
    pub(super) fn enough() -> Option<Self> {
        let room = ROOM.get()?;
        let here = (&raw const room).addr();
        // Somebody may have given the thread another stack for handlers since.
        let stacks = [room.handlers, room.own];
        let on = stacks.into_iter().find(|on| (on.0..on.1).contains(&here))?;
        (here - on.0 >= LEAST).then_some(room)
    }

    /// The addresses of the thread's own stack.
    pub(super) fn own(&self) -> Range<usize> {
        self.own.0..self.own.1
    }
}

/// Where the calling thread's stack is, as it was made. Reads a file, for the process's first thread.
fn own_stack() -> Option<(usize, usize)> {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: of the calling thread, which is there; the attributes have room for what is written.
    let failed = unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) };
    if failed != 0 {
        return None;
    }
    let (mut start, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the attributes were initialized by the call above, as it did not fail, and are not used
    // after they are destroyed.
    let failed = unsafe {
        let failed =
            libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut start, &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        failed
    };
    let start = start.addr();
    (failed == 0).then_some((start, start.checked_add(size)?))
}

/// The calling thread's stack for handlers, a larger one than it has if that is small.
fn handlers_stack() -> Option<(usize, usize)> {
    let before = current()?;
    if before.ss_flags & libc::SS_ONSTACK != 0 {
        return None;
    }
    if before.ss_flags & libc::SS_DISABLE == 0 && before.ss_size >= SIZE {
        let start = before.ss_sp.addr();
        return Some((start, start + before.ss_size));
    }
    let mapping = Mapping::new()?;
    let stack = libc::stack_t {
        ss_sp: mapping.stack(),
        ss_flags: 0,
        ss_size: SIZE,
    };
    // SAFETY: the stack is mapped and nobody else's, and stays so until `Mapping::drop`, which takes it
    // away from the thread first. The one before belongs to its maker, who does not need it to be in use.
    if unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) } != 0 {
        return None;
    }
    let start = stack.ss_sp.addr();
    MAPPING.set(Some(mapping));
    Some((start, start + SIZE))
}

/// The calling thread's stack for handlers.
fn current() -> Option<libc::stack_t> {
    let mut stack = MaybeUninit::<libc::stack_t>::zeroed();
    // SAFETY: nothing is changed, and there is room for what is; all zeros is a value of it.
    unsafe {
        let failed = libc::sigaltstack(ptr::null(), stack.as_mut_ptr());
        (failed == 0).then_some(stack.assume_init())
    }
}

/// A stack, and under it a page that cannot be written.
#[derive(Debug)]
struct Mapping {
    start: *mut c_void,
    guard: usize,
}

impl Mapping {
    fn new() -> Option<Self> {
        // SAFETY: it takes nothing and only tells.
        let guard = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        let size = guard + SIZE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a new mapping, where the kernel finds room for it.
        let start = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        let mapping = Self { start, guard };
        // SAFETY: the first page of the mapping, which nobody has a reference into.
        let guarded = unsafe { libc::mprotect(start, guard, libc::PROT_NONE) };
        (guarded == 0).then_some(mapping)
    }

    fn stack(&self) -> *mut c_void {
        self.start.wrapping_byte_add(self.guard)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // First for the handler, which looks there.
        ROOM.set(None);
        if current().is_some_and(|current| current.ss_sp == self.stack()) {
            let none = libc::stack_t {
                ss_sp: ptr::null_mut(),
                ss_flags: libc::SS_DISABLE,
                ss_size: SIZE,
            };
            // SAFETY: the thread has no stack for handlers after that, as at its start. It is not on it:
            // a handler has returned before a destructor runs.
            unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) };
        }
        // SAFETY: it was mapped as long, by `new`, and no thread has it any more.
        unsafe { libc::munmap(self.start, self.guard + SIZE) };
    }
}
