//! The open requests and what they do, read from the workers' slots. Those that wait are asked where.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use holdup_model::{AwaitPoint, OpenRequest, RequestState, RouteName};

use crate::looks::Knows;
use crate::open_state::{Activity, Doing};
use crate::shared::Shared;
use crate::slot::{Slot, SlotState};
use crate::stack::StackSample;
use crate::worker_state::WorkerState;

/// A worker that has been in one poll for this long is not waited for, nanoseconds.
const STUCK: u64 = 20_000_000;

/// How long after it was asked a request may still answer, nanoseconds. One that has not answered by then is not
/// polled, because a middleware around it does not do so.
const ANSWERS_WITHIN: u64 = 100_000_000;

/// A look with a budget wakes so many requests at a time, and then lets their workers get on with their own work.
/// With 256 requests, the pauses take 60 ms in all.
const AT_ONCE: usize = 16;
const BETWEEN: Duration = Duration::from_millis(4);

/// The most requests that a look without a budget asks. The queue has room for the answers of two of them.
const A_ROUND: usize = 512;

/// A look at all open requests.
#[derive(Debug)]
pub(crate) struct Look {
    /// The requests whose answers are expected.
    asked: Vec<Asked>,
    /// Whether some were not asked, because there were too many.
    pub(crate) is_partial: bool,
}

#[derive(Debug)]
struct Asked {
    number: u64,
    slot: Arc<Slot>,
}

/// A request that waits.
struct Waiting {
    slot: Arc<Slot>,
    number: u64,
    activity: Activity,
}

impl Shared {
    fn slots(&self) -> Vec<(Arc<Slot>, SlotState)> {
        let mut all = Vec::new();
        for worker in self.workers.alive() {
            let slots = worker.slots.iter();
            all.extend(slots.filter_map(|slot| slot.read().map(|state| (slot, state))));
        }
        all
    }

    /// Asks the requests that wait where they do: those first whose worker can answer, and of these those that have
    /// waited longest. With `is_bounded`, at most [`A_SECOND`](crate::looks::A_SECOND) in any second. `own` is the
    /// worker of the calling thread.
    pub(crate) fn look(&self, is_bounded: bool, own: Option<usize>) -> Look {
        if !cfg!(feature = "stacks") {
            // They cannot answer, so they are not woken.
            return Look {
                asked: Vec::new(),
                is_partial: false,
            };
        }
        // Locked first: otherwise a request that another look asks meanwhile would be forgotten as one that is over.
        let mut known = self.looks.known();
        let slots = self.slots();
        let now = self.clock.now();
        let mut stuck = Stuck::new(own, now);
        let open = slots.iter().map(|(_, state)| state.request.number);
        let open: HashSet<u64> = open.collect();
        known.retain(|number| open.contains(&number));
        let (mut asked, mut chosen) = (Vec::new(), Vec::new());
        for (slot, state) in slots {
            let Some(activity) = state.request.activity else {
                continue;
            };
            if activity.doing != Doing::Waiting || state.woken > 0 {
                continue;
            }
            let number = state.request.number;
            match known.of(number, activity.polls) {
                // Somebody else has asked it a moment ago.
                Knows::Asked(at) if now.saturating_sub(at) < ANSWERS_WITHIN => {
                    asked.push(Asked { number, slot });
                }
                Knows::Place | Knows::Asked(_) => {}
                Knows::Nothing => chosen.push(Waiting {
                    slot,
                    number,
                    activity,
                }),
            }
        }
        chosen.sort_by_cached_key(|request| {
            let is_stuck = stuck.is(request.slot.worker());
            (is_stuck, request.activity.since, request.number)
        });
        let budget = if is_bounded {
            known.budget(now)
        } else {
            A_ROUND
        };
        let is_partial = chosen.len() > budget;
        chosen.truncate(budget);
        if is_bounded {
            known.spend(chosen.len(), now);
        }
        for request in &chosen {
            known.ask(request.number, request.activity.polls, now);
        }
        drop(known);
        for (n, Waiting { slot, number, .. }) in chosen.into_iter().enumerate() {
            if is_bounded && own.is_none() && n > 0 && n % AT_ONCE == 0 {
                pause();
            }
            // By now, the slot may have another request.
            if slot.number() == number {
                slot.wish_look();
                asked.push(Asked { number, slot });
            }
        }
        Look { asked, is_partial }
    }

    /// How many requests have not answered that can still do so. `own` is the worker of the calling thread.
    pub(crate) fn unanswered(&self, look: &Look, own: Option<usize>) -> usize {
        let mut stuck = Stuck::new(own, self.clock.now());
        let known = self.looks.known();
        let can_answer = |asked: &&Asked| {
            // It may be over by now.
            asked.slot.number() == asked.number
                && !known.has_answered(asked.number)
                && asked.slot.worker().is_alive()
                && !stuck.is(asked.slot.worker())
        };
        look.asked.iter().filter(can_answer).count()
    }

