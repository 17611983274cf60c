//! The entry point of the crate: the detector that a middleware owns.

use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use holdup_model::{HeldUpTimes, Hold, OpenRequest, RouteName, Spent, Victim, WorkerStatus};
use holdup_record::{Folder, FolderError, Options};

use crate::clock::{Clock, Time};
use crate::places;
use crate::record::Recorded;
use crate::settings::LogLevel;
use crate::shared::Shared;
use crate::stack::StackSample;
use crate::subscription::Subscription;
use crate::tasks::{self, Task};
use crate::threads::{self, Spawner, ThreadHealth, Threads};
use crate::worker::Worker;
use crate::{settings::Settings, stack, start};

/// The longest that an assertion waits for the collector.
const CATCH_UP: Duration = Duration::from_secs(5);

/// The longest that a look waits for answers, in all and after the latest one.
const LONGEST_LOOK: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_millis(100);

/// The longest that an assertion waits for a request to end that is open.
const ENDS: Duration = Duration::from_secs(1);

/// The longest that a look waits for names.
const NAMES: Duration = Duration::from_secs(2);

/// Why a setting cannot be changed.
const SHARED: &str = "the watch has been cloned or is in use: change its settings before that, \
                      as in Watch::new().threshold(…), because they hold for all clones";

/// Detects which request blocks which worker. Cheap to clone; clones share what is recorded.
#[derive(Debug, Clone)]
pub struct Detector(Arc<Shared>);

/// The holds on which a test fails.
#[derive(Debug)]
pub struct Failing {
    /// The holds, as [`Detector::failing`] selects them.
    pub holds: Vec<Hold>,
    /// The calling thread's worker number, if it is a worker itself, as in a test harness.
    pub own_worker: Option<usize>,
}

