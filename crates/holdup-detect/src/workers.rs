//! The live workers of a watch.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::routes::Route;
use crate::worker_state::WorkerState;

#[derive(Debug, Default)]
pub(crate) struct Workers {
    numbers: AtomicUsize,
    states: Mutex<Vec<Arc<WorkerState>>>,
    /// The number of polls of the workers that have ended.
    past_polls: AtomicU64,
    /// The routes of the workers that have ended, and how many of their requests lost no time.
    past_routes: Mutex<HashMap<Route, u64>>,
}

impl Workers {
    /// Returns a number for a new worker.
    pub(crate) fn next_number(&self) -> usize {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn add(&self, state: &Arc<WorkerState>) {
        self.lock().push(Arc::clone(state));
    }

    /// All live workers.
    pub(crate) fn alive(&self) -> Vec<Arc<WorkerState>> {
        self.only_alive().clone()
    }

    /// Removes the workers that have ended, but keeps what they have counted.
    fn only_alive(&self) -> MutexGuard<'_, Vec<Arc<WorkerState>>> {
        let mut states = self.lock();
        states.retain(|state| {
            let alive = state.is_alive();
            if !alive {
                self.past_polls.fetch_add(state.polls(), Ordering::Relaxed);
                let mut past = self.past_routes();
                for route in state.routes.all() {
                    past.entry(route.clone()).or_default();
                }
                for (route, requests) in state.routes.unharmed() {
                    *past.entry(route).or_default() += requests;
                }
            }
            alive
        });
        states
    }

    /// All polls of all workers so far.
    pub(crate) fn polls(&self) -> u64 {
        // The list stays locked until both numbers are read. Otherwise a worker that ends meanwhile would be
        // counted twice.
        let states = self.only_alive();
        let now = states.iter().map(|state| state.polls()).sum::<u64>();
        self.past_polls.load(Ordering::Relaxed) + now
    }

    /// Whether a worker has had a request of this route.
    pub(crate) fn have_seen(&self, method: &str, pattern: &str) -> bool {
        let is_it = |route: &Route| route.method == method && route.pattern == pattern;
        let states = self.only_alive();
        states.iter().any(|state| state.routes.all().any(is_it))
            || self.past_routes().keys().any(is_it)
    }

    /// How many requests of each route are over that lost no time.
    pub(crate) fn unharmed(&self) -> HashMap<Route, u64> {
        // As for the polls, the list stays locked.
        let states = self.only_alive();
        let mut all = self.past_routes().clone();
        for (route, requests) in states.iter().flat_map(|state| state.routes.unharmed()) {
            *all.entry(route).or_default() += requests;
        }
        all.retain(|_, requests| *requests > 0);
        all
    }

    fn past_routes(&self) -> MutexGuard<'_, HashMap<Route, u64>> {
        self.past_routes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Ignores poisoning, because a panic cannot leave the list half changed.
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<WorkerState>>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use crate::clock::Clock;

    use super::*;

    #[test]
    fn polls_are_counted_once_while_workers_end() {
        let (workers, over) = (Workers::default(), AtomicBool::new(false));
        let clock = Clock::default();
        let ends = || {
            for worker in 0..20_000 {
                let state = WorkerState::new(worker, &clock);
                state.leave(1);
                workers.add(&state);
                state.end();
            }
            over.store(true, Ordering::Relaxed);
        };
        let most = thread::scope(|scope| {
            scope.spawn(ends);
            let counting = scope.spawn(|| {
                let mut most = 0;
                while !over.load(Ordering::Relaxed) {
                    let polls = workers.polls();
                    assert!(polls >= most, "{polls} after {most}");
                    most = polls;
                }
                most
            });
            while !counting.is_finished() {
                workers.alive();
            }
            counting.join().expect("they only grow")
        });
        assert!(most <= 20_000, "{most}");
        assert_eq!(workers.polls(), 20_000);
    }
}
