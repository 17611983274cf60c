//! Events on their way to those who subscribed.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, OnceLock};

use holdup_model::Event;
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

use crate::lanes::Listeners;

/// The most events that wait for one subscriber.
const EVENTS: usize = 16_384;

/// Publishes events. Sending never waits for a subscriber.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// Made for the first subscription: it is large.
    sender: OnceLock<broadcast::Sender<Event>>,
}

impl Events {
    /// Without a subscription there is nobody to publish to, and that is no error.
    pub(crate) fn publish(&self, event: Event) {
        if let Some(sender) = self.sender.get() {
            sender.send(event).ok();
        }
    }

    /// A subscription that begins with these events.
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

/// What a watch publishes from now on, event by event. The first events are a [`Held`](Event::Held) for each
/// hold that lasts already.
///
/// A slow subscriber loses its oldest events; it never delays the others.
pub struct Subscription {
    first: VecDeque<Event>,
    events: broadcast::Receiver<Event>,
    listeners: Arc<Listeners>,
    chunks: bool,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("waiting", &(self.first.len() + self.events.len()))
            .field("chunks", &self.chunks)
            .finish()
    }
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

    /// Waits for the next event; `None` when the watch is gone.
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

    /// The next event, if one is there already.
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

impl Drop for Subscription {
    fn drop(&mut self) {
        self.want_chunks(false);
        self.listeners.count(false);
    }
}
