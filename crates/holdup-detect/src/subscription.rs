//! Delivers events to subscribers.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use holdup_model::Event;
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

use crate::lanes::Listeners;

/// The most events that are buffered for one subscriber.
const EVENTS: usize = 16_384;

/// Publishes events, and never waits for a subscriber.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// Created with the first subscription, because it is large.
    sender: OnceLock<broadcast::Sender<Event>>,
}

impl Events {
    /// Publishes an event. Without a subscription this does nothing.
    pub(crate) fn publish(&self, event: Event) {
        if let Some(sender) = self.sender.get() {
            sender.send(event).ok();
        }
    }

    /// Creates a subscription that begins with the events `first`.
    pub(crate) fn subscribe(
        &self,
        first: impl Iterator<Item = Event>,
        listeners: &Arc<Listeners>,
    ) -> Subscription {
        let sender = self.sender.get_or_init(|| broadcast::channel(EVENTS).0);
        Subscription {
            first: first.collect(),
            events: sender.subscribe(),
            listeners: Arc::clone(listeners),
            chunks: true,
        }
    }
}

/// The events that a watch publishes from now on. The first events are a [`Held`](Event::Held) for each
/// ongoing hold.
///
/// A slow subscriber loses its oldest events; it never delays the others.
#[derive(Debug)]
pub struct Subscription {
    first: VecDeque<Event>,
    events: broadcast::Receiver<Event>,
    listeners: Arc<Listeners>,
    chunks: bool,
}

impl Subscription {
    /// Sets whether this subscription asks for [`Event::Chunk`], which it does by default. Chunks are
    /// still delivered while any other subscription asks for them.
    pub fn want_chunks(&mut self, want: bool) {
        if self.chunks != want {
            self.listeners.count_for_chunks(want);
            self.chunks = want;
        }
    }

    /// Waits for the next event. Returns `None` when the watch and all its clones are dropped.
    pub async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.first.pop_front() {
            return Some(event);
        }
        match self.events.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(events)) => Some(Event::Lost { events }),
            Err(RecvError::Closed) => None,
        }
    }

    /// Waits for the next event on the calling thread, which runs no tasks: the event, or `None` when the watch and all
    /// its clones are dropped. It is pending if the thread was unparked for something else.
    pub(crate) fn wait(&mut self) -> Poll<Option<Event>> {
        let unparks = Waker::from(Arc::new(Unparks(thread::current())));
        let mut context = Context::from_waker(&unparks);
        let mut next = pin!(self.next());
        let polled = next.as_mut().poll(&mut context);
        if polled.is_ready() {
            return polled;
        }
        thread::park();
        next.poll(&mut context)
    }

    /// Returns the next event if one is available, without waiting.
    pub fn try_next(&mut self) -> Option<Event> {
        if let Some(event) = self.first.pop_front() {
            return Some(event);
        }
        match self.events.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Lagged(events)) => Some(Event::Lost { events }),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

/// Wakes a thread that waits for an event.
struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.want_chunks(false);
        self.listeners.count(false);
    }
}
