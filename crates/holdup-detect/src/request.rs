//! One request on its way through the watched services, and the polls that work on it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;

use holdup_model::Part;

use crate::lanes::{LaneEvent, Opened};
use crate::worker::Worker;

/// The longest path that is recorded, in bytes: thousands of lanes may wait to be published, and a
/// client may send 64 KiB.
const PATH_RECORDED: usize = 1024;

/// A request on its way: counted as open until it is dropped.
#[derive(Debug)]
pub struct Request {
    worker: Rc<Worker>,
    /// Its number on the worker, from 1; 0 within another watched service, which counts it.
    number: u64,
    /// The lane that is recorded for it; 0 when there was no subscription when it came.
    lane: u64,
    route: NonZeroU32,
    /// Whether its last poll left it waiting for something.
    waits: Cell<bool>,
    finished: Cell<bool>,
}

/// A call or a poll in progress; dropping it, also in a panic, ends it.
#[derive(Debug)]
pub struct PollSpan<'a> {
    request: &'a Request,
    part: Part,
    since: u64,
    nested: bool,
}

impl Request {
    /// A request of that route has come. While there is a subscription, `seen` is asked for its path, with
    /// the query or without, and for the other end of its connection.
    #[inline]
    pub fn open<'a>(
        worker: &Rc<Worker>,
        route: NonZeroU32,
        seen: impl FnOnce(bool) -> (&'a str, Option<SocketAddr>),
    ) -> Self {
        let (mut number, mut lane) = (0, 0);
        if worker.depth.get() == 0 {
            number = worker.requests.get() + 1;
            worker.requests.set(number);
            worker.state.set_open(worker.state.open() + 1);
            if worker.lanes().is_listening() {
                let (path, peer) = seen(worker.records_query());
                let opened = LaneEvent::Opened(Box::new(Opened {
                    state: Arc::clone(&worker.state),
                    route,
                    path: shortened(path).into(),
                    peer,
                }));
                lane = worker.lanes().begin(worker.now(), opened);
            }
        }
        Self {
            worker: Rc::clone(worker),
            number,
            lane,
            route,
            waits: Cell::new(false),
            finished: Cell::new(false),
        }
    }

    /// A call or a poll that works on this request begins. It ends when the span is dropped.
    #[inline]
    pub fn enter(&self, part: Part) -> PollSpan<'_> {
        let worker = &*self.worker;
        let depth = worker.depth.replace(worker.depth.get() + 1);
        let mut span = PollSpan {
            request: self,
            part,
            since: 0,
            nested: depth > 0,
        };
        if !span.nested {
            span.since = worker.poll_begins();
            worker
                .state
                .enter(self.number, self.route, part, span.since);
        }
        // Only now: up to here it was waiting.
        if self.waits.replace(false) {
            worker.waiting.set(worker.waiting.get() - 1);
        }
        span
    }

    /// A poll, which goes on until its span is dropped, leaves the request waiting for something.
    #[inline]
    pub fn waits(&self) {
        // Within another watched service, that one's request waits.
        if self.number > 0 && !self.waits.replace(true) {
            self.worker.waiting.set(self.worker.waiting.get() + 1);
        }
    }

    /// Records that the handler has answered with this status.
    #[inline]
    pub fn record_answer(&self, status: u16) {
        self.record(LaneEvent::Answered { status });
    }

    /// Records a chunk of its answer, if a subscription asks for chunks.
    #[inline]
    pub fn record_chunk(&self, bytes: usize) {
        if self.is_recorded() && self.worker.lanes().wants_chunks() {
            self.record(LaneEvent::Chunk { bytes });
        }
    }

    /// Whether its lane is recorded.
    #[inline]
    pub fn is_recorded(&self) -> bool {
        self.lane > 0
    }

    /// All of its answer was handed over.
    #[inline]
    pub fn finish(&self) {
        self.finished.set(true);
    }

    #[inline]
    fn record(&self, event: LaneEvent) {
        if self.is_recorded() {
            self.worker.lanes().add(self.lane, self.worker.now(), event);
        }
    }
}

/// The path's beginning, if all of it is too long.
fn shortened(path: &str) -> &str {
    let mut end = path.len().min(PATH_RECORDED);
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    &path[..end]
}

impl Drop for Request {
    #[inline]
    fn drop(&mut self) {
        let finished = self.finished.get();
        self.record(LaneEvent::Ended { finished });
        let worker = &self.worker;
        if self.number > 0 {
            worker.state.set_open(worker.state.open() - 1);
        }
    }
}

impl Drop for PollSpan<'_> {
    #[inline]
    fn drop(&mut self) {
        let worker = &*self.request.worker;
        worker.depth.set(worker.depth.get() - 1);
        if self.nested {
            return;
        }
        let tick = worker.last_tick();
        worker.state.leave(tick);
        // Within a tick of the clock nothing can have lasted, and that is how nearly all end. Many
        // small polls in a row are found all the same: a tick falls into one of them.
        if worker.in_period.get() || tick != self.since {
            let (number, route) = (self.request.number, self.request.route);
            worker.record_slow_poll(number, route, self.part, self.since);
        }
    }
}
