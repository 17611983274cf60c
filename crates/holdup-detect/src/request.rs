//! One request on its way through the watched services, and the polls that work on it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use holdup_model::Part;

use crate::busy_period;
use crate::lanes::{LaneEvent, Opened};
use crate::losses::Loss;
use crate::lost::Counts;
use crate::seat::Seat;
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
    finished: Cell<bool>,
    /// `None` inside another watched service.
    seat: Option<Box<Seat>>,
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
        let (mut number, mut lane, mut seat) = (0, 0, None);
        if worker.depth.get() == 0 {
            worker.state.set_open(worker.state.open() + 1);
            worker.shared.end_doze();
            let mut opened = worker.last_tick();
            if worker.lanes().is_listening() {
                opened = worker.now();
                let (path, peer) = seen(worker.records_query());
                let event = LaneEvent::Opened(Box::new(Opened {
                    state: Arc::clone(&worker.state),
                    route,
                    path: shortened(path).into(),
                    peer,
                }));
                lane = worker.lanes().begin(opened, event);
            }
            let own_number = worker.next_request();
            number = if lane > 0 {
                busy_period::request_of_lane(lane)
            } else {
                own_number
            };
            let taken = worker.seats.borrow_mut().take(&worker.state);
            taken.open(own_number, lane, route, opened);
            seat = Some(taken);
        }
        Self {
            worker: Rc::clone(worker),
            number,
            lane,
            route,
            finished: Cell::new(false),
            seat,
        }
    }

    /// Polls a future or a body of this request. `poll` gets a context whose waker also tells the detector when
    /// the request was woken. If somebody has asked for it, the places are noted at which the request waits.
    #[inline]
    pub fn poll<T>(
        &self,
        part: Part,
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let span = self.enter(part);
        // Inside another watched service, the outer request's waker is in the context.
        let Some(seat) = &self.seat else {
            return poll(context);
        };
        if span.nested {
            seat.slot.enter(self.worker.last_tick());
            seat.still_waits.set(false);
        }
        let polled = if seat.slot.take_look() {
            self.worker.look(seat, poll)
        } else {
            poll(&mut Context::from_waker(&seat.waker))
        };
        if polled.is_pending() {
            seat.slot.register(context.waker());
            if !seat.waits.replace(true) {
                self.worker.waiting.set(self.worker.waiting.get() + 1);
            }
        }
        if span.nested {
            seat.leave(part, None, self.worker.last_tick());
        }
        polled
    }

    /// Begins a call, or the drop of a future, that works on this request. It ends when the span is dropped.
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
            span.since = match &self.seat {
                // The call follows the opening at once, and the clock was read for that.
                Some(seat) if part == Part::Call && self.lane == 0 => {
                    worker.poll_begins_at(seat.opened.get())
                }
                _ => worker.poll_begins(),
            };
            worker
                .state
                .enter(self.number, self.route, part, span.since);
        }
        if let Some(seat) = &self.seat {
            if !span.nested {
                self.count_lost(seat, span.since);
            }
            // Only now, because the request counts as waiting until its poll begins.
            if seat.waits.replace(false) {
                worker.waiting.set(worker.waiting.get() - 1);
            }
        }
        span
    }

    /// Records that a poll begins, and counts the time for which the request was ready before.
    #[inline]
    fn count_lost(&self, seat: &Seat, now: u64) {
        let woken = seat.slot.enter(now);
        let waited = seat.waits.get();
        seat.still_waits.set(waited && woken == 0);
        let (ready, counts) = if !waited {
            // Its last poll gave a chunk of the body, or there was none yet. It is polled when its client has read
            // enough, so a wake-up says nothing. After a hold it is not known since when the client has.
            match self.worker.state.polled_since() {
                Some(since) => (since, Counts::OnlyRequests),
                None => return,
            }
        } else if woken > 0 {
            (woken, Counts::All)
        } else {
            // Something else woke the task. This request waits as before.
            return;
        };
        let ready = ready.max(seat.idle.get());
        if ready < now {
            self.worker.lose(seat, (ready, now), counts);
        }
    }

    /// Records that the handler has answered with this status.
    #[inline]
    pub fn record_answer(&self, status: u16) {
        if self.is_recorded() {
            self.record(LaneEvent::Answered { status });
        }
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

    fn record(&self, event: LaneEvent) {
        self.worker.lanes().add(self.lane, self.worker.now(), event);
    }

    /// Takes what the request lost, if anything.
    fn take_loss(&self, seat: &Seat) -> Option<Arc<Loss>> {
        if seat.lost.borrow().is_empty() {
            return None;
        }
        let state = Arc::clone(&self.worker.state);
        Some(Arc::new(Loss::new(state, self.route, seat.lost.take())))
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
        let Some(seat) = self.seat.take() else {
            return;
        };
        let worker = &self.worker;
        if seat.waits.replace(false) {
            worker.waiting.set(worker.waiting.get() - 1);
        }
        let loss = self.take_loss(&seat);
        if self.is_recorded() {
            let now = worker.now();
            let ended = LaneEvent::Ended {
                finished: self.finished.get(),
                age: now.saturating_sub(seat.opened.get()),
                running: seat.running.get(),
                loss: loss.clone(),
            };
            worker.lanes().add(self.lane, now, ended);
        }
        if let Some(loss) = loss {
            worker.hand_over(loss, seat.span.take());
        }
        worker.state.set_open(worker.state.open() - 1);
        seat.slot.close();
        worker.seats.borrow_mut().give_back(seat);
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
        let (mut since, mut end) = (None, tick);
        // A poll that ends within the clock tick in which it began is too short to matter, and nearly all
        // polls do. Many short polls in a row are still detected, because a tick falls into one of them.
        if worker.in_period.get() || tick != self.since {
            let (number, route) = (self.request.number, self.request.route);
            let slow = worker.record_slow_poll(number, route, self.part, self.since);
            (since, end) = (Some(slow.since), slow.end);
        }
        if let Some(seat) = &self.request.seat {
            seat.leave(self.part, since, end);
        }
    }
}
