//! The clock that says when a stack was taken, and the number of the calling thread.

/// Nanoseconds of the monotonic clock (`CLOCK_MONOTONIC`). Safe in a signal handler.
pub(crate) fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// The calling thread's number in the system.
pub(crate) fn thread_number() -> u32 {
    rustix::thread::gettid()
        .as_raw_nonzero()
        .get()
        .unsigned_abs()
}