/// The request of a route that was held up most.
#[derive(Debug)]
pub struct MostHeldUp {
    /// For how long the app held it up: without the time in which the machine may have run something else.
    pub certain: Duration,
    /// For how long it was held up.
    pub held_up: Duration,
    /// By whom, if the request is over. Its running and its waiting time are left at zero.
    pub by: Option<Spent>,
}

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

    /// All open requests, the oldest first, each with what it does. Works from any thread, also while workers are
    /// held.
    ///
    /// Requests that wait are asked where: their tasks are woken, at most 256 in any second, and the call waits for
    /// their answers, at most half a second, and for the names of functions that are not known yet, at most two
    /// seconds. It waits for no worker that is held, and not at all on a worker's own thread. A request that does not
    /// answer within a tenth of a second, because a middleware around it does not poll it, is not waited for again.
    pub fn requests(&self) -> Vec<OpenRequest> {
        let own = places::worker(&self.0);
        let mut answers = Patience::new();
        let look = self.0.look(true, own);
        while own.is_none() && answers.waits_for(self.0.unanswered(&look, own)) {
            nap();
        }
        let mut names = Names::new(&self.0);
        while names.are_missing() && own.is_none() && names.started.elapsed() < NAMES {
            nap();
        }
        self.0.open_requests()
    }

    /// As [`requests`](Self::requests), for a test on the worker's own thread: asks all requests, and lets the event
    /// loop run until they have answered.
    pub async fn look(&self) -> Vec<OpenRequest> {
        let own = places::worker(&self.0);
        let started = Instant::now();
        loop {
            let look = self.0.look(false, own);
            let mut answers = Patience::new();
            while answers.waits_for(self.0.unanswered(&look, own)) {
                tokio::task::yield_now().await;
            }
            if !look.is_partial || started.elapsed() >= CATCH_UP {
                break;
            }
        }
        let mut names = Names::new(&self.0);
        while names.are_missing() && names.started.elapsed() < CATCH_UP {
            tokio::task::yield_now().await;
        }
        self.0.open_requests()
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

    /// The request of a route that was held up most; `None` if none was held up. A request that is still open and was
    /// held up for longer than `at_most` is waited for, up to a second, unless the caller's own thread serves it.
    pub fn most_held_up(&self, route: &RouteName, at_most: Duration) -> Option<MostHeldUp> {
        let own = places::worker(&self.0);
        let open = || {
            let requests = self.0.open_requests().into_iter();
            let same = requests.filter(|request| request.route_name() == *route);
            let judged = same.map(|request| (self.0.certain(&request), request));
            judged.max_by_key(|(certain, _)| *certain)
        };
        let is_too_long = |(certain, _): &(Duration, OpenRequest)| *certain > at_most;
        let deadline = Instant::now() + ENDS;
        let is_waited_for = |most: (Duration, OpenRequest)| {
            is_too_long(&most) && own != Some(most.1.worker) && Instant::now() < deadline
        };
        while open().is_some_and(is_waited_for) {
            nap();
        }
        let mut most = open();
        if most.as_ref().is_some_and(is_too_long) {
            let now = self.0.clock.now();
            self.catch_up(|| self.0.oversleeps.are_known(now));
            most = open();
        }
        let open = most.map(|(certain, request)| MostHeldUp {
            certain,
            held_up: request.held_up,
            by: None,
        });
        self.drain_losses();
        let over = self.0.losses.longest(route).map(|(certain, by)| {
            let spent = Spent::new(Duration::ZERO, Duration::ZERO, by);
            MostHeldUp {
                certain,
                held_up: spent.held_up,
                by: Some(spent),
            }
        });
        let most = over.into_iter().chain(open);
        most.max_by_key(|most| most.certain)
            .filter(|most| !most.held_up.is_zero())
    }

    /// Waits until the losses of all requests that are over are in the sums, up to [`CATCH_UP`].
    fn drain_losses(&self) {
        let deadline = Instant::now() + CATCH_UP;
        while !self.0.losses.are_drained() && Instant::now() < deadline {
            if self.0.collector.get().is_some() {
                self.0.wake_collector();
                nap();
            } else {
                self.0.losses.drain(|loss| self.0.blamed(loss), |_, _| ());
            }
        }
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

    /// The states of the detector's threads; none before the first worker.
    pub fn health(&self) -> Vec<ThreadHealth> {
        self.0.threads.health()
    }

    /// The holds on which a test fails. These are the holds that are not allowed and that reach the threshold
    /// even without the time in which the machine may have run something else. Waits up to 5 s until they are
    /// complete.
    pub fn failing(&self) -> Failing {
        let own_worker = places::close_own(&self.0);
        let threshold = self.threshold();
        let fails = |recorded: &Recorded| {
            let busy = if own_worker == Some(recorded.hold.worker) {
                recorded.longest_alone()
            } else {
                recorded.hold.duration
            };
            busy.saturating_sub(recorded.lost.unwrap_or_default()) >= threshold
                && !self.0.settings.allows(&recorded.hold)
        };
        let failing = || {
            let holds = self.0.holds_including_open().into_iter();
            let failing = holds.filter(fails).map(|recorded| recorded.hold);
            failing.collect::<Vec<_>>()
        };
        let mut holds = failing();
        if !holds.is_empty() {
            let now = self.0.clock.now();
            let is_complete = || self.0.oversleeps.are_known(now) && self.0.memory.is_complete();
            self.catch_up(is_complete);
            holds = failing();
        }
        Failing { holds, own_worker }
    }

    /// Why the code's lines and functions are not known, although the feature `stacks` is enabled; `None` if they
    /// are. If it is because of the signal, it is so for holds only.
    pub fn why_no_lines(&self) -> Option<&'static str> {
        stack::why_off()
    }

    /// Waits until the collector has done something, up to [`CATCH_UP`].
    fn catch_up(&self, is_done: impl Fn() -> bool) {
        let deadline = Instant::now() + CATCH_UP;
        while self.0.collector.get().is_some() && !is_done() && Instant::now() < deadline {
            self.0.wake_collector();
            nap();
        }
    }
}

/// How long a look waits for answers: for as long as there are some, and not forever.
struct Patience {
    started: Instant,
    /// The fewest that were missing so far, and since when.
    missing: usize,
    since: Instant,
}

impl Patience {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            missing: usize::MAX,
            since: now,
        }
    }

    /// Whether it is worth waiting for so many answers.
    fn waits_for(&mut self, missing: usize) -> bool {
        let now = Instant::now();
        if missing < self.missing {
            (self.missing, self.since) = (missing, now);
        }
        missing > 0 && now - self.since < PATIENCE && now - self.started < LONGEST_LOOK
    }
}

/// Has the names of stacks looked up.
struct Names<'a> {
    shared: &'a Shared,
    started: Instant,
    /// Those that are being looked up.
    sent: Vec<Arc<StackSample>>,
}

impl<'a> Names<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            started: Instant::now(),
            sent: Vec::new(),
        }
    }

    /// Whether names are missing and will be known soon. Tells the thread that looks them up what it has not been
    /// told yet.
    fn are_missing(&mut self) -> bool {
        let unnamed = self.shared.unnamed();
        for stack in &unnamed {
            if self.sent.iter().any(|sent| Arc::ptr_eq(sent, stack)) {
                continue;
            }
            if !self.shared.send_to_be_named(stack) {
                return false;
            }
            self.sent.push(Arc::clone(stack));
        }
        !unnamed.is_empty()
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
