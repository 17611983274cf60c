//! Figures of the operating system: the time, and a thread's CPU and run-queue times.

/// Nanoseconds of the monotonic clock.
#[cfg(target_os = "linux")]
pub(crate) fn now() -> u64 {
    nanoseconds(rustix::time::clock_gettime(
        rustix::time::ClockId::Monotonic,
    ))
}

/// The time of the same clock at its last tick, which is at most 1 to 10 ms ago. Reading it costs a third of
/// [`now`], which matters because it is read four times per request.
#[cfg(target_os = "linux")]
#[inline]
pub(crate) fn last_tick() -> u64 {
    nanoseconds(rustix::time::clock_gettime(
        rustix::time::ClockId::MonotonicCoarse,
    ))
}

/// The latest possible time of an event for which [`last_tick`] returned `tick`.
#[cfg(target_os = "linux")]
pub(crate) fn at_the_latest(tick: u64) -> u64 {
    use std::sync::OnceLock;
    static TICK: OnceLock<u64> = OnceLock::new();
    let resolution = || rustix::time::clock_getres(rustix::time::ClockId::MonotonicCoarse);
    tick + TICK.get_or_init(|| nanoseconds(resolution()))
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn nanoseconds(time: rustix::time::Timespec) -> u64 {
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn now() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(ORIGIN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(not(target_os = "linux"))]
const TICK: u64 = 4_000_000;

#[cfg(not(target_os = "linux"))]
pub(crate) fn last_tick() -> u64 {
    now() / TICK * TICK
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn at_the_latest(tick: u64) -> u64 {
    tick + TICK
}

/// The calling thread's CPU time, in nanoseconds.
#[cfg(any(target_os = "linux", target_os = "macos"))]
#[expect(clippy::unnecessary_wraps, reason = "None on other systems")]
pub(crate) fn thread_cpu() -> Option<u64> {
    Some(nanoseconds(rustix::time::clock_gettime(
        rustix::time::ClockId::ThreadCPUTime,
    )))
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) fn thread_cpu() -> Option<u64> {
    None
}

/// The calling thread's number in the system, with which other threads can read its figures.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "None on other systems")]
pub(crate) fn thread_number() -> Option<u32> {
    Some(
        rustix::thread::gettid()
            .as_raw_nonzero()
            .get()
            .unsigned_abs(),
    )
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn thread_number() -> Option<u32> {
    None
}

/// How long the calling thread was ready to run but not running, since it began. `None` where the system does not say.
pub fn waited_for_cpu() -> Option<std::time::Duration> {
    let times = thread_times(thread_number())?;
    Some(std::time::Duration::from_nanos(times.run_delay))
}

/// What the system's scheduler knows of a thread, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThreadTimes {
    /// How long it ran, as of the last tick of the clock or an earlier one.
    pub(crate) cpu: u64,
    /// How long it was ready to run but not running.
    pub(crate) run_delay: u64,
}

/// The times of a thread of this process: the first two numbers of `schedstat` (Linux,
/// Documentation/scheduler/sched-stats.rst).
pub(crate) fn thread_times(thread: Option<u32>) -> Option<ThreadTimes> {
    let path = format!("/proc/self/task/{}/schedstat", thread?);
    let figures = std::fs::read_to_string(path).ok()?;
    let mut figures = figures.split_ascii_whitespace().map(str::parse);
    Some(ThreadTimes {
        cpu: figures.next()?.ok()?,
        run_delay: figures.next()?.ok()?,
    })
}
