//! The entry point of the crate: the detector that a middleware owns.

mod failing;
mod open;

use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use holdup_model::{HeldUpTimes, Hold, RouteName, Victim, WorkerStatus};
use holdup_record::{Folder, FolderError, Options};

pub use failing::{Failing, MostHeldUp};

use crate::clock::{Clock, Time};
use crate::places;
use crate::settings::LogLevel;
use crate::shared::Shared;
use crate::subscription::Subscription;
use crate::tasks::{self, Task};
use crate::threads::{self, Spawner, ThreadHealth, Threads};
use crate::worker::Worker;
use crate::{settings::Settings, stack, start};

/// The longest that an assertion waits for the collector.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Why a setting cannot be changed.
const SHARED: &str = "the watch has been cloned or is in use: change its settings before that, \
                      as in Watch::new().threshold(…), because they hold for all clones";

/// Detects which request blocks which worker. Cheap to clone; clones share what is recorded.
#[derive(Debug, Clone)]
pub struct Detector(Arc<Shared>);

impl Detector {
    /// A detector that has recorded nothing yet.
    pub fn new() -> Self {
        Self::made_of(Clock::default(), threads::system())
    }

    /// A detector with a test's own clock and threads.
    pub fn with(time: Arc<dyn Time>, spawner: Spawner) -> Self {
        Self::made_of(Clock::of(time), spawner)
    }

    /// A detector whose threads are started by `spawner`.
    pub fn with_spawner(spawner: Spawner) -> Self {
        Self::made_of(Clock::default(), spawner)
    }

    fn made_of(clock: Clock, spawner: Spawner) -> Self {
        Self(Arc::new(Shared::new(clock, Threads::new(spawner))))
    }

    /// # Panics
    ///
    /// If there are clones, because they share the settings.
    fn settings(&mut self) -> &mut Settings {
        &mut Arc::get_mut(&mut self.0).expect(SHARED).settings
    }

    /// Sets the threshold: how long a worker has to be blocked for that to be a hold.
    ///
    /// # Panics
    ///
    /// If the detector was cloned or is in use. The same applies to all other settings.
    pub fn set_threshold(&mut self, threshold: Duration) {
        self.settings().threshold = threshold;
    }

    /// Sets whether recorded paths include the query string.
    ///
    /// # Panics
    ///
    /// As [`set_threshold`](Self::set_threshold).
    pub fn set_record_query(&mut self, record: bool) {
        self.settings().records_query = record;
    }

    /// Sets the level of the log lines about holds; `None` turns the log off.
    ///
    /// # Panics
    ///
    /// As [`set_threshold`](Self::set_threshold).
    pub fn set_log_level(&mut self, level: Option<LogLevel>) {
        self.settings().log = level;
    }

    /// Allows a route, written as `GET /report`, to hold a worker for up to `most`. Returns false if `route`
    /// is not written like this.
    ///
    /// # Panics
    ///
    /// As [`set_threshold`](Self::set_threshold).
    pub fn allow(&mut self, route: &str, most: Duration) -> bool {
        self.settings().allow(route, most)
    }

    /// Calls `callback` with each hold, when it crosses the threshold and when it is over.
    ///
    /// # Panics
    ///
    /// As [`set_threshold`](Self::set_threshold).
    pub fn on_hold(&mut self, callback: impl Fn(&Hold) + Send + Sync + 'static) {
        self.settings().callbacks.push(Arc::new(callback));
    }

    /// Records what is held, waits or is held up into a folder, from the first worker on.
    ///
    /// # Errors
    ///
    /// Returns an error if the folder cannot be recorded into.
    ///
    /// # Panics
    ///
    /// As [`set_threshold`](Self::set_threshold).
    pub fn record(&mut self, options: Options) -> Result<(), FolderError> {
        let shared = Arc::get_mut(&mut self.0).expect(SHARED);
        let folder = shared.folder.get_mut();
        *folder.unwrap_or_else(PoisonError::into_inner) = Some(Folder::open(options)?);
        Ok(())
    }

    /// The calling thread's worker, created if there is none yet. `spawn` has to spawn the tasks that it is
    /// given on the thread's event loop. The first worker starts the collector.
    pub fn worker(&self, spawn: impl Fn(Task)) -> Rc<Worker> {
        let worker = places::current(&self.0);
        start::start(&self.0);
        tasks::spawn(&worker, spawn);
        worker
    }

    /// The calling thread's worker number, assigned at the first call.
    pub fn worker_number(&self) -> usize {
        places::number(&self.0)
    }

    /// The last thousand holds that are over, the oldest first.
    pub fn holds(&self) -> Vec<Hold> {
        let holds = self.0.holds().into_iter();
        holds.map(|recorded| recorded.hold).collect()
    }

    /// The ongoing holds.
    pub fn held_now(&self) -> Vec<Hold> {
        self.0.held_now()
    }

    /// All live workers, ordered by number.
    pub fn workers(&self) -> Vec<WorkerStatus> {
        self.0.worker_statuses()
    }

    /// Who lost how much time to whom, the most first: of the requests that are over. Those that ended a moment ago
    /// may be missing.
    pub fn victims(&self) -> Vec<Victim> {
        self.0.losses.victims()
    }

    /// How long requests were held up that are over, by route, with those that lost nothing. Those that ended a moment
    /// ago may be missing.
    pub fn held_up_times(&self) -> Vec<HeldUpTimes> {
        self.0.held_up_times()
    }

    /// Whether a worker has had a request of this route.
    pub fn has_seen(&self, route: &RouteName) -> bool {
        self.0.workers.have_seen(&route.method, &route.route)
    }

    /// The time since the detector was created. The times of holds and events are counted from then, too.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// The least duration of a hold.
    pub fn threshold(&self) -> Duration {
        self.0.settings.threshold
    }

    /// How many lanes were recorded so far.
    pub fn lanes(&self) -> u64 {
        self.0.lanes.opened()
    }

    /// All calls and polls so far.
    pub fn polls(&self) -> u64 {
        self.0.workers.polls()
    }

    /// Subscribes to all events from now on.
    pub fn subscribe(&self) -> Subscription {
        self.0.subscribe()
    }

    /// Waits until everything that has happened so far is published, logged, counted and in the record, for at most
    /// `at_most`. Returns whether it is. A hold that lasts is told as far as it goes.
    pub fn flush(&self, at_most: Duration) -> bool {
        let deadline = Instant::now().checked_add(at_most);
        let waits_for = |is_done: &dyn Fn() -> bool| {
            while !is_done() {
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return false;
                }
                nap();
            }
            true
        };
        places::close_own(&self.0);
        if self.0.collector.get().is_none() {
            // Nothing is told. If no worker has begun, there is nothing to tell, either.
            return self.0.workers.alive().is_empty();
        }
        let flush = self.0.flushes.ask();
        let is_published = || {
            self.0.wake_collector();
            flush.is_published()
        };
        waits_for(&is_published)
            && waits_for(&|| flush.is_recorded())
            && waits_for(&|| flush.is_handled())
    }

    /// The states of the detector's threads; none before the first worker.
    pub fn health(&self) -> Vec<ThreadHealth> {
        self.0.threads.health()
    }

    /// Why the code's lines and functions are not known, although the feature `stacks` is enabled; `None` if they
    /// are. If it is because of the signal, it is so for holds only.
    pub fn why_no_lines(&self) -> Option<&'static str> {
        stack::why_off()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an assertion that is about to fail, or a thread that is no worker"
)]
fn nap() {
    thread::sleep(Duration::from_millis(1));
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
