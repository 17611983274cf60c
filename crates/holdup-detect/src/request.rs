//! One request on its way through the watched services, and the polls that work on it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;

use holdup_model::Part;

use crate::busy_period;
use crate::lanes::{LaneEvent, Opened};
use crate::worker::Worker;

/// The longest path that is recorded, in bytes: thousands of lanes may wait to be published, and a
/// client may send 64 KiB.
const PATH_RECORDED: usize = 1024;

/// A request in progress. It counts as open until it is dropped.
#[derive(Debug)]
pub struct Request {
    worker: Rc<Worker>,
    /// Identifies the request among those of its worker, and contains its lane if it has one. It is 0 inside
    /// another watched service, which already counts the request.
    number: u64,
    /// The lane that is recorded for it; 0 if there was no subscription when the request arrived.
    lane: u64,
    route: NonZeroU32,
    /// Whether its last poll left it waiting for something.
    waits: Cell<bool>,
    finished: Cell<bool>,
}

/// A call or a poll in progress. It ends when the span is dropped, also during a panic.
#[derive(Debug)]
pub struct PollSpan<'a> {
    request: &'a Request,
    part: Part,
    since: u64,
    nested: bool,
}

impl Request {
    /// Opens a request of a route. While there is a subscription, `seen` is called for the request's path,
    /// with or without the query, and for the address of its peer.
    #[inline]
    pub fn open<'a>(
        worker: &Rc<Worker>,
        route: NonZeroU32,
        seen: impl FnOnce(bool) -> (&'a str, Option<SocketAddr>),
    ) -> Self {
        let (mut number, mut lane) = (0, 0);
        if worker.depth.get() == 0 {
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
            number = if lane > 0 {
                busy_period::request_of_lane(lane)
            } else {
                worker.requests.set(worker.requests.get() + 1);
                worker.requests.get()
            };
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

    /// Begins a call or a poll that works on this request. It ends when the span is dropped.
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
        // Only now, because the request counts as waiting until its poll begins.
        if self.waits.replace(false) {
            worker.waiting.set(worker.waiting.get() - 1);
        }
        span
    }

    /// Records that the current poll leaves the request waiting. The poll itself lasts until its span is
    /// dropped.
    #[inline]
    pub fn waits(&self) {
        // Inside another watched service, the outer request is the one that waits.
        if self.number > 0 && !self.waits.replace(true) {
            self.worker.waiting.set(self.worker.waiting.get() + 1);
        }
    }

    /// Records that the handler has answered with this status.
    #[inline]
    pub fn record_answer(&self, status: u16) {
        self.record(LaneEvent::Answered { status });
    }

    /// Records a chunk of the response, if a subscription asks for chunks.
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

    /// Records that the whole response was handed over.
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

/// The path, cut off if it is too long to record.
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
        // A poll that ends within the clock tick in which it began is too short to matter, and nearly all
        // polls do. Many short polls in a row are still detected, because a tick falls into one of them.
        if worker.in_period.get() || tick != self.since {
            let (number, route) = (self.request.number, self.request.route);
            worker.record_slow_poll(number, route, self.part, self.since);
        }
    }
}
