//! The exchange between a plan and its experiment.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use super::answers::Answers;
use super::round::Round;

/// Holds the round that the plan requests, and then what the round produced.
#[derive(Debug, Clone, Default)]
pub(super) struct Desk(Arc<Mutex<Papers>>);

#[derive(Debug, Default)]
struct Papers {
    wanted: Option<Round>,
    answered: Option<Answers>,
}

impl Desk {
    /// Takes the round that the plan requests, if there is one.
    pub(super) fn wanted(&self) -> Option<Round> {
        self.lock().wanted.take()
    }

    /// Stores what the round produced.
    pub(super) fn answer(&self, answers: Answers) {
        self.lock().answered = Some(answers);
    }

    /// Requests a round. A plan awaits nothing else.
    pub(super) async fn ask(&self, round: Round) -> Answers {
        self.lock().wanted = Some(round);
        poll_fn(|_| match self.lock().answered.take() {
            Some(answers) => Poll::Ready(answers),
            None => Poll::Pending,
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Papers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
