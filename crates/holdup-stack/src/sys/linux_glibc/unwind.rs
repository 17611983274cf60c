//! Walks the calling thread's stack from within a signal's handler, by libgcc's unwinder.

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use std::sync::atomic::{AtomicUsize, Ordering};

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

/// The unwinder's own code, from its first address to the one after its last; empty before [`find_own_code`].
static OWN_CODE: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

/// Finds where the unwinder's own code is. Returns false if the loader does not tell.
pub(super) fn find_own_code() -> bool {
    extern "C" fn look(info: *mut libc::dl_phdr_info, _: usize, found: *mut c_void) -> c_int {
        let address = _Unwind_Backtrace as *const () as usize;
        // SAFETY: the loader hands over a description that is valid until this returns, with that many
        // headers, and what was given to `dl_iterate_phdr` below.
        let (info, found) = unsafe { (&*info, &mut *found.cast::<bool>()) };
        for index in 0..usize::from(info.dlpi_phnum) {
            // SAFETY: as above.
            let header = unsafe { &*info.dlpi_phdr.add(index) };
            let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
            let end = start.wrapping_add(header.p_memsz as usize);
            if header.p_type == libc::PT_LOAD && (start..end).contains(&address) {
                OWN_CODE[0].store(start, Ordering::Relaxed);
                OWN_CODE[1].store(end, Ordering::Relaxed);
                *found = true;
            }
        }
        c_int::from(*found)
    }
    let mut found = false;
    // SAFETY: `look` has the signature that the loader calls, and `found` lives until after the call.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut found).cast()) };
    found
}

/// Whether an instruction is the unwinder's own. Its last instructions before it goes on in another frame have
/// tables that are wrong, so a thread that is interrupted there cannot be walked.
fn is_own(instruction: usize) -> bool {
    let [start, end] = [0, 1].map(|index: usize| OWN_CODE[index].load(Ordering::Relaxed));
    (start..end).contains(&instruction)
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
    if is_own(interrupted) {
        return;
    }
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
