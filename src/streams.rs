//! The open streams: counted, bounded, and logged at their start and end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tracing::info;

/// All streams of a lab, shared by its workers.
#[derive(Debug)]
pub struct Streams {
    max: usize,
    started: AtomicU64,
    open: AtomicUsize,
    cut: AtomicBool,
}

impl Streams {
    /// Creates the streams of a lab, with places for `max` at once.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            started: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            cut: AtomicBool::new(false),
        }
    }

    /// The most streams that may be open at once.
    pub fn max(&self) -> usize {
        self.max
    }

    /// How many streams are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Records that the lab is stopping. A stream that ends early from now on was cut off, not
    /// abandoned by its client.
    pub fn cut_off(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// Gives a new stream a place, or returns `None` when all places are taken.
    pub fn enter(self: &Arc<Self>, handler: &'static str, worker: usize) -> Option<Stream> {
        let more = |open| (open < self.max).then_some(open + 1);
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let identity = Identity {
            number,
            handler,
            worker,
        };
        Some(Stream {
            identity,
            streams: Arc::clone(self),
            finished: false,
        })
    }
}

/// What distinguishes one stream from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The stream's number since the lab started, counted from 1.
    pub number: u64,
    /// The handler's name.
    pub handler: &'static str,
    /// The worker that serves it, counted from 0.
    pub worker: usize,
}

/// The place of a stream. Dropping it frees the place and logs how the stream ended.
#[derive(Debug)]
pub struct Stream {
    identity: Identity,
    streams: Arc<Streams>,
    finished: bool,
}

impl Stream {
    /// The stream's number, handler and worker.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Records that the last tick was sent, so the stream did not end early.
    pub fn finish(&mut self) {
        self.finished = true;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let ended = if self.finished {
            "finished"
        } else if self.streams.cut.load(Ordering::Relaxed) {
            "shutdown"
        } else {
            "client left"
        };
        let open = self.streams.open.fetch_sub(1, Ordering::Relaxed) - 1;
        let Identity {
            number,
            handler,
            worker,
        } = self.identity;
        info!(
            stream = number,
            handler, worker, ended, open, "stream ended"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_stream_is_dropped() {
        let streams = Arc::new(Streams::new(2));
        let first = streams.enter("coroutine", 0).expect("a free place");
        let second = streams.enter("coroutine", 0).expect("a free place");
        assert!(streams.enter("coroutine", 0).is_none());
        assert_eq!(streams.open(), 2);

        drop(first);
        let third = streams
            .enter("blocking", 1)
            .expect("the place that was left");
        assert_eq!(
            third.identity(),
            &Identity {
                number: 3,
                handler: "blocking",
                worker: 1
            }
        );

        drop((second, third));
        assert_eq!(streams.open(), 0);
    }
}
