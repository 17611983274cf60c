//! The clock, and the CPU and run-queue times of threads, from the system or from a test's replacement.

use std::fmt::Debug;
use std::sync::Arc;

use crate::system;

/// A source of time that replaces the system's, so that a test controls the clock. All times are nanoseconds
/// from one origin.
pub trait Time: Debug + Send + Sync {
    /// The current time.
    fn now(&self) -> u64;

    /// The time of the clock's last tick, for a coarse clock that is cheaper to read. By default, the current
    /// time.
    fn last_tick(&self) -> u64 {
        self.now()
    }

    /// The latest possible time of an event for which [`last_tick`](Self::last_tick) returned `tick`.
    fn at_the_latest(&self, tick: u64) -> u64 {
        tick
    }

    /// The calling thread's CPU time; `None` where it is not known.
    fn thread_cpu(&self) -> Option<u64> {
        None
    }

    /// How long a thread of this process was ready to run but not running; `None` where that is not known.
    fn run_delay(&self, thread: Option<u32>) -> Option<u64> {
        let _ = thread;
        None
    }

    /// The CPU time of a thread of this process; `None` where it is not known. The collector asks for it in each look
    /// at a worker, just before it asks for [`run_delay`](Self::run_delay).
    fn cpu_of(&self, thread: Option<u32>) -> Option<u64> {
        let _ = thread;
        None
    }
}

/// The clock of a detector. Without a replacement it calls the system's clock directly, because it is read
/// twice in each poll.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(Option<Arc<dyn Time>>);

impl Clock {
    pub(crate) fn of(time: Arc<dyn Time>) -> Self {
        Self(Some(time))
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.as_ref().map_or_else(system::now, |time| time.now())
    }

    #[inline]
    pub(crate) fn last_tick(&self) -> u64 {
        match &self.0 {
            None => system::last_tick(),
            Some(time) => time.last_tick(),
        }
    }

    pub(crate) fn at_the_latest(&self, tick: u64) -> u64 {
        match &self.0 {
            None => system::at_the_latest(tick),
            Some(time) => time.at_the_latest(tick),
        }
    }

    pub(crate) fn thread_cpu(&self) -> Option<u64> {
        match &self.0 {
            None => system::thread_cpu(),
            Some(time) => time.thread_cpu(),
        }
    }

    pub(crate) fn run_delay(&self, thread: Option<u32>) -> Option<u64> {
        match &self.0 {
            None => system::thread_times(thread).map(|times| times.run_delay),
            Some(time) => time.run_delay(thread),
        }
    }

    /// The CPU time of a thread of this process and its run-queue time, as far as they are known.
    pub(crate) fn times_of(&self, thread: Option<u32>) -> (Option<u64>, Option<u64>) {
        match &self.0 {
            None => match system::thread_times(thread) {
                Some(times) => (Some(times.cpu), Some(times.run_delay)),
                None => (None, None),
            },
            Some(time) => (time.cpu_of(thread), time.run_delay(thread)),
        }
    }
}
