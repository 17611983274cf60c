//! What requests lost to others: from the workers to the collector, and the sums by route.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use holdup_model::{Blame, RouteName, Victim};
use tracing::Span;

use crate::lost::Lost;
use crate::routes::OTHER_ROUTES;
use crate::times::Times;
use crate::worker_state::WorkerState;

/// The most requests that wait for the collector, which takes them every few milliseconds.
const REQUESTS: usize = 16_384;

/// The most pairs of routes, and the most routes, that are told apart. Apps have fewer; beyond that, time is counted
/// as lost by other routes, to other routes.
const PAIRS: usize = 1024;

/// What one request lost that is over.
#[derive(Debug)]
pub(crate) struct Loss {
    state: Arc<WorkerState>,
    route: NonZeroU32,
    lost: Lost,
    /// Worked out once, so that all who read it get the same.
    blamed: OnceLock<Blamed>,
}

/// A loss with its names.
#[derive(Debug)]
pub(crate) struct Blamed {
    /// The route of the request.
    pub(crate) route: RouteName,
    /// The time that it lost by route, the longest first.
    pub(crate) by: Vec<Blame>,
    /// The longest time in it that the machine may have kept the worker from running.
    missed: Duration,
}

impl Blamed {
    /// How much the request lost.
    pub(crate) fn total(&self) -> Duration {
        self.by.iter().map(|blame| blame.held_up).sum()
    }

    /// How much of it the app has caused for certain.
    pub(crate) fn certain(&self) -> Duration {
        self.total().saturating_sub(self.missed)
    }
}

impl Loss {
    pub(crate) fn new(state: Arc<WorkerState>, route: NonZeroU32, lost: Lost) -> Self {
        Self {
            state,
            route,
            lost,
            blamed: OnceLock::new(),
        }
    }

    /// The loss with its names. `machine` says of a time for how long the process may have been stopped in it, and
    /// for how long a thread may have been kept from running. No route is blamed for the time in which the process
    /// was stopped.
    pub(crate) fn blamed(&self, machine: impl Fn(u64, u64) -> (u64, u64)) -> &Blamed {
        self.blamed.get_or_init(|| {
            let (mut stopped, mut missed) = (0, 0);
            for &(from, to) in self.lost.times() {
                let machine = machine(from, to);
                stopped += machine.0;
                missed += machine.1;
            }
            let mut parts = self.lost.by().to_vec();
            parts.sort_by_key(|&(_, lost)| std::cmp::Reverse(lost));
            let nobody = parts.iter().find(|(by, _)| by.is_none());
            let mut nobody = nobody.map_or(0, |&(_, lost)| lost);
            parts.retain(|(by, _)| by.is_some());
            // The process was most likely stopped in the longest part.
            for (_, lost) in &mut parts {
                let taken = stopped.min(*lost);
                (*lost, stopped, nobody) = (*lost - taken, stopped - taken, nobody + taken);
            }
            parts.push((None, nobody));
            parts.retain(|&(_, lost)| lost > 0);
            parts.sort_by_key(|&(_, lost)| std::cmp::Reverse(lost));
            let blame = |&(by, lost): &(Option<NonZeroU32>, u64)| {
                let by = by.map(|by| self.name(by));
                Blame::new(by, Duration::from_nanos(lost))
            };
            Blamed {
                route: self.name(self.route),
                by: parts.iter().map(blame).collect(),
                missed: Duration::from_nanos(missed),
            }
        })
    }

    fn name(&self, number: NonZeroU32) -> RouteName {
        let route = self.state.routes.get(number);
        RouteName::new(route.method, route.pattern)
    }
}

/// Takes losses from the workers, which never wait for it, and keeps the sums.
#[derive(Debug)]
pub(crate) struct Losses {
    /// Each with the span of the request, if it lost as much as the threshold.
    queue: ArrayQueue<(Arc<Loss>, Option<Span>)>,
    /// How many found no room in the queue.
    dropped: AtomicU64,
    /// Whether the log has room to say in requests' spans what they lost.
    wants_spans: AtomicBool,
    sums: Mutex<Sums>,
}

/// Who lost time to whom.
type Pair = (RouteName, Option<RouteName>);

#[derive(Debug, Default)]
struct Sums {
    pairs: HashMap<Pair, Sum>,
    /// What was added to the pairs and not counted yet.
    uncounted: HashMap<Pair, Duration>,
    /// For each route, the request that lost most: how much of it is certain, and to whom.
    longest: HashMap<RouteName, (Duration, Vec<Blame>)>,
    times: Times,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    requests: u64,
    lost: Duration,
    longest: Duration,
}

impl Losses {
    pub(crate) fn new() -> Self {
        Self {
            queue: ArrayQueue::new(REQUESTS),
            dropped: AtomicU64::new(0),
            wants_spans: AtomicBool::new(false),
            sums: Mutex::default(),
        }
    }