    /// The stacks of open requests whose names are not known.
    pub(crate) fn unnamed(&self) -> Vec<Arc<StackSample>> {
        self.looks.known().unnamed()
    }

    /// All open requests, the oldest first.
    pub(crate) fn open_requests(&self) -> Vec<OpenRequest> {
        let now = self.clock.now();
        let holders = self.holders(now);
        let slots = self.slots();
        // Whoever looks needs what is known, so it is not locked while stacks are copied.
        let known = self.looks.known();
        let stacks = slots.iter().map(|(_, state)| {
            let activity = state.request.activity?;
            let stacks = known.stacks(state.request.number, activity.polls);
            Some(stacks.to_vec())
        });
        let stacks: Vec<Option<Vec<Arc<StackSample>>>> = stacks.collect();
        drop(known);
        let mut requests: Vec<_> = slots
            .iter()
            .zip(stacks)
            .map(|((slot, state), stacks)| {
                let (worker, of) = (slot.worker(), &state.request);
                let route = worker.routes.get(of.route);
                let route = RouteName::new(route.method, route.pattern);
                let doing = match of.activity {
                    None => RequestState::Unknown,
                    Some(activity) => self.state(activity, state.woken, || {
                        points(&stacks.unwrap_or_default(), &route)
                    }),
                };
                let opened = self.since_origin(of.opened);
                let age = self.since_origin(now).saturating_sub(opened);
                let is_running = matches!(doing, RequestState::Running { .. });
                let behind = holders.get(&worker.worker).filter(|_| !is_running);
                let mut request = OpenRequest::new(of.number, worker.worker, route, age, doing);
                request.lane = Some(of.lane).filter(|&lane| lane > 0);
                request.held_up = Duration::from_nanos(state.held_up);
                request.behind = behind.cloned();
                request
            })
            .collect();
        requests.sort_by(|one, other| {
            let oldest_first = other.age.cmp(&one.age);
            oldest_first.then_with(|| one.number.cmp(&other.number))
        });
        requests
    }

    fn state(
        &self,
        activity: Activity,
        woken: u64,
        at: impl FnOnce() -> Vec<AwaitPoint>,
    ) -> RequestState {
        let since = self.since_origin(activity.since);
        match activity.doing {
            Doing::Running => RequestState::Running { since },
            Doing::Waiting if woken > 0 => RequestState::Woken {
                since: self.since_origin(woken.max(activity.since)),
            },
            Doing::Waiting => RequestState::Waiting { since, at: at() },
            Doing::Ready => RequestState::Woken { since },
            Doing::Sending => RequestState::Sending { since },
        }
    }

    /// For each worker that is held at the moment, the route that holds it most.
    fn holders(&self, now: u64) -> HashMap<usize, RouteName> {
        let holder = |state: &Arc<WorkerState>| {
            let recorded = self.current(state, state.ongoing(now), state.unanswered(), now)?;
            let culprit = recorded.hold.culprits.into_iter().next()?;
            Some((state.worker, RouteName::new(culprit.method, culprit.route)))
        };
        self.workers.alive().iter().filter_map(holder).collect()
    }
}

/// Where a request of `route` waits: each place once.
pub(crate) fn points(stacks: &[Arc<StackSample>], route: &RouteName) -> Vec<AwaitPoint> {
    let mut points: Vec<AwaitPoint> = Vec::new();
    for point in stacks.iter().filter_map(|stack| stack.await_point(route)) {
        let is_same =
            |other: &AwaitPoint| (&other.line, &other.within) == (&point.line, &point.within);
        if !points.iter().any(is_same) {
            points.push(point);
        }
    }
    points
}

/// Which workers cannot run a request at the moment.
struct Stuck {
    own: Option<usize>,
    now: u64,
    known: HashMap<usize, bool>,
}

impl Stuck {
    /// The worker of the calling thread is not stuck: it runs the caller.
    fn new(own: Option<usize>, now: u64) -> Self {
        Self {
            own,
            now,
            known: HashMap::new(),
        }
    }

    fn is(&mut self, state: &WorkerState) -> bool {
        let (own, now) = (self.own, self.now);
        *self.known.entry(state.worker).or_insert_with(|| {
            let since = match state.ongoing(now) {
                Some(ongoing) => Some(ongoing.period.start),
                None => state.unanswered().map(|asked| asked.max(state.last_end())),
            };
            own != Some(state.worker)
                && since.is_some_and(|since| now.saturating_sub(since) >= STUCK)
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the calling thread is no worker")]
fn pause() {
    thread::sleep(BETWEEN);
}
