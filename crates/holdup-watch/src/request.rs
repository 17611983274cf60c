//! One request on its way through the watched services, and the pieces of work done for it.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::ServiceRequest;

use super::hold::Part;
use super::recorder::{Moment, Opened};
use super::route::Paths;
use super::system;
use super::worker::Worker;

/// The longest path that is recorded, in bytes: thousands of lanes may wait to be told, and a
/// client may send 64 KiB.
const PATH_RECORDED: usize = 1024;

/// A request on its way: counted as open until it is dropped.
#[derive(Debug)]
pub(super) struct Request {
    worker: Rc<Worker>,
    /// Its number on the worker, from 1; 0 within another watched service, which counts it.
    number: u64,
    /// The lane that is recorded for it; 0 when nobody listened when it came.
    lane: u64,
    route: NonZeroU32,
    /// Whether its last poll left it waiting for something.
    waits: Cell<bool>,
    finished: Cell<bool>,
}

/// A piece of work in progress; dropping it, also in a panic, ends it.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    request: &'a Request,
    part: Part,
    since: u64,
    nested: bool,
}

impl Request {
    /// A request has come to a service that leads to these paths.
    pub(super) fn open(
        worker: &Rc<Worker>,
        paths: &RefCell<Paths>,
        request: &ServiceRequest,
    ) -> Self {
        let route = paths.borrow_mut().number(request, &worker.names);
        let (mut number, mut lane) = (0, 0);
        if worker.depth.get() == 0 {
            number = worker.requests.get() + 1;
            worker.requests.set(number);
            worker.slot.set_open(worker.slot.open() + 1);
            if worker.recorder().is_listening() {
                let with_query = worker.shared.records_query();
                let path = request.uri().path_and_query().filter(|_| with_query);
                let path = path.map_or(request.path(), |path| path.as_str());
                let path = shortened(path).into();
                let slot = Arc::clone(&worker.slot);
                let peer = request.peer_addr();
                let opened = Opened {
                    slot,
                    route,
                    path,
                    peer,
                };
                let opened = Moment::Opened(Box::new(opened));
                lane = worker.recorder().begin(system::now(), opened);
            }
        }
        let (worker, finished) = (Rc::clone(worker), Cell::new(false));
        let waits = Cell::new(false);
        Self {
            worker,
            number,
            lane,
            route,
            waits,
            finished,
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn route(&self) -> NonZeroU32 {
        self.route
    }

    /// A piece of work on this request begins.
    #[inline]
    pub(super) fn enter(&self, part: Part) -> Piece<'_> {
        let worker = &*self.worker;
        let depth = worker.depth.replace(worker.depth.get() + 1);
        let mut piece = Piece {
            request: self,
            part,
            since: 0,
            nested: depth > 0,
        };
        if !piece.nested {
            piece.since = if worker.lasting.get() {
                worker.goes_on()
            } else {
                worker.tick()
            };
            worker
                .slot
                .enter(self.number, self.route, part, piece.since);
        }
        // Only now: up to here it was waiting.
        if self.waits.replace(false) {
            worker.waiting.set(worker.waiting.get() - 1);
        }
        piece
    }

    /// A poll, which goes on until its piece is dropped, leaves it waiting for something.
    #[inline]
    pub(super) fn waits(&self) {
        // Within another watched service, that one's request waits.
        if self.number > 0 && !self.waits.replace(true) {
            self.worker.waiting.set(self.worker.waiting.get() + 1);
        }
    }

    /// Records a moment of this request's lane, if it has one.
    #[inline]
    pub(super) fn record(&self, moment: impl FnOnce() -> Moment) {
        if self.is_recorded() {
            self.worker
                .recorder()
                .add(self.lane, system::now(), moment());
        }
    }

    /// Records a chunk of its answer, if somebody wants to know.
    #[inline]
    pub(super) fn record_chunk(&self, bytes: usize) {
        if self.is_recorded() && self.worker.recorder().wants_chunks() {
            self.record(|| Moment::Chunk { bytes });
        }
    }

    /// Whether its lane is recorded.
    #[inline]
    pub(super) fn is_recorded(&self) -> bool {
        self.lane > 0
    }

    /// All of its answer was handed over.
    #[inline]
    pub(super) fn finish(&self) {
        self.finished.set(true);
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
        self.record(|| Moment::Ended { finished });
        let worker = &self.worker;
        if self.number > 0 {
            worker.slot.set_open(worker.slot.open() - 1);
        }
    }
}

impl Drop for Piece<'_> {
    #[inline]
    fn drop(&mut self) {
        let worker = &*self.request.worker;
        worker.depth.set(worker.depth.get() - 1);
        if self.nested {
            return;
        }
        let tick = system::last_tick();
        worker.slot.leave(tick);
        // Within a tick of the clock nothing can have lasted, and that is how nearly all end. Many
        // small pieces in a row are found all the same: a tick falls into one of them.
        if worker.lasting.get() || tick != self.since {
            worker.lasts(self.request, self.part, self.since);
        }
    }
}
