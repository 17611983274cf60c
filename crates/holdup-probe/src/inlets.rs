//! All connections of a round, read before anything that was read is worked on.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::task::yield_now;

use super::inlet::{Arrivals, Reader};

/// How long the prober works on what was read before it looks at all sockets again. A part that arrives meanwhile
/// is read late by up to this much.
const WORK: Duration = Duration::from_micros(200);

/// The connections of a round.
#[derive(Debug, Default)]
pub(super) struct Inlets(Mutex<Sockets>);

#[derive(Debug, Default)]
struct Sockets {
    /// Those that were opened since the last look.
    opened: Vec<Reader>,
    /// Until when the prober may work.
    work_until: Option<Instant>,
}

impl Inlets {
    fn lock(&self) -> MutexGuard<'_, Sockets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads this connection from now on.
    pub(super) fn add(&self, arrivals: &Arrivals) {
        self.lock().opened.push(arrivals.reader());
    }

    /// Reads all connections in each poll, and then begins a time of work. It has no end.
    pub(super) async fn go_on(&self, readers: &mut Readers) -> Infallible {
        poll_fn(|context| {
            readers.0.extend(self.lock().opened.drain(..));
            while let Poll::Ready(Some(())) = readers.0.poll_next_unpin(context) {}
            let (now, until) = (Instant::now(), &mut self.lock().work_until);
            if until.is_none_or(|until| now >= until) {
                *until = Some(now + WORK);
            }
            Poll::Pending
        })
        .await
    }

    /// Yields to the runtime if it is time to look at the sockets again: only the runtime learns what has arrived.
    pub(super) async fn yield_if_due(&self) {
        if self.are_due() {
            yield_now().await;
        }
    }

    /// Whether it is time to look at the sockets again.
    fn are_due(&self) -> bool {
        let until = self.lock().work_until;
        until.is_some_and(|until| Instant::now() >= until)
    }

    /// Does this work, but not while it is time to look at the sockets again.
    pub(super) async fn in_turn<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| {
            if self.are_due() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            work.as_mut().poll(context)
        })
        .await
    }
}

/// The readers of a round's connections.
#[derive(Debug, Default)]
pub(super) struct Readers(FuturesUnordered<Reader>);
