//! The open requests, and where they wait: for that, they are asked.

use std::time::{Duration, Instant};

use holdup_model::OpenRequest;

use super::{CATCH_UP, Detector, nap};
use crate::naming::Naming;
use crate::places;

/// The longest that a look waits for answers, in all and after the latest one.
const LONGEST_LOOK: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_millis(100);

/// The longest that a look waits for names.
const NAMES: Duration = Duration::from_secs(2);

impl Detector {
    /// All open requests, the oldest first, each with what it does. Works from any thread, also while workers are
    /// held.
    ///
    /// Requests that wait are asked where: their tasks are woken, at most 256 in any second, and the call waits for
    /// their answers, at most half a second, and for the names of functions that are not known yet, at most two
    /// seconds. It waits for no worker that is held, and not at all on a worker's own thread. A request that does not
    /// answer within a tenth of a second, because a middleware around it does not poll it, is not waited for again.
    pub fn requests(&self) -> Vec<OpenRequest> {
        let own = places::worker(&self.0);
        self.ask(own);
        let (mut names, started) = (Naming::default(), Instant::now());
        while names.are_missing(&self.0) && own.is_none() && started.elapsed() < NAMES {
            nap();
        }
        if names.were_missing() {
            // Many requests have gone on meanwhile, and wait elsewhere.
            self.ask(own);
        }
        self.0.open_requests()
    }

    /// Asks requests where they wait, and waits for their answers. `own` is the worker of the calling thread.
    fn ask(&self, own: Option<usize>) {
        let mut answers = Patience::new();
        let look = self.0.look(true, own);
        while own.is_none() && answers.waits_for(self.0.unanswered(&look, own)) {
            nap();
        }
    }

    /// As [`requests`](Self::requests), for a test on the worker's own thread: asks all requests, and lets the event
    /// loop run until they have answered.
    pub async fn look(&self) -> Vec<OpenRequest> {
        self.ask_all().await;
        let (mut names, started) = (Naming::default(), Instant::now());
        while names.are_missing(&self.0) && started.elapsed() < CATCH_UP {
            tokio::task::yield_now().await;
        }
        if names.were_missing() {
            // Many requests have gone on meanwhile, and wait elsewhere.
            self.ask_all().await;
        }
        self.0.open_requests()
    }

    /// Asks all requests where they wait, and waits for their answers.
    async fn ask_all(&self) {
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
