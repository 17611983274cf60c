//! Where a plan and its experiment meet.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use super::round::Round;
use holdup_model::Lane;

/// Where the plan leaves the round that it wants asked, and finds what came of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Desk(Arc<Mutex<Papers>>);

#[derive(Debug, Default)]
struct Papers {
    wanted: Option<Round>,
    answered: Option<Vec<Lane>>,
}

impl Desk {
    /// The next round that the plan wants asked, if it wants one.
    pub(super) fn wanted(&self) -> Option<Round> {
        self.lock().wanted.take()
    }

    /// Leaves what came of it.
    pub(super) fn answer(&self, lanes: Vec<Lane>) {
        self.lock().answered = Some(lanes);
    }

    /// Has a round asked. This is all that a plan awaits.
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
