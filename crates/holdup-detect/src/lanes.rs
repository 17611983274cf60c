//! Records lanes: when a request arrived, when its chunks were sent, and how it ended. Lanes are recorded
//! only while there is a subscription, and a worker never waits to record one.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use holdup_model::{Blame, Event, Spent};

use crate::losses::Loss;
use crate::worker_state::WorkerState;

/// The most events that wait for the collector, which drains them every few milliseconds.
const EVENTS: usize = 65_536;

/// A lane's event as its worker records it.
#[derive(Debug)]
pub(crate) enum LaneEvent {
    /// Boxed, so that the frequent chunk events stay small.
    Opened(Box<Opened>),
    Answered {
        status: u16,
    },
    Chunk {
        bytes: usize,
    },
    Ended {
        finished: bool,
        /// How long it was open.
        age: u64,
        /// How long its calls and polls took.
        running: u64,
        /// What it lost, if anything.
        loss: Option<Arc<Loss>>,
    },
}

/// A request as its worker records it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) state: Arc<WorkerState>,
    pub(crate) route: NonZeroU32,
    pub(crate) path: Box<str>,
    pub(crate) peer: Option<SocketAddr>,
}

/// Passes lane events from the workers to the collector.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) listeners: Arc<Listeners>,
    opened: AtomicU64,
    lost: AtomicU64,
    /// Lane, time and event. Created with the first subscription, because it is large.
    queue: OnceLock<ArrayQueue<(u64, u64, LaneEvent)>>,
}

/// How many subscriptions there are.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    all: AtomicUsize,
    /// How many subscriptions ask for chunks.
    chunks: AtomicUsize,
}

impl Listeners {
    /// Counts one subscription more, or one less.
    pub(crate) fn count(&self, one: bool) {
        change(&self.all, one);
    }

    /// Counts one subscription that asks for chunks more, or one less.
    pub(crate) fn count_for_chunks(&self, one: bool) {
        change(&self.chunks, one);
    }
}

fn change(counter: &AtomicUsize, one: bool) {
    if one {
        counter.fetch_add(1, Ordering::Relaxed);
    } else {
        counter.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    #[inline]
    pub(crate) fn is_listening(&self) -> bool {
        self.listeners.all.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn wants_chunks(&self) -> bool {
        self.listeners.chunks.load(Ordering::Relaxed) > 0
    }

    /// How many lanes were opened so far.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Adds a subscription. Lanes are recorded from now on.
    pub(crate) fn listen(&self) {
        self.queue.get_or_init(|| ArrayQueue::new(EVENTS));
        self.listeners.count(true);
        self.listeners.count_for_chunks(true);
    }

    /// Opens a lane, and returns its number.
    pub(crate) fn begin(&self, at: u64, event: LaneEvent) -> u64 {
        let lane = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        self.add(lane, at, event);
        lane
    }

    pub(crate) fn add(&self, lane: u64, at: u64, event: LaneEvent) {
        let Some(queue) = self.queue.get() else {
            return;
        };
        if queue.force_push((lane, at, event)).is_some() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Publishes the events that the workers recorded, in the order in which they arrived.
    /// `blame` says whom a request lost time to.
    pub(crate) fn drain(
        &self,
        since_origin: impl Fn(u64) -> Duration,
        blame: impl Fn(&Loss) -> Vec<Blame>,
        publish: impl Fn(Event),
    ) {
        let Some(queue) = self.queue.get() else {
            return;
        };
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            publish(Event::Lost { events: lost });
        }
        // At most the events that are queued now, because a busy server could otherwise keep the collector
        // here.
        for _ in 0..queue.len() {
            let Some((lane, at, event)) = queue.pop() else {
                break;
            };
            publish(published(lane, since_origin(at), &blame, event));
        }
    }
}

fn published(
    lane: u64,
    at: Duration,
    blame: impl Fn(&Loss) -> Vec<Blame>,
    event: LaneEvent,
) -> Event {
    match event {
        LaneEvent::Opened(opened) => {
            let route = opened.state.routes.get(opened.route);
            Event::Opened {
                lane,
                at,
                worker: opened.state.worker,
                method: route.method.to_owned(),
                route: route.pattern,
                path: opened.path.into(),
                peer: opened.peer,
            }
        }
        LaneEvent::Answered { status } => Event::Answered { lane, at, status },
        LaneEvent::Chunk { bytes } => Event::Chunk { lane, at, bytes },
        LaneEvent::Ended {
            finished,
            age,
            running,
            loss,
        } => {
            let by = loss.map(|loss| blame(&loss)).unwrap_or_default();
            let held_up: Duration = by.iter().map(|blame| blame.held_up).sum();
            let running = Duration::from_nanos(running);
            let waiting = Duration::from_nanos(age).saturating_sub(running + held_up);
            let spent = Spent::new(running, waiting, by);
            Event::Ended {
                lane,
                at,
                finished,
                spent,
            }
        }
    }
}
