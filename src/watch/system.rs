//! What the operating system knows of a thread: its time on the CPU, and its time in the queue.

/// The calling thread's time on the CPU, in nanoseconds.
#[cfg(any(target_os = "linux", target_os = "macos"))]
#[expect(clippy::unnecessary_wraps, reason = "None on other systems")]
pub(super) fn thread_cpu() -> Option<u64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Some(time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs())
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn thread_cpu() -> Option<u64> {
    None
}

/// The calling thread's number in the system, by which others can ask for its figures.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "None on other systems")]
pub(super) fn thread_number() -> Option<u32> {
    Some(
        rustix::thread::gettid()
            .as_raw_nonzero()
            .get()
            .unsigned_abs(),
    )
}

#[cfg(not(target_os = "linux"))]
pub(super) fn thread_number() -> Option<u32> {
    None
}

/// How long a thread of this process was ready to run but not running, in nanoseconds: the second
/// number of `schedstat` (Linux, Documentation/scheduler/sched-stats.rst).
pub(super) fn run_delay(thread: Option<u32>) -> Option<u64> {
    let path = format!("/proc/self/task/{}/schedstat", thread?);
    let figures = std::fs::read_to_string(path).ok()?;
    figures.split_ascii_whitespace().nth(1)?.parse().ok()
}
