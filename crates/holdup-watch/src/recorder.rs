//! Lanes: when a request came, when its chunks went out, how it ended. Recorded only while
//! somebody listens.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use holdup_model::Event;
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

use super::slot::Slot;

/// The most moments that wait for the monitor, which looks every few milliseconds.
const MOMENTS: usize = 65_536;

/// The most events that wait for one subscriber.
const EVENTS: usize = 16_384;

/// A lane's moment as the worker notes it.
#[derive(Debug)]
pub(super) enum Moment {
    /// Boxed, so that the many chunks do not take its room.
    Opened(Box<Opened>),
    Answered {
        status: u16,
    },
    Chunk {
        bytes: usize,
    },
    Ended {
        finished: bool,
    },
}

/// A request as its worker notes it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) slot: Arc<Slot>,
    pub(super) route: NonZeroU32,
    pub(super) path: Box<str>,
    pub(super) peer: Option<SocketAddr>,
}

/// Takes moments from the workers, who never wait, and events to the subscribers.
#[derive(Debug)]
pub(super) struct Recorder {
    listeners: Arc<AtomicUsize>,
    /// Of these, how many want to know of chunks.
    chunk_listeners: Arc<AtomicUsize>,
    lanes: AtomicU64,
    lost: AtomicU64,
    /// Made for the first who listens: they are large.
    queues: OnceLock<Queues>,
}

#[derive(Debug)]
struct Queues {
    /// Lane, time and moment.
    moments: ArrayQueue<(u64, u64, Moment)>,
    events: broadcast::Sender<Event>,
}

impl Queues {
    fn new() -> Self {
        Self {
            moments: ArrayQueue::new(MOMENTS),
            events: broadcast::channel(EVENTS).0,
        }
    }
}

/// What a [`Watch`](super::Watch) sees from now on, event by event.
///
/// Whoever takes too long loses the oldest events, never more than the others' time.
#[derive(Debug)]
pub struct Subscription {
    events: broadcast::Receiver<Event>,
    listeners: Arc<AtomicUsize>,
    chunk_listeners: Arc<AtomicUsize>,
    chunks: bool,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self {
            listeners: Arc::default(),
            chunk_listeners: Arc::default(),
            lanes: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            queues: OnceLock::new(),
        }
    }

    pub(super) fn is_listening(&self) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0
    }

    pub(super) fn wants_chunks(&self) -> bool {
        self.chunk_listeners.load(Ordering::Relaxed) > 0
    }

    /// How many lanes there were so far.
    pub(super) fn lanes(&self) -> u64 {
        self.lanes.load(Ordering::Relaxed)
    }

    pub(super) fn subscribe(&self) -> Subscription {
        let queues = self.queues.get_or_init(Queues::new);
        self.listeners.fetch_add(1, Ordering::Relaxed);
        self.chunk_listeners.fetch_add(1, Ordering::Relaxed);
        Subscription {
            events: queues.events.subscribe(),
            listeners: Arc::clone(&self.listeners),
            chunk_listeners: Arc::clone(&self.chunk_listeners),
            chunks: true,
        }
    }

    /// Opens a lane, and returns its number.
    pub(super) fn begin(&self, at: u64, moment: Moment) -> u64 {
        let lane = self.lanes.fetch_add(1, Ordering::Relaxed) + 1;
        self.add(lane, at, moment);
        lane
    }

    pub(super) fn add(&self, lane: u64, at: u64, moment: Moment) {
        let Some(queues) = self.queues.get() else {
            return;
        };
        if queues.moments.force_push((lane, at, moment)).is_some() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Passes on what the workers noted, in the order in which it came.
    pub(super) fn pass_on(&self, since_origin: impl Fn(u64) -> Duration) {
        let Some(Queues { moments, .. }) = self.queues.get() else {
            return;
        };
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.send(Event::Lost { events: lost });
        }
        // No more than there were at the beginning, or a busy server would keep it here.
        for _ in 0..moments.len() {
            let Some((lane, at, moment)) = moments.pop() else {
                break;
            };
            let at = since_origin(at);
            self.send(match moment {
                Moment::Opened(opened) => {
                    let route = opened.slot.routes.get(opened.route);
                    Event::Opened {
                        lane,
                        at,
                        worker: opened.slot.worker,
                        method: route.method.to_owned(),
                        route: route.pattern,
                        path: opened.path.into(),
                        peer: opened.peer,
                    }
                }
                Moment::Answered { status } => Event::Answered { lane, at, status },
                Moment::Chunk { bytes } => Event::Chunk { lane, at, bytes },
                Moment::Ended { finished } => Event::Ended { lane, at, finished },
            });
        }
    }

    /// Nobody listening is no error.
    pub(super) fn send(&self, event: Event) {
        if let Some(queues) = self.queues.get() {
            queues.events.send(event).ok();
        }
    }
}

impl Subscription {
    /// Sets whether this subscription wants [`Event::Chunk`], as it does unless told. It may get
    /// them all the same, while another one wants them.
    pub fn want_chunks(&mut self, want: bool) {
        match (self.chunks, want) {
            (false, true) => self.chunk_listeners.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.chunk_listeners.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
        self.chunks = want;
    }

    /// Waits for the next event; `None` when the watch is gone.
    pub async fn next(&mut self) -> Option<Event> {
        match self.events.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(events)) => Some(Event::Lost { events }),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next event, if one is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        match self.events.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Lagged(events)) => Some(Event::Lost { events }),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.want_chunks(false);
        self.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}
