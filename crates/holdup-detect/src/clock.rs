//! The time, and what threads spent of it: the system's, or a test's own.

use std::fmt::Debug;
use std::sync::Arc;

use crate::system;

/// A source of time that stands in for the system's, so that a test decides when what happens. All times
/// are nanoseconds from one origin.
pub trait Time: Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> u64;

    /// The time at the clock's last tick, where a coarse clock is cheaper to read.
    fn last_tick(&self) -> u64 {
        self.now()
    }

    /// When what happened while the last tick was `tick` happened at the latest.
    fn at_the_latest(&self, tick: u64) -> u64 {
        tick
    }

    /// The calling thread's time on the CPU; `None` where that is not known.
    fn thread_cpu(&self) -> Option<u64> {
        None
    }

    /// How long a thread of this process was ready to run but not running; `None` where that is not known.
    fn run_delay(&self, thread: Option<u32>) -> Option<u64> {
        let _ = thread;
        None
    }
}

/// The clock of a detector. Without a source of its own it is the system's, by direct calls: it is read
/// twice for each poll.
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
            None => system::run_delay(thread),
            Some(time) => time.run_delay(thread),
        }
    }
}
