//! The open requests and what they do, read from the workers' slots. Those that wait are asked where.

use std::collections::HashMap;
use std::sync::Arc;

use holdup_model::{AwaitPoint, OpenRequest, RequestState, RouteName};

use crate::shared::Shared;
use crate::slot::{Doing, Slot, SlotState};
use crate::stack::StackSample;
use crate::worker_state::WorkerState;

/// A worker that has been in one poll for this long is not waited for, nanoseconds.
const STUCK: u64 = 20_000_000;

/// A look at all open requests.
#[derive(Debug)]
pub(crate) struct Look {
    /// The requests that were asked, and their workers.
    asked: Vec<(u64, Arc<WorkerState>)>,
}

/// An open request as it was read.
struct Read {
    worker: Arc<WorkerState>,
    slot: Arc<Slot>,
    /// `None` if it changes too fast.
    state: Option<SlotState>,
}

impl Shared {
    fn read_slots(&self) -> Vec<Read> {
        let mut all = Vec::new();
        for worker in self.workers.alive() {
            for slot in worker.slots.iter() {
                if let Some(state) = slot.read() {
                    all.push(Read {
                        worker: Arc::clone(&worker),
                        slot: Arc::clone(slot),
                        state,
                    });
                }
            }
        }
        all
    }

    /// Asks the requests that wait where they do, the oldest first. With `is_bounded`, at most
    /// [`A_SECOND`](crate::looks::A_SECOND) in each second.
    pub(crate) fn look(&self, is_bounded: bool) -> Look {
        let mut all = self.read_slots();
        let waits = |read: &Read| {
            let state = read.state.filter(|state| state.woken == 0)?;
            (state.doing == Doing::Waiting).then_some(state)
        };
        all.retain(|read| waits(read).is_some());
        all.sort_by_key(|read| waits(read).map(|state| state.since));
        let now = self.clock.now();
        let mut known = self.looks.known();
        let mut chosen = Vec::new();
        for read in all {
            if let Some(state) = waits(&read)
                && known.ask(state.number, state.polls, now, is_bounded)
            {
                chosen.push((state.number, read));
            }
        }
        drop(known);
        let ask = |(number, read): (u64, Read)| {
            read.slot.wish_look();
            (number, read.worker)
        };
        Look {
            asked: chosen.into_iter().map(ask).collect(),
        }
    }

    /// How many requests have not answered, whose worker can still do so. `own` is the worker of the calling thread,
    /// which cannot.
    pub(crate) fn unanswered(&self, look: &Look, own: Option<usize>) -> usize {
        let now = self.clock.now();
        let known = self.looks.known();
        let mut stuck = HashMap::new();
        let mut can_answer = |worker: &Arc<WorkerState>| {
            !*stuck.entry(worker.worker).or_insert_with(|| {
                own == Some(worker.worker) || !worker.is_alive() || is_stuck(worker, now)
            })
        };
        let asked = look.asked.iter();
        asked
            .filter(|(number, worker)| !known.has_answered(*number) && can_answer(worker))
            .count()
    }

    /// The stacks of open requests whose names are not known.
    pub(crate) fn unnamed(&self) -> Vec<Arc<StackSample>> {
        let all = self.read_slots();
        let known = self.looks.known();
        let mut unnamed: Vec<Arc<StackSample>> = Vec::new();
        for state in all.iter().filter_map(|read| read.state) {
            for stack in known.stacks(state.number, state.polls) {
                if !stack.is_known() && !unnamed.iter().any(|other| Arc::ptr_eq(other, stack)) {
                    unnamed.push(Arc::clone(stack));
                }
            }
        }
        unnamed
    }

    /// All open requests, the oldest first.
    pub(crate) fn open_requests(&self) -> Vec<OpenRequest> {
        let now = self.clock.now();
        let holders = self.holders(now);
        let all = self.read_slots();
        let mut known = self.looks.known();
        let numbers: std::collections::HashSet<u64> = all
            .iter()
            .filter_map(|read| Some(read.state?.number))
            .collect();
        known.retain(|number| numbers.contains(&number));
        let mut requests: Vec<_> = all
            .iter()
            .filter_map(|read| {
                let state = read.state?;
                let route = read.worker.routes.get(state.route);
                let route = RouteName::new(route.method, route.pattern);
                let stacks = known.stacks(state.number, state.polls);
                let doing = self.state(&state, || points(stacks, &route));
                let age = self
                    .since_origin(now)
                    .saturating_sub(self.since_origin(state.opened));
                let worker = read.worker.worker;
                let is_running = matches!(doing, RequestState::Running { .. });
                let behind = holders.get(&worker).filter(|_| !is_running);
                let mut request = OpenRequest::new(state.number, worker, route, age, doing);
                request.lane = Some(state.lane).filter(|&lane| lane > 0);
                request.held_up = std::time::Duration::from_nanos(state.held_up);
                request.behind = behind.cloned();
                Some(request)
            })
            .collect();
        requests.sort_by(|one, other| {
            let oldest_first = other.age.cmp(&one.age);
            oldest_first.then_with(|| one.number.cmp(&other.number))
        });
        requests
    }

    fn state(&self, state: &SlotState, at: impl FnOnce() -> Vec<AwaitPoint>) -> RequestState {
        let since = self.since_origin(state.since);
        match state.doing {
            Doing::Running => RequestState::Running { since },
            Doing::Waiting if state.woken > 0 => RequestState::Woken {
                since: self.since_origin(state.woken.max(state.since)),
            },
            Doing::Waiting => RequestState::Waiting { since, at: at() },
            Doing::Sending if state.polls == 0 => RequestState::Woken { since },
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

/// Whether the worker cannot run a request at the moment.
fn is_stuck(state: &Arc<WorkerState>, now: u64) -> bool {
    let ongoing = state.ongoing(now);
    let since = match &ongoing {
        Some(ongoing) => Some(ongoing.period.start),
        None => state.unanswered().map(|asked| asked.max(state.last_end())),
    };
    since.is_some_and(|since| now.saturating_sub(since) >= STUCK)
}
