//! Decides which workers a look asks for a heartbeat. A worker that has no open request and waits in its event loop is
//! not woken for that.

use std::collections::HashMap;
use std::sync::Arc;

use super::cadence::{Found, whose_turn};
use super::parked::{Parked, Seen};
use crate::worker_state::WorkerState;

/// What is known of the workers, and what the current look has found so far.
#[derive(Debug)]
pub(super) struct Asking {
    workers: HashMap<usize, Known>,
    found: Found,
    /// Whether the collector dozes.
    dozes: bool,
    /// While the collector dozes, the worker that is asked although it cannot be seen from outside.
    turn: Option<usize>,
    /// How many polls there had been at the latest look.
    polls: u64,
}

/// What is known of a worker.
#[derive(Debug, Default)]
struct Known {
    parked: Parked,
    /// Whether it could not be seen from outside in the latest look.
    is_hidden: bool,
    /// When it was asked last.
    asked: u64,
}

impl Default for Asking {
    fn default() -> Self {
        Self {
            workers: HashMap::new(),
            found: Found::Active,
            dozes: false,
            turn: None,
            polls: 0,
        }
    }
}

impl Asking {
    /// Begins a look at these workers, at `now`.
    pub(super) fn begin(&mut self, states: &[Arc<WorkerState>], dozes: bool, now: u64) {
        self.workers
            .retain(|worker, _| states.iter().any(|state| state.worker == *worker));
        (self.found, self.dozes) = (Found::Quiet, dozes);
        let hidden = self.workers.iter().filter(|(_, known)| known.is_hidden);
        self.turn = whose_turn(hidden.map(|(&worker, known)| (worker, known.asked)), now);
    }

    /// Whether to ask this worker at `now`.
    pub(super) fn asks(&mut self, state: &WorkerState, now: u64) -> bool {
        let known = self.workers.entry(state.worker).or_default();
        let asks = if is_free(state, now) {
            // A loop that has ended answers no more than one that waits, and holds nothing up.
            let seen = if state.has_loop() {
                known.parked.look(state)
            } else {
                Seen::Parked
            };
            known.is_hidden = seen == Seen::Hidden;
            match seen {
                Seen::Parked => false,
                Seen::Elsewhere => {
                    self.found = self.found.max(Found::Doubt);
                    true
                }
                Seen::Hidden => !self.dozes || self.turn == Some(state.worker),
            }
        } else {
            self.found = Found::Active;
            true
        };
        if asks {
            known.asked = now;
        }
        asks
    }

    /// Ends the look, and returns what it has found. `polls` is the number of all polls so far, and `is_published`
    /// whether nothing is left to be published.
    pub(super) fn end(&mut self, polls: u64, is_published: bool) -> Found {
        if polls != self.polls || !is_published {
            self.found = Found::Active;
        }
        self.polls = polls;
        self.found
    }

    /// Whether a worker cannot be seen from outside.
    pub(super) fn is_any_hidden(&self) -> bool {
        self.workers.values().any(|known| known.is_hidden)
    }
}

/// Whether nothing is known to keep the worker busy, so that it is worth looking whether it waits.
fn is_free(state: &WorkerState, now: u64) -> bool {
    state.open() == 0
        && !state.is_asked()
        && state.sockets.is_answered()
        && state.ongoing(now).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_worker_that_cannot_be_seen_is_asked_in_its_turn_while_the_collector_dozes() {
        // Its loop watches no socket of the second heartbeat, by which it would be recognized.
        let states = [WorkerState::new(0, &Clock::default())];
        let mut asking = Asking::default();
        let mut asked = Vec::new();
        for ms in [5_000, 5_400, 5_800, 6_200, 6_600] {
            let now = ms * 1_000_000;
            asking.begin(&states, true, now);
            asked.push(asking.asks(&states[0], now));
        }
        assert_eq!(asked, [false, true, false, true, false]);
        assert!(asking.is_any_hidden());
    }
}
