//! What requests lost to others: from the workers to the collector, and the sums by route.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use holdup_model::{Blame, RouteName, Victim};
use tracing::Span;

use crate::worker_state::WorkerState;

/// The most requests that wait for the collector, which takes them every few milliseconds.
const REQUESTS: usize = 16_384;

/// The most pairs of routes that are told apart. Apps have fewer; beyond that, time is counted as lost to other
/// routes.
const PAIRS: usize = 1024;

/// What one request lost that is over.
#[derive(Debug, Clone)]
pub(crate) struct Loss {
    pub(crate) state: Arc<WorkerState>,
    pub(crate) route: NonZeroU32,
    /// How many nanoseconds, and to which route of the worker; `None` for something else.
    pub(crate) lost: Vec<(Option<NonZeroU32>, u64)>,
    /// The span of the request, if it lost more than the threshold.
    pub(crate) span: Option<Span>,
}

impl Loss {
    /// The route of the request.
    pub(crate) fn route(&self) -> RouteName {
        name(&self.state, self.route)
    }

    /// The time that it lost by route, the longest first.
    pub(crate) fn blame(&self) -> Vec<Blame> {
        let blame = |&(by, lost): &(Option<NonZeroU32>, u64)| {
            let by = by.map(|by| name(&self.state, by));
            Blame::new(by, Duration::from_nanos(lost))
        };
        let mut blames: Vec<_> = self.lost.iter().map(blame).collect();
        blames.sort_by_key(|blame| std::cmp::Reverse(blame.held_up));
        blames
    }
}

fn name(state: &WorkerState, number: NonZeroU32) -> RouteName {
    let route = state.routes.get(number);
    RouteName::new(route.method, route.pattern)
}

/// Takes losses from the workers, which never wait for it, and keeps the sums.
#[derive(Debug)]
pub(crate) struct Losses {
    queue: ArrayQueue<Loss>,
    sums: Mutex<HashMap<Pair, Sum>>,
}

/// Who lost time to whom.
type Pair = (RouteName, Option<RouteName>);

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    requests: u64,
    lost: Duration,
}

impl Losses {
    pub(crate) fn new() -> Self {
        Self {
            queue: ArrayQueue::new(REQUESTS),
            sums: Mutex::default(),
        }
    }

    /// Takes what a request lost, without waiting. If the queue is full, because thousands were not drained, the
    /// oldest is lost.
    pub(crate) fn add(&self, loss: Loss) {
        self.queue.force_push(loss);
    }

    /// Adds the losses to the sums, and calls `each` with every loss and whom it was lost to.
    pub(crate) fn drain(&self, mut each: impl FnMut(&Loss, &RouteName, &[Blame])) {
        for _ in 0..self.queue.len() {
            let Some(loss) = self.queue.pop() else {
                return;
            };
            let (route, blames) = (loss.route(), loss.blame());
            let mut sums = self.lock();
            for blame in &blames {
                let mut pair = (route.clone(), blame.by.clone());
                if sums.len() >= PAIRS && !sums.contains_key(&pair) {
                    let other = || RouteName::new("OTHER", "other routes");
                    pair = (other(), Some(other()));
                }
                let sum = sums.entry(pair).or_default();
                sum.requests += 1;
                sum.lost += blame.held_up;
            }
            drop(sums);
            each(&loss, &route, &blames);
        }
    }

    /// Who lost how much time to whom, the most first.
    pub(crate) fn victims(&self) -> Vec<Victim> {
        let sums = self.lock();
        let victim = |((route, by), sum): (&Pair, &Sum)| {
            Victim::new(route.clone(), by.clone(), sum.requests, sum.lost)
        };
        let mut victims: Vec<_> = sums.iter().map(victim).collect();
        drop(sums);
        victims.sort_by(|one, other| {
            let most_first = other.held_up.cmp(&one.held_up);
            most_first.then_with(|| (&one.route, &one.by).cmp(&(&other.route, &other.by)))
        });
        victims
    }

    /// The lock is only held briefly.
    fn lock(&self) -> MutexGuard<'_, HashMap<Pair, Sum>> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
