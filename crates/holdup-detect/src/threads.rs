//! Starts the threads of a watch, restarts them after a panic, and reports their states.

use std::fmt;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

/// The pause before a restart, so that a thread that panics each time does not occupy a core.
const PAUSE_AFTER_PANIC: Duration = Duration::from_millis(100);

/// The names of the threads, as the system shows them. It cuts names off after 15 bytes.
pub(crate) const COLLECTOR: &str = "holdup-watch";
pub(crate) const LOG: &str = "holdup-log";
pub(crate) const METRICS: &str = "holdup-metrics";
pub(crate) const CALLBACKS: &str = "holdup-on-hold";
pub(crate) const RECORD: &str = "holdup-record";
pub(crate) const SYMBOLS: &str = "holdup-symbols";

/// The state of one of a watch's threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThreadState {
    /// The thread runs.
    Running,
    /// The thread panicked and was restarted. The item it was working on is lost.
    Restarted {
        /// How many times it was restarted.
        times: u64,
    },
    /// The thread has ended, and its work is not done any more.
    Ended,
    /// The system had no room for one more thread.
    NotStarted,
}

impl fmt::Display for ThreadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Restarted { times: 1 } => f.write_str("running, restarted once after a panic"),
            Self::Restarted { times } => {
                write!(f, "running, restarted {times} times after a panic")
            }
            Self::Ended => f.write_str("ended"),
            Self::NotStarted => f.write_str("not started: the system had no room for a thread"),
        }
    }
}

/// One of a watch's threads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThreadHealth {
    /// Its name, as the system shows it.
    pub name: &'static str,
    /// Its state.
    pub state: ThreadState,
}

impl ThreadHealth {
    /// Whether the thread runs.
    pub fn is_ok(&self) -> bool {
        matches!(
            self.state,
            ThreadState::Running | ThreadState::Restarted { .. }
        )
    }
}

/// Starts a thread with the given name.
pub type Spawner =
    Arc<dyn Fn(&'static str, Box<dyn FnOnce() + Send>) -> io::Result<Thread> + Send + Sync>;

/// The system's threads.
pub(crate) fn system() -> Spawner {
    Arc::new(|name, run| {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(thread.thread().clone())
    })
}

pub(crate) struct Threads {
    spawner: Spawner,
    all: Mutex<Vec<Arc<Status>>>,
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.health()).finish()
    }
}

#[derive(Debug)]
struct Status {
    name: &'static str,
    runs: AtomicBool,
    was_started: AtomicBool,
    restarts: AtomicU64,
}

impl Status {
    fn state(&self) -> ThreadState {
        let restarts = self.restarts.load(Ordering::Relaxed);
        if self.runs.load(Ordering::Relaxed) {
            match restarts {
                0 => ThreadState::Running,
                times => ThreadState::Restarted { times },
            }
        } else if self.was_started.load(Ordering::Relaxed) {
            ThreadState::Ended
        } else {
            ThreadState::NotStarted
        }
    }
}

impl Threads {
    pub(crate) fn new(spawner: Spawner) -> Self {
        Self {
            spawner,
            all: Mutex::default(),
        }
    }

    /// Starts a thread that runs `body` until it returns, and runs it again whenever it panics. The argument
    /// of `body` is whether this is such a restart.
    pub(crate) fn start(
        &self,
        name: &'static str,
        mut body: impl FnMut(bool) + Send + 'static,
    ) -> io::Result<Thread> {
        let status = self.status(name);
        let own = Arc::clone(&status);
        let run = move || {
            // Dropped even if a panic is not caught below, so that the state is always set.
            let ended = Ended(own);
            let status = &ended.0;
            loop {
                let again = status.restarts.load(Ordering::Relaxed) > 0;
                match catch_unwind(AssertUnwindSafe(|| body(again))) {
                    Ok(()) => break,
                    // Dropping the panic's payload may panic, too.
                    Err(payload) => mem::forget(payload),
                }
                status.restarts.fetch_add(1, Ordering::Relaxed);
                thread::park_timeout(PAUSE_AFTER_PANIC);
            }
        };
        status.runs.store(true, Ordering::Relaxed);
        status.was_started.store(true, Ordering::Relaxed);
        let started = (self.spawner)(name, Box::new(run));
        if started.is_err() {
            status.runs.store(false, Ordering::Relaxed);
            status.was_started.store(false, Ordering::Relaxed);
        }
        started
    }

    /// The state of each thread; none before the first worker.
    pub(crate) fn health(&self) -> Vec<ThreadHealth> {
        let health = |status: &Arc<Status>| ThreadHealth {
            name: status.name,
            state: status.state(),
        };
        self.lock().iter().map(health).collect()
    }

    fn status(&self, name: &'static str) -> Arc<Status> {
        let mut all = self.lock();
        if let Some(known) = all.iter().find(|status| status.name == name) {
            return Arc::clone(known);
        }
        let status = Arc::new(Status {
            name,
            runs: AtomicBool::new(false),
            was_started: AtomicBool::new(false),
            restarts: AtomicU64::new(0),
        });
        all.push(Arc::clone(&status));
        status
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Status>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Ended(Arc<Status>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.runs.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn states(threads: &Threads) -> Vec<(&'static str, ThreadState)> {
        let health = threads.health().into_iter();
        health.map(|thread| (thread.name, thread.state)).collect()
    }

    fn wait_until(is: impl Fn() -> bool) {
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while !is() {
            assert!(std::time::Instant::now() < deadline, "it never is");
            thread::yield_now();
        }
    }

    #[test]
    fn a_thread_that_panics_is_restarted_and_one_that_returns_is_reported_as_ended() {
        let threads = Threads::new(system());
        let (send, receive) = mpsc::channel::<bool>();
        let (answer, answers) = mpsc::channel();
        let body = move |again: bool| {
            while let Ok(panics) = receive.recv() {
                answer.send(again).expect("the test waits");
                assert!(!panics, "on purpose");
            }
        };
        threads.start("one", body).expect("a thread");
        let after = |panics| {
            send.send(panics).expect("it runs");
            answers.recv().expect("it runs")
        };
        assert!(!after(false));
        assert_eq!(states(&threads), [("one", ThreadState::Running)]);
        assert!(!after(true) && after(false) && after(true));
        wait_until(|| states(&threads) == [("one", ThreadState::Restarted { times: 2 })]);
        assert!(threads.health()[0].is_ok());
        drop(send);
        wait_until(|| states(&threads) == [("one", ThreadState::Ended)]);
        assert!(!threads.health()[0].is_ok());
    }

    #[test]
    fn a_thread_that_could_not_be_started_can_be_started_later() {
        let full = Arc::new(AtomicBool::new(true));
        let system = system();
        let spawner = {
            let full = Arc::clone(&full);
            move |name, run| {
                if full.load(Ordering::Relaxed) {
                    return Err(io::Error::from(io::ErrorKind::WouldBlock));
                }
                system(name, run)
            }
        };
        let threads = Threads::new(Arc::new(spawner));
        threads.start("one", |_| ()).expect_err("no room");
        assert_eq!(states(&threads), [("one", ThreadState::NotStarted)]);
        full.store(false, Ordering::Relaxed);
        threads.start("one", |_| ()).expect("room");
        wait_until(|| states(&threads) == [("one", ThreadState::Ended)]);
    }
}
