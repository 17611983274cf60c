//! What a thread needs before its stack can be copied: the bounds of its own stack, and a separate stack for
//! the signal handler, so that it can be interrupted even if its own stack is nearly full.
//!
//! Before a handler runs, the kernel writes the processor's registers to the stack, up to eleven kilobytes,
//! and ends the program if they do not fit. So a check in the handler would come too late.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

/// The size of a handler's stack. The one that Rust gives its threads, for stack overflows, has 8 KiB, which
/// the registers alone may need.
const SIZE: usize = 32 * 1024;

/// A copy needs less than two kilobytes; it is not started with less than this left.
const LEAST: usize = 4 * 1024;

thread_local! {
    /// The thread's own stack, from its first address to the one after its last, without its guard. The handler
    /// reads this. It exists from the thread's start and is never dropped, so reading it takes no lock and
    /// allocates nothing.
    static OWN: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
    /// Drops the stack at the thread's end.
    static MAPPING: Cell<Option<Mapping>> = const { Cell::new(None) };
}

/// Makes room on the calling thread, once. The stack of a thread without it is not copied.
pub(super) fn prepare() {
    if OWN.get().is_none()
        && let Some(own) = own_stack()
        && has_handlers_stack()
    {
        OWN.set(Some(own));
    }
}

/// The addresses of the calling thread's own stack, if enough is left of the current stack for a copy. The
/// signal handler calls this, with the thread's stack for handlers, which somebody may have replaced.
pub(super) fn enough(handlers: &libc::stack_t) -> Option<Range<usize>> {
    let own = OWN.get()?;
    let here = (&raw const own).addr();
    let start = handlers.ss_sp.addr();
    let handlers = (start, start.saturating_add(handlers.ss_size));
    let on = [handlers, own];
    let on = on.into_iter().find(|on| (on.0..on.1).contains(&here))?;
    (here - on.0 >= LEAST).then_some(own.0..own.1)
}

/// The bounds of the calling thread's original stack. For the process's first thread, this reads a file. Before
/// glibc 2.27, the bounds of other threads include the guard, so as much is always left out.
fn own_stack() -> Option<(usize, usize)> {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: the calling thread exists, and the attributes have room for what is written.
    let failed = unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) };
    if failed != 0 {
        return None;
    }
    let (mut start, mut size, mut guard) = (ptr::null_mut(), 0, 0);
    // SAFETY: the attributes were initialized by the call above, as it did not fail, and are not used
    // after they are destroyed.
    let failed = unsafe {
        let attributes = attributes.as_mut_ptr();
        let failed = libc::pthread_attr_getstack(attributes, &raw mut start, &raw mut size)
            | libc::pthread_attr_getguardsize(attributes, &raw mut guard);
        libc::pthread_attr_destroy(attributes);
        failed
    };
    let start = start.addr();
    (failed == 0).then_some((start.checked_add(guard)?, start.checked_add(size)?))
}

/// Makes sure that the calling thread has a stack for signal handlers that is large enough.
fn has_handlers_stack() -> bool {
    let Some(before) = current() else {
        return false;
    };
    if before.ss_flags & libc::SS_ONSTACK != 0 {
        return false;
    }
    if before.ss_flags & libc::SS_DISABLE == 0 && before.ss_size >= SIZE {
        return true;
    }
    let Some(mapping) = Mapping::new() else {
        return false;
    };
    let stack = libc::stack_t {
        ss_sp: mapping.stack(),
        ss_flags: 0,
        ss_size: SIZE,
    };
    // SAFETY: the stack is mapped and used by nothing else until `Mapping::drop`, which takes it away from
    // the thread first. The previous stack belongs to the code that made it, which does not require it to be
    // in use.
    let is_set = unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) } == 0;
    if is_set {
        MAPPING.set(Some(mapping));
    }
    is_set
}

/// The calling thread's current stack for signal handlers.
fn current() -> Option<libc::stack_t> {
    let mut stack = MaybeUninit::<libc::stack_t>::zeroed();
    // SAFETY: the call changes nothing, and `stack_t` has room for the result; all zeros is a valid value of
    // it.
    unsafe {
        let failed = libc::sigaltstack(ptr::null(), stack.as_mut_ptr());
        (failed == 0).then_some(stack.assume_init())
    }
}

/// A stack with a guard page below it.
#[derive(Debug)]
struct Mapping {
    start: *mut c_void,
    guard: usize,
}

impl Mapping {
    fn new() -> Option<Self> {
        // SAFETY: the call takes no pointers and only returns a number.
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
        // SAFETY: this is the first page of the mapping, and there is no reference into it.
        let guarded = unsafe { libc::mprotect(start, guard, libc::PROT_NONE) };
        (guarded == 0).then_some(mapping)
    }

    fn stack(&self) -> *mut c_void {
        self.start.wrapping_byte_add(self.guard)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // This comes first, because the handler reads it.
        OWN.set(None);
        if current().is_some_and(|current| current.ss_sp == self.stack()) {
            let none = libc::stack_t {
                ss_sp: ptr::null_mut(),
                ss_flags: libc::SS_DISABLE,
                ss_size: SIZE,
            };
            // SAFETY: after the call the thread has no stack for handlers, as at its start. The thread is not
            // running on that stack, because a handler has returned before a destructor runs.
            unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) };
        }
        // SAFETY: `new` mapped it with this length, and no thread uses it any more.
        unsafe { libc::munmap(self.start, self.guard + SIZE) };
    }
}
