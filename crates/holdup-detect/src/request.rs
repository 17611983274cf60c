//! One request on its way through the watched services, and the polls that work on it.

use std::cell::Cell;
use std::mem;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use holdup_model::Part;

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
    /// `None` inside another watched service, which already counts the request. What the request is, is kept in its
    /// seat, so that little is moved with it.
    seat: Option<Box<Seat>>,
    route: NonZeroU32,
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
        let mut seat = None;
        if worker.depth.get() == 0 {
            let mut lane = 0;
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
            let taken = worker.seats.borrow_mut().take(&worker.state);
            taken.open(worker.next_request(), lane, route, opened);
            seat = Some(taken);
        }
        Self {
            worker: Rc::clone(worker),
            seat,
            route,
            finished: Cell::new(false),
        }
    }

    /// Polls a future or a body of this request. `poll` gets a context whose waker also tells the detector when
    /// the request was woken. If somebody has asked for it, the places are noted at which the request waits.
    #[expect(
        clippy::inline_always,
        reason = "what the poll returns is large, and would be copied"
    )]
    #[inline(always)]
    pub fn poll<T>(
        &self,
        part: Part,
        context: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let span = self.enter(part);
        // Inside another watched service, the outer request's waker is in the context.
        let Some(seat) = &self.seat else {
            return poll(context);
        };
        if span.nested {
            // The worker's cell says that the outer request runs.
            seat.slot.enter(self.worker.last_tick());
            seat.slot.take_woken();
            seat.still_waits.set(false);
        }
        let polled = if seat.slot.take_look() {
            self.worker.look(seat, &mut poll)
        } else {
            poll(&mut Context::from_waker(&seat.waker))
        };
        if polled.is_pending() {
            self.wait(seat, context.waker());
        }
        if span.nested {
            seat.leave(part, None, self.worker.last_tick());
        }
        span.end();
        polled
    }

    /// Records that a poll leaves the request waiting.
    fn wait(&self, seat: &Seat, task: &Waker) {
        seat.slot.register(task);
        if !seat.waits.replace(true) {
            self.worker.waiting.set(self.worker.waiting.get() + 1);
        }
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
                Some(seat) if part == Part::Call && seat.lane.get() == 0 => {
                    worker.poll_begins_at(seat.opened.get())
                }
                _ => worker.poll_begins(),
            };
            let number = self.number();
            worker.state.enter(number, self.route, part, span.since);
        }
        if let Some(seat) = &self.seat {
            // A call that follows the opening at once finds nothing that is lost, and nothing that waits.
            if part == Part::Call && !span.nested && span.since == seat.ran_until.get() {
                return span;
            }
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

    /// Identifies the request among those of its worker, and contains its lane if it has one. It is 0 inside another
    /// watched service.
    #[inline]
    fn number(&self) -> u64 {
        self.seat.as_ref().map_or(0, |seat| seat.number.get())
    }

    /// The lane that is recorded for it; 0 if there was no subscription when the request arrived.
    #[inline]
    fn lane(&self) -> u64 {
        self.seat.as_ref().map_or(0, |seat| seat.lane.get())
    }

    /// Records that a poll begins, and counts the time for which the request was ready before.
    #[inline]
    fn count_lost(&self, seat: &Seat, now: u64) {
        let woken = seat.slot.take_woken();
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
        self.lane() > 0
    }

    /// Records that the whole response was handed over.
    #[inline]
    pub fn finish(&self) {
        self.finished.set(true);
    }

    fn record(&self, event: LaneEvent) {
        self.worker
            .lanes()
            .add(self.lane(), self.worker.now(), event);
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
        let lane = seat.lane.get();
        if lane > 0 {
            let now = worker.now();
            let ended = LaneEvent::Ended {
                finished: self.finished.get(),
                age: now.saturating_sub(seat.opened.get()),
                running: seat.running.get(),
                loss: loss.clone(),
            };
            worker.lanes().add(lane, now, ended);
        }
        match loss {
            Some(loss) => worker.hand_over(loss, seat.span.take()),
            None => worker.state.routes.count_unharmed(self.route),
        }
        worker.state.set_open(worker.state.open() - 1);
        seat.slot.close();
        worker.seats.borrow_mut().give_back(seat);
    }
}

impl PollSpan<'_> {
    /// Ends the call or poll, as a drop does, but in line. The compiler does not inline a drop that is also needed for a
    /// panic.
    #[expect(clippy::inline_always, reason = "it runs at the end of each poll")]
    #[inline(always)]
    pub fn end(self) {
        self.leave();
        mem::forget(self);
    }

    #[expect(clippy::inline_always, reason = "it runs at the end of each poll")]
    #[inline(always)]
    fn leave(&self) {
        let worker = &*self.request.worker;
        worker.depth.set(worker.depth.get() - 1);
        if self.nested {
            return;
        }
        let tick = worker.last_tick();
        // A poll that ends within the clock tick in which it began is too short to matter, and nearly all
        // polls do. Many short polls in a row are still detected, because a tick falls into one of them.
        if worker.in_period.get() || tick != self.since {
            self.leave_slow(tick);
            return;
        }
        // The cell is written last. Until then, it says that the request runs.
        if let Some(seat) = &self.request.seat {
            seat.leave(self.part, None, tick);
        }
        worker.state.leave(tick);
    }

    #[cold]
    fn leave_slow(&self, tick: u64) {
        let Request {
            worker,
            seat,
            route,
            ..
        } = self.request;
        // The slot has to say that the request runs, because the cell does not do so any more.
        if let Some(seat) = seat {
            seat.slot.enter(self.since);
        }
        worker.state.leave(tick);
        let number = self.request.number();
        let slow = worker.record_slow_poll(number, *route, self.part, self.since);
        if let Some(seat) = seat {
            seat.leave(self.part, Some(slow.since), slow.end);
        }
    }
}

impl Drop for PollSpan<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}