    /// Takes what a request lost, without waiting, and the span of the request. If the queue is full, because
    /// thousands were not drained, the oldest is lost and counted.
    pub(crate) fn add(&self, loss: Arc<Loss>, span: Option<Span>) {
        if self.queue.force_push((loss, span)).is_some() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many losses were lost since the last call.
    pub(crate) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }

    /// Whether a request that loses time is to keep its span.
    pub(crate) fn wants_spans(&self) -> bool {
        self.wants_spans.load(Ordering::Relaxed)
    }

    /// Sets whether requests that lose time keep their spans.
    pub(crate) fn want_spans(&self, want: bool) {
        self.wants_spans.store(want, Ordering::Relaxed);
    }

    /// Adds the losses to the sums, and calls `each` with every one that has a span. `blame` gives a loss its names.
    pub(crate) fn drain(
        &self,
        blame: impl Fn(&Loss) -> &Blamed,
        mut each: impl FnMut(Span, &Blamed),
    ) {
        // The lock is kept until the sums contain everything that was taken from the queue. No worker takes it.
        let mut sums = self.lock();
        let mut drained = Vec::new();
        for _ in 0..self.queue.len() {
            let Some((loss, span)) = self.queue.pop() else {
                break;
            };
            sums.add(blame(&loss));
            drained.extend(span.map(|span| (loss, span)));
        }
        drop(sums);
        for (loss, span) in drained {
            each(span, blame(&loss));
        }
    }

    /// Hands over what was added to the sums since the last call. It is handed over again if `count` returns false.
    pub(crate) fn count(&self, count: impl FnOnce(Vec<(RouteName, Blame)>) -> bool) {
        let uncounted = std::mem::take(&mut self.lock().uncounted);
        if uncounted.is_empty() {
            return;
        }
        let lost = uncounted.iter().map(|((route, by), lost)| {
            let blame = Blame::new(by.clone(), *lost);
            (route.clone(), blame)
        });
        if !count(lost.collect()) {
            let mut sums = self.lock();
            for (pair, lost) in uncounted {
                *sums.uncounted.entry(pair).or_default() += lost;
            }
        }
    }

    /// Whether everything that was lost is in the sums.
    pub(crate) fn are_drained(&self) -> bool {
        let _sums = self.lock();
        self.queue.is_empty()
    }

    /// The request of a route that has lost most: how much the app has caused for certain, and whom it lost its time
    /// to.
    pub(crate) fn longest(&self, route: &RouteName) -> Option<(Duration, Vec<Blame>)> {
        self.lock().longest.get(route).cloned()
    }

    /// Who lost how much time to whom, the most first.
    pub(crate) fn victims(&self) -> Vec<Victim> {
        let sums = self.lock();
        let victim = |((route, by), sum): (&Pair, &Sum)| {
            let mut victim = Victim::new(route.clone(), by.clone(), sum.requests, sum.lost);
            victim.longest = sum.longest;
            victim
        };
        let mut victims: Vec<_> = sums.pairs.iter().map(victim).collect();
        drop(sums);
        victims.sort_by(|one, other| {
            let most_first = other.held_up.cmp(&one.held_up);
            most_first.then_with(|| (&one.route, &one.by).cmp(&(&other.route, &other.by)))
        });
        victims
    }

    /// For each route, how many requests lost how much.
    pub(crate) fn times(&self) -> HashMap<RouteName, BTreeMap<Duration, u64>> {
        self.lock().times.by_route().clone()
    }

