//! The calling thread's stack, from a call up to one of its callers.

use super::walk::DEPTH;

/// The addresses of the functions that led from the caller of `inner` to `outer`, both without themselves, the
/// innermost first. `inner` is the address of a local variable in the function that asks, and `outer` the address
/// of one in a function further out on the same stack.
pub(crate) fn between(inner: usize, outer: usize) -> Vec<usize> {
    let (mut addresses, mut is_asker) = (Vec::new(), true);
    let each = |frame: &backtrace::Frame| {
        // Where the frame begins: above all of its variables, and below those of its caller.
        let begins = frame.sp().addr();
        if begins <= inner {
            return true;
        }
        if begins > outer || addresses.len() == DEPTH {
            return false;
        }
        if !std::mem::take(&mut is_asker) {
            addresses.push(frame.ip().addr());
        }
        true
    };
    // SAFETY: the function is unsafe because it takes no lock, which the debugger's library on Windows needs. This
    // file is compiled only for Linux, where it calls `_Unwind_Backtrace`. That function walks the calling
    // thread's own stack, writes to it alone, and may run on several threads at a time; a panic uses the same
    // tables in the same way. It does not need the lock that `backtrace::trace` takes, for which a worker would
    // have to wait while another thread reads line tables. Before glibc 2.35, it waits while another thread loads a
    // library.
    unsafe {
        backtrace::trace_unsynchronized(each);
    }
    addresses
}
