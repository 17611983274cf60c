//! The exchange between a plan and its experiment.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use super::round::Round;
use holdup_model::Lane;

/// Holds the round that the plan requests, and then the lanes that the round produced.
#[derive(Debug, Clone, Default)]
pub(super) struct Desk(Arc<Mutex<Papers>>);

#[derive(Debug, Default)]
struct Papers {
    wanted: Option<Round>,
    answered: Option<Vec<Lane>>,
}

impl Desk {
    /// Takes the round that the plan requests, if there is one.
    pub(super) fn wanted(&self) -> Option<Round> {
        self.lock().wanted.take()
    }

    /// Stores the lanes of the round.
    pub(super) fn answer(&self, lanes: Vec<Lane>) {
        self.lock().answered = Some(lanes);
    }

    /// Requests a round. A plan awaits nothing else.
    pub(super) async fn ask(&self, round: Round) -> Vec<Lane> {
        self.lock().wanted = Some(round);
        poll_fn(|_| match self.lock().answered.take() {
            Some(lanes) => Poll::Ready(lanes),
            None => Poll::Pending,
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Papers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
