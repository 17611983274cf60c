//! Walks the calling thread's stack from within a signal's handler, by libgcc's unwinder.

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::room::Room;

/// The most frames of the handler itself, which are walked before those that count.
const OWN: usize = 16;

/// `_URC_NO_REASON`: the walk goes on; anything else ends it.
const GO_ON: c_int = 0;
const END: c_int = 5;

type Step = extern "C" fn(context: *mut c_void, walk: *mut c_void) -> c_int;

// As in unwind.h. The standard library links it.
unsafe extern "C" {
    fn _Unwind_Backtrace(step: Step, walk: *mut c_void) -> c_int;
    fn _Unwind_GetIPInfo(context: *mut c_void, is_before: *mut c_int) -> usize;
    fn _Unwind_GetCFA(context: *mut c_void) -> usize;
}

/// The files that have the functions which this program calls to walk a stack; `None` where the loader
/// does not tell.
pub(super) fn files() -> [Option<PathBuf>; 3] {
    [
        _Unwind_Backtrace as *const (),
        _Unwind_GetIPInfo as *const (),
        _Unwind_GetCFA as *const (),
    ]
    .map(|function| file_of(function.cast()))
}

fn file_of(address: *const c_void) -> Option<PathBuf> {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: there is room for what is told, and all zeros is a value of it. The name that it points to
    // stays as long as the file is loaded, which has code that is linked to this.
    unsafe {
        if libc::dladdr(address, info.as_mut_ptr()) == 0 {
            return None;
        }
        let name = info.assume_init().dli_fname;
        let name = (!name.is_null()).then(|| CStr::from_ptr(name))?;
        Some(OsStr::from_bytes(name.to_bytes()).into())
    }
}

/// A walk under way.
struct Walk<'a> {
    interrupted: usize,
    own: Range<usize>,
    /// The frames of the handler so far.
    before: usize,
    found: bool,
    /// How far out the walk has come.
    outermost: usize,
    left: usize,
    note: &'a mut dyn FnMut(usize),
}

/// Notes the addresses of the calling thread's stack, from the interrupted instruction outwards, each a
/// byte behind an instruction of its frame; at most so many. None, where there is no room to walk.
///
/// For a signal's handler: `note` has to be fit for one as well.
pub(super) fn walk(interrupted: usize, most: usize, note: &mut dyn FnMut(usize)) {
    let Some(room) = Room::enough() else {
        return;
    };
    let mut walk = Walk {
        interrupted,
        own: room.own(),
        before: 0,
        found: false,
        outermost: 0,
        left: most,
        note,
    };
    // SAFETY: `step` has the signature of unwind.h, and what is handed to it is a `Walk` that lives until
    // after the call and that nobody else has meanwhile. It is safe in a signal's handler when looking up
    // a frame's tables takes no lock and allocates nothing. libgcc does it by glibc's `_dl_find_object`,
    // which is documented as async-signal-safe and which `super::prepare` found in the very file that has
    // this function. What is done once, such as binding symbols, was done there too, on the monitor
    // itself. Before that libgcc looks among tables registered at run time, without a lock as long as
    // there are none. The room for it was looked at above. The tables describe every instruction of
    // compiled Rust and C on these processors. Where assembly describes itself wrongly, libgcc reads the
    // next return address from wherever that leads, before `step` can look: this it cannot be safe from;
    // the watch's docs say so. `step` goes no further from there.
    unsafe { _Unwind_Backtrace(step, (&raw mut walk).cast()) };
}

/// One frame of the stack. It calls nothing but the unwinder and `note`, and indexes nothing, so it does
/// not panic.
extern "C" fn step(context: *mut c_void, walk: *mut c_void) -> c_int {
    // SAFETY: `walk` hands over a Walk, and has no other reference to it while the unwinder runs.
    let walk = unsafe { &mut *walk.cast::<Walk<'_>>() };
    let mut is_before = 0;
    // SAFETY: the context is the unwinder's own, valid until this returns.
    let (address, frame) = unsafe {
        (
            _Unwind_GetIPInfo(context, &raw mut is_before),
            _Unwind_GetCFA(context),
        )
    };
    if !walk.found {
        walk.found = address == walk.interrupted;
        if !walk.found {
            walk.before += 1;
            return if walk.before < OWN { GO_ON } else { END };
        }
    }
    // Each frame is further out than the one that it called. Where tables are wrong, the next one is
    // not, or is not on the stack at all.
    if walk.left == 0 || frame < walk.outermost || !walk.own.contains(&frame) {
        return END;
    }
    (walk.outermost, walk.left) = (frame, walk.left - 1);
    // Of what a signal interrupted it is the instruction that was next, of the others that to which they
    // return: a byte behind the one that called.
    let is_next = is_before != 0;
    (walk.note)(address.wrapping_add(usize::from(is_next)));
    GO_ON
}
