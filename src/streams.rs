//! The streams in flight: counted in and out, bounded, and logged at both ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tracing::info;

/// All the streams of one lab, shared by its workers.
#[derive(Debug)]
pub struct Streams {
    max: usize,
    started: AtomicU64,
    open: AtomicUsize,
    cut: AtomicBool,
}

impl Streams {
    /// Room for `max` streams at once.
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

    /// How many are open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// From now on, a stream that ends early was cut off by the shutdown, not left by its client.
    pub fn cut_off(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// Counts a stream in; `None` when all places are taken.
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
    /// Counted from 1 since the lab started.
    pub number: u64,
    /// The handler's name.
    pub handler: &'static str,
    /// The worker that runs it, counted from 0.
    pub worker: usize,
}

/// One stream's place. Dropping it counts the stream out and logs how it ended.
#[derive(Debug)]
pub struct Stream {
    identity: Identity,
    streams: Arc<Streams>,
    finished: bool,
}

impl Stream {
    /// Number, handler and worker.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The last tick was handed over: the stream did not end early.
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