    /// The lock is only held briefly.
    fn lock(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sums {
    fn add(&mut self, blamed: &Blamed) {
        let other = || RouteName::new("OTHER", OTHER_ROUTES);
        for blame in &blamed.by {
            let mut pair = (blamed.route.clone(), blame.by.clone());
            if self.pairs.len() >= PAIRS && !self.pairs.contains_key(&pair) {
                pair = (other(), blame.by.as_ref().map(|_| other()));
            }
            *self.uncounted.entry(pair.clone()).or_default() += blame.held_up;
            let sum = self.pairs.entry(pair).or_default();
            sum.requests += 1;
            sum.lost += blame.held_up;
            sum.longest = sum.longest.max(blame.held_up);
        }
        let mut route = blamed.route.clone();
        if self.longest.len() >= PAIRS && !self.longest.contains_key(&route) {
            route = other();
        }
        self.times.add(&route, blamed.total());
        let longest = self.longest.entry(route).or_default();
        if longest.1.is_empty() || longest.0 < blamed.certain() {
            *longest = (blamed.certain(), blamed.by.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Clock;
    use crate::lost::Counts;
    use crate::recent::Recent;
    use crate::routes::{Names, Route};

    use super::*;

    const MS: u64 = 1_000_000;

    /// A worker with the routes `/0` to `/{routes}`.
    fn worker(routes: usize) -> (Arc<WorkerState>, Vec<NonZeroU32>) {
        let state = WorkerState::new(0, &Clock::default());
        let mut names = Names::new(Arc::clone(&state.routes));
        let numbers = (0..routes).map(|route| {
            names.number(Route {
                method: "GET",
                pattern: format!("/{route}"),
            })
        });
        let numbers = numbers.collect();
        (state, numbers)
    }

    /// What a request lost to polls of (route, from ms, to ms).
    fn lost(polls: &[(NonZeroU32, u64, u64)], to: u64) -> Lost {
        let (mut lost, mut recent) = (Lost::default(), Recent::default());
        for &(route, from, to) in polls {
            recent.add(route, from * MS, to * MS);
        }
        let from = polls.first().map_or(0, |poll| poll.1);
        lost.add((from * MS, to * MS), &[], &recent, Counts::All);
        lost
    }

    fn in_ms(by: &[Blame]) -> Vec<(String, u128)> {
        let name = |blame: &Blame| {
            blame
                .by
                .as_ref()
                .map_or("nobody".into(), ToString::to_string)
        };
        by.iter()
            .map(|blame| (name(blame), blame.held_up.as_millis()))
            .collect()
    }

    #[test]
    fn no_route_is_blamed_for_a_time_in_which_the_process_was_stopped() {
        let (state, routes) = worker(3);
        let polls = [(routes[0], 100, 200), (routes[1], 200, 900)];
        let loss = Loss::new(state, routes[2], lost(&polls, 950));
        let blamed = loss.blamed(|from, to| {
            assert_eq!((from, to), (100 * MS, 950 * MS));
            (550 * MS, 650 * MS)
        });
        let expected = [("nobody", 600), ("GET /1", 150), ("GET /0", 100)];
        assert_eq!(
            in_ms(&blamed.by),
            expected.map(|(by, lost)| (by.to_owned(), lost))
        );
        assert_eq!(blamed.total().as_millis(), 850);
        assert_eq!(blamed.certain().as_millis(), 200);
        // It is worked out once.
        let again = loss.blamed(|_, _| (0, 0));
        assert_eq!(in_ms(&again.by), in_ms(&blamed.by));
    }

    #[test]
    fn pairs_beyond_the_bound_are_summed_up_and_nothing_is_lost() {
        let (state, routes) = worker(60);
        let losses = Losses::new();
        let mut sum = Duration::ZERO;
        for &route in &routes {
            for &by in &routes {
                let lost = lost(&[(by, 100, 107)], 107);
                sum += Duration::from_nanos(lost.total());
                losses.add(Arc::new(Loss::new(Arc::clone(&state), route, lost)), None);
            }
        }
        assert!(!losses.are_drained());
        losses.drain(|loss| loss.blamed(|_, _| (0, 0)), |_, _| ());
        assert!(losses.are_drained());
        let victims = losses.victims();
        assert_eq!(victims.len(), PAIRS + 1);
        let (first, rest) = victims.split_first().expect("some");
        assert_eq!(first.route.to_string(), "OTHER other routes");
        assert_eq!(first.requests, 60 * 60 - PAIRS as u64);
        assert!(rest.iter().all(|victim| victim.longest.as_millis() == 7));
        let all: Duration = victims.iter().map(|victim| victim.held_up).sum();
        assert_eq!(all, sum);

        // What cannot be counted now is counted later, and once.
        losses.count(|lost| {
            assert_eq!(lost.len(), PAIRS + 1);
            false
        });
        let mut counted = Duration::ZERO;
        losses.count(|lost| {
            counted = lost.iter().map(|(_, blame)| blame.held_up).sum();
            true
        });
        losses.count(|_| panic!("counted twice"));
        assert_eq!(counted, sum);
    }

    #[test]
    fn the_longest_loss_of_a_route_is_kept_with_whom_it_was_lost_to() {
        let (state, routes) = worker(3);
        let losses = Losses::new();
        for (by, to) in [(routes[0], 150), (routes[1], 400), (routes[0], 200)] {
            let lost = lost(&[(by, 100, to)], to);
            losses.add(
                Arc::new(Loss::new(Arc::clone(&state), routes[2], lost)),
                None,
            );
        }
        losses.drain(|loss| loss.blamed(|_, _| (0, 40 * MS)), |_, _| ());
        let (certain, by) = losses.longest(&RouteName::new("GET", "/2")).expect("some");
        assert_eq!(certain.as_millis(), 260);
        assert_eq!(in_ms(&by), [("GET /1".to_owned(), 300)]);
        assert_eq!(losses.longest(&RouteName::new("GET", "/1")), None);
    }
}
