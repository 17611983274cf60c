//! The app's handle to the watch: the middleware itself, its settings, and what it recorded.

use std::fmt::Write;
use std::time::Duration;

use holdup_detect::{
    Detector, Failing, LogLevel, RecordError, RecordOptions, Subscription, ThreadHealth,
};
use holdup_model::{HeldUpTimes, Hold, OpenRequest, Victim, Wait, WorkerStatus};

/// The shortest threshold.
const LEAST_THRESHOLD: Duration = Duration::from_millis(10);

/// Middleware that records which route holds which worker. See the [crate] for how to use it.
///
/// Cheap to clone; clones share what they record and their settings. So settings come first, chained to
/// [`new`](Self::new):
///
/// ```
/// use std::time::Duration;
/// use holdup_watch::{LogLevel, Watch};
///
/// let watch = Watch::new()
///     .threshold(Duration::from_millis(250))
///     .allow("GET /report", Duration::from_secs(1))
///     .log_level(Some(LogLevel::Info))
///     .on_hold(|hold| eprintln!("{hold}"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Watch(Detector);

impl Watch {
    /// A watch with a threshold of 100 ms ([`THRESHOLD`](crate::THRESHOLD)) that has recorded nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn detector(&self) -> &Detector {
        &self.0
    }

    /// Sets how long a worker has to be blocked for a hold.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let watch = holdup_watch::Watch::new().threshold(Duration::from_millis(250));
    /// ```
    ///
    /// # Panics
    ///
    /// When it is under 10 ms: ordinary delays of the machine's scheduler would be reported. And when the
    /// watch was cloned, as settings hold for all clones: change them first.
    #[must_use]
    pub fn threshold(mut self, threshold: Duration) -> Self {
        assert!(
            threshold >= LEAST_THRESHOLD,
            "threshold is {threshold:?}; allowed: at least {LEAST_THRESHOLD:?}"
        );
        self.0.set_threshold(threshold);
        self
    }

    /// Sets whether [`Event::Opened`](crate::Event::Opened) has paths with their query. Off by default:
    /// queries may contain secrets.
    ///
    /// # Panics
    ///
    /// When the watch was cloned, as settings hold for all clones: change them first.
    #[must_use]
    pub fn record_query(mut self, record: bool) -> Self {
        self.0.set_record_query(record);
        self
    }

    /// Sets how severe the log's lines about holds are: warnings by default. `None` turns the log off.
    ///
    /// # Panics
    ///
    /// When the watch was cloned, as settings hold for all clones: change them first.
    #[must_use]
    pub fn log_level(mut self, level: Option<LogLevel>) -> Self {
        self.0.set_log_level(level);
        self
    }

    /// Allows a route, written as its method and pattern, to hold a worker for up to `most`.
    ///
    /// A hold is allowed when each of its culprits is of a route with an allowance, within that, and what
    /// else happened in it is under the threshold. Then it is not logged, and
    /// [`assert_no_holds`](Self::assert_no_holds) does not fail. It is still a hold: in
    /// [`holds`](Self::holds), in the metrics, and published to subscriptions and
    /// [`on_hold`](Self::on_hold).
    ///
    /// ```
    /// # use std::time::Duration;
    /// let watch = holdup_watch::Watch::new().allow("GET /users/{id}", Duration::from_millis(200));
    /// ```
    ///
    /// # Panics
    ///
    /// When `route` is not a method and a pattern with a space between. And when the watch was cloned, as
    /// settings hold for all clones: change them first.
    #[must_use]
    pub fn allow(mut self, route: &str, most: Duration) -> Self {
        assert!(
            self.0.allow(route, most),
            "the route is {route:?}; allowed: a method and a pattern, such as \"GET /users/{{id}}\""
        );
        self
    }

    /// Calls `callback` with each hold when it crosses the threshold ([`Hold::ongoing`] is true) and when it
    /// is over, on a thread of its own. One that is over before it was sampled comes once; so does one that, measured
    /// to its end, did not reach the threshold.
    ///
    /// A callback that takes long delays other callbacks only; beyond a thousand holds that wait for it,
    /// further ones are not passed on. When it panics, it is called again with the next hold, and
    /// [`health`](Self::health) counts it.
    ///
    /// # Panics
    ///
    /// When the watch was cloned, as settings hold for all clones: change them first.
    #[must_use]
    pub fn on_hold(mut self, callback: impl Fn(&Hold) + Send + Sync + 'static) -> Self {
        self.0.on_hold(callback);
        self
    }

    /// Records holds, waits and held-up requests in this folder, so that the evidence is there when somebody looks
    /// for it: every hold with its lines, the requests that caused it and those that it held up, slow requests, where
    /// requests wait, and the workers' load. `holdup replay FOLDER` shows it on the console's page, as it was.
    ///
    /// The files take 64 MiB at most ([`RecordOptions::bytes`](crate::RecordOptions::bytes) sets another bound); then
    /// the oldest is deleted. Lines are written at least once a second, so that what is recorded is there even if the
    /// process is killed. Only the owner can read the files: they have paths, without their queries unless
    /// [`record_query`](Self::record_query) includes them.
    ///
    /// A thread of its own writes, and no worker waits for it. If the disk is full, lines are lost: that is logged, and
    /// the record itself says so when it can be written again.
    ///
    /// ```no_run
    /// use holdup_watch::{RecordOptions, Watch};
    ///
    /// # fn main() -> Result<(), holdup_watch::RecordError> {
    /// let watch = Watch::new().record("/var/lib/shop/holdup")?;
    /// // Or, with a bound of 16 MiB:
    /// let watch = Watch::new().record(RecordOptions::new("/var/lib/shop/holdup").bytes(16 << 20))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error when the folder does not exist, cannot be written or has no room, and when another process
    /// records into it.
    ///
    /// # Panics
    ///
    /// When the watch was cloned, as settings hold for all clones: change them first.
    pub fn record(mut self, into: impl Into<RecordOptions>) -> Result<Self, RecordError> {
        self.0.record(into.into())?;
        Ok(self)
    }

    /// The last thousand holds that are over, oldest first. A hold has its
    /// [lines](Hold::lines) as soon as they are looked up, which may be a moment later: this
    /// call does not wait for that, so a worker may make it.
    pub fn holds(&self) -> Vec<Hold> {
        self.0.holds()
    }

    /// The workers that are held at this moment. Works from any thread, also from a worker.
    pub fn held_now(&self) -> Vec<Hold> {
        self.0.held_now()
    }

    /// All open requests, the oldest first, each with what it does: its worker runs it, it is ready and its worker
    /// has not come to it, or it waits, and where. Works from any thread, also while workers are held.
    ///
    /// Requests that wait are asked where: their tasks are woken, the oldest first and at most 256 in a second, and
    /// each is polled once with a waker that takes a stack wherever the request hands it out. This call waits for
    /// the answers: usually a few milliseconds, up to a tenth of a second if there are hundreds of requests, and at
    /// most half a second. It waits for no worker that is held. What a held worker cannot answer is left out. The
    /// first call may also wait up to two seconds until the line tables are read, and then asks once more, because many
    /// requests have gone on meanwhile. On a worker's own thread, the call waits for nothing: ask twice, or use
    /// [`testing::look`] in a test.
    ///
    /// A future polls what it waits for, unless it keeps others in an executor of its own: with `FuturesUnordered`
    /// the stack ends there, and a task that the handler has spawned and awaits is shown as its `JoinHandle`.
    ///
    /// Where requests wait is known with the feature `stacks`. Without it, a request has its state and its age;
    /// [`why_no_lines`](Self::why_no_lines) tells what else may be the reason.
    ///
    /// [`testing::look`]: crate::testing::look
    pub fn requests(&self) -> Vec<OpenRequest> {
        self.0.requests()
    }

    /// Where open requests wait that have waited for at least `min_age`: each place in the code with how many wait
    /// there, the longest wait, and the routes. See [`requests`](Self::requests) for how that is found out.
    pub fn waits(&self, min_age: Duration) -> Vec<Wait> {
        let requests = self.requests();
        holdup_model::waits(&requests, self.elapsed(), min_age)
    }

    /// Who lost how much time to whom, the most first: requests of one route that were ready to run, or whose worker
    /// was in a hold, while it was busy with another. Requests that are still open, or have ended in the last few
    /// milliseconds, are not counted. At most 1024 pairs of routes are told apart.
    ///
    /// See [the crate](crate#who-made-whom-wait) for what counts.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use actix_web::test::{TestRequest, call_service, init_service};
    /// use actix_web::{App, rt::time, web};
    /// use futures_util::join;
    /// use holdup_watch::Watch;
    ///
    /// async fn blocking() -> &'static str {
    ///     std::thread::sleep(Duration::from_millis(150));
    ///     "done"
    /// }
    ///
    /// async fn coroutine() -> &'static str {
    ///     time::sleep(Duration::from_millis(10)).await;
    ///     "done"
    /// }
    ///
    /// # #[actix_web::main]
    /// # async fn main() {
    /// let watch = Watch::new();
    /// let app = App::new()
    ///     .route("/blocking", web::get().to(blocking))
    ///     .route("/coroutine", web::get().to(coroutine))
    ///     .wrap(watch.clone());
    /// let app = init_service(app).await;
    /// let request = |path| TestRequest::with_uri(path).to_request();
    /// join!(
    ///     call_service(&app, request("/coroutine")),
    ///     call_service(&app, request("/blocking")),
    /// );
    /// // The sums are complete a moment later: the collector comes every 25 ms.
    /// while watch.victims().is_empty() {
    ///     time::sleep(Duration::from_millis(5)).await;
    /// }
    /// let victim = &watch.victims()[0];
    /// // 1 request of GET /coroutine was held up by GET /blocking for 150 ms
    /// println!("{victim}");
    /// assert_eq!(victim.route.to_string(), "GET /coroutine");
    /// assert_eq!(victim.by.as_ref().unwrap().to_string(), "GET /blocking");
    /// # }
    /// ```
    pub fn victims(&self) -> Vec<Victim> {
        self.0.victims()
    }

    /// How long the requests of each route were held up, of those that are over; requests that lost nothing are in it,
    /// so that a quantile is one of all requests. Those that ended in the last few milliseconds may be missing. The
    /// routes are in alphabetical order, and at most 1024 of those that lost time are told apart.
    ///
    /// ```
    /// # let watch = holdup_watch::Watch::new();
    /// for times in watch.held_up_times() {
    ///     println!("{}: 99 % lost at most {:?}", times.route, times.quantile(0.99));
    /// }
    /// ```
    pub fn held_up_times(&self) -> Vec<HeldUpTimes> {
        self.0.held_up_times()
    }

    /// Why the code's lines and functions are not known: for one, because the program is stripped of its symbols, or
    /// built without the feature `stacks`. `None` if they are, and before the first worker has started.
    ///
    /// If the program has a handler of its own for the signal SIGURG, only holds have no lines: where requests wait
    /// is found out without a signal.
    ///
    /// ```
    /// let watch = holdup_watch::Watch::new();
    /// if let Some(why) = watch.why_no_lines() {
    ///     eprintln!("The lines are not known: {why}.");
    /// }
    /// ```
    pub fn why_no_lines(&self) -> Option<&'static str> {
        if cfg!(feature = "stacks") {
            self.0.why_no_lines()
        } else {
            Some("the app is built without the feature `stacks` of holdup-watch")
        }
    }

    /// All live workers, ordered by number.
    pub fn workers(&self) -> Vec<WorkerStatus> {
        self.0.workers()
    }

    /// The time since the watch was made: the clock of its holds and events.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// The least duration of a hold.
    pub fn least_hold(&self) -> Duration {
        self.0.threshold()
    }

    /// How many lanes were recorded so far.
    pub fn lanes(&self) -> u64 {
        self.0.lanes()
    }

    /// All calls and polls that were watched so far.
    pub fn polls(&self) -> u64 {
        self.0.polls()
    }

    /// Everything that is published from now on: requests, their chunks and ends, holds. The first events are
    /// a [`Held`](crate::Event::Held) for each hold that lasts already. Lanes are recorded only while a
    /// subscription exists.
    pub fn subscribe(&self) -> Subscription {
        self.0.subscribe()
    }

    /// Waits until everything that has happened so far is published, logged, counted in the metrics and written into the
    /// [record](Self::record), for at most `at_most`. Returns whether all of it is.
    ///
    /// The watch tells what happened on threads of its own, a moment later. Call this at the end of `main`, after the
    /// server has stopped: otherwise the end of the last hold, and of the requests that it held up, may be missing. A
    /// hold that still lasts is told as far as it goes. The calling thread is blocked meanwhile, usually for a few
    /// milliseconds. A callback of [`on_hold`](Self::on_hold) would wait for itself, so do not call this there.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use actix_web::{App, HttpServer};
    /// # use holdup_watch::Watch;
    /// #[actix_web::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let watch = Watch::new();
    ///     let in_app = watch.clone();
    ///     let server = HttpServer::new(move || App::new().wrap(in_app.clone()));
    ///     server.bind("127.0.0.1:8080")?.run().await?;
    ///     watch.flush(Duration::from_millis(500));
    ///     Ok(())
    /// }
    /// ```
    pub fn flush(&self, at_most: Duration) -> bool {
        self.0.flush(at_most)
    }

    /// The states of the watch's own threads, by name: one that watches, one that writes the log, and so on.
    /// Empty before the first worker starts.
    ///
    /// A thread that panics, as a log may make it, is started again. If the system cannot start a thread, the
    /// app is still served.
    ///
    /// ```
    /// let watch = holdup_watch::Watch::new();
    /// // …
    /// let is_healthy = watch.health().iter().all(|thread| thread.is_ok());
    /// ```
    pub fn health(&self) -> Vec<ThreadHealth> {
        self.0.health()
    }

    /// The calling thread's number as a worker of this watch, the same as in [`Hold::worker`]; for
    /// an app's factory, which runs on its worker. A thread has one from the first time it asks.
    pub fn worker(&self) -> usize {
        self.0.worker_number()
    }

    /// Fails a test when a worker was held. The message names the culprits and what to do.
    ///
    /// Time in which the machine may have run something else, or nothing, is taken off first, so that a busy
    /// machine or a process that was stopped fails no test. On Linux it is known; elsewhere it is guessed from
    /// how late the watch's own thread was.
    ///
    /// In the actix test harness, where the app runs on the test's own thread, two things count: one request
    /// that takes the threshold, and whatever else takes it while a request waits for something, such as a
    /// spawned task or an actor that its handler awaits. Requests that follow each other, and
    /// work while none waits, are the test's own and do not count. Work outside of requests is measured from
    /// the next sample of the watch's thread on, so a quarter of the threshold may be missing from it (at most
    /// 25 ms; more on a busy machine).
    ///
    /// # Panics
    ///
    /// When there was a hold that is not [allowed](Self::allow), and when no poll was recorded, which means
    /// that the watch does not wrap the app under test.
    #[track_caller]
    pub fn assert_no_holds(&self) {
        let polls = self.polls();
        assert!(
            polls > 0,
            "assert_no_holds: the watch observed no request, so it cannot show that nothing blocks. Wrap \
             the app in it (App::new().wrap(watch.clone())), and send a request before this."
        );
        let failing = self.0.failing();
        assert!(
            failing.holds.is_empty(),
            "{}",
            self.message(&failing, polls)
        );
    }

    fn message(&self, failing: &Failing, polls: u64) -> String {
        let Failing { holds, own_worker } = failing;
        let mut message = format!(
            "assert_no_holds: a worker was blocked for {:?} or more; holds: {}, polls: {polls}\n",
            self.least_hold(),
            holds.len()
        );
        for hold in holds {
            writeln!(message, "  {hold}").ok();
            for function in &hold.stack {
                writeln!(message, "    {function}").ok();
            }
        }
        let outside = |hold: &Hold| *own_worker == Some(hold.worker) && hold.culprits.is_empty();
        if holds.iter().any(outside) {
            message.push_str(
                "  What is outside the watched requests is a spawned task, an actor, or the test itself \
                 while a request waited.\n",
            );
        }
        // Whoever has not enabled the feature `stacks` expects no lines.
        if let Some(why) = self.0.why_no_lines() {
            writeln!(message, "  The lines are not known: {why}.").ok();
        }
        message.push_str(
            "Await an async equivalent of the blocking call, or move it off the worker \
             with actix_web::web::block.",
        );
        message
    }
}

/// For a detector with settings or threads of its own.
impl From<Detector> for Watch {
    fn from(detector: Detector) -> Self {
        Self(detector)
    }
}
