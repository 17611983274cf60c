//! One request on its way through the watched services, and the polls that work on it.

use std::cell::Cell;
use std::mem;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use holdup_model::Part;

use crate::lanes::{LaneEvent, Opened};
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
        let seat = (worker.depth.get() == 0).then(|| Self::open_seat(worker, route, seen));
        Self {
            worker: Rc::clone(worker),
            seat,
            route,
            finished: Cell::new(false),
        }
    }

    #[inline]
    fn open_seat<'a>(
        worker: &Worker,
        route: NonZeroU32,
        seen: impl FnOnce(bool) -> (&'a str, Option<SocketAddr>),
    ) -> Box<Seat> {
        worker.state.set_open(worker.state.open() + 1);
        worker.shared.end_doze();
        let (mut opened, mut lane) = (worker.last_tick(), 0);
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
        let seat = worker.seats.borrow_mut().take(&worker.state);
        seat.open(worker.next_request(), lane, route, opened);
        seat
    }

    /// Polls a future or a body of this request. `poll` gets a context whose waker also tells the detector when
    /// the request was woken. If somebody has asked for it, the places are noted at which the request waits.
    pub fn poll<T>(
        &self,
        part: Part,
        context: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.poll_in(
            part,
            context,
            &mut (),
            |(), context| poll(context),
            |(), _| {},
        )
    }

    /// As [`poll`](Self::poll), of what is in `place`. `after` gets what the poll returned, and may empty the place:
    /// that still belongs to the poll.
    #[expect(
        clippy::inline_always,
        reason = "what the poll returns is large, and would be copied"
    )]
    #[inline(always)]
    pub fn poll_in<P, T>(
        &self,
        part: Part,
        context: &mut Context<'_>,
        place: &mut P,
        poll: impl FnMut(&mut P, &mut Context<'_>) -> Poll<T>,
        after: impl FnOnce(&mut P, &Poll<T>),
    ) -> Poll<T> {
        self.poll_and(part, context, place, poll, after, false)
    }

    /// As [`poll_in`](Self::poll_in), of the request's future. When it is ready, most requests are over, so what this
    /// one does from then on is not recorded: it has to be dropped, or to [go on](Self::goes_on).
    #[expect(
        clippy::inline_always,
        reason = "what the poll returns is large, and would be copied"
    )]
    #[inline(always)]
    pub fn poll_for_answer<P, T>(
        &self,
        context: &mut Context<'_>,
        place: &mut P,
        poll: impl FnMut(&mut P, &mut Context<'_>) -> Poll<T>,
        after: impl FnOnce(&mut P, &Poll<T>),
    ) -> Poll<T> {
        self.poll_and(Part::Future, context, place, poll, after, true)
    }

    #[expect(
        clippy::inline_always,
        reason = "what the poll returns is large, and would be copied"
    )]
    #[inline(always)]
    fn poll_and<P, T>(
        &self,
        part: Part,
        context: &mut Context<'_>,
        place: &mut P,
        poll: impl FnMut(&mut P, &mut Context<'_>) -> Poll<T>,
        after: impl FnOnce(&mut P, &Poll<T>),
        may_end: bool,
    ) -> Poll<T> {
        let span = self.begin(part);
        if span.nested {
            self.worker.begin_nested(self.seat.as_deref());
        }
        let polled = self.polled(context, place, poll);
        after(place, &polled);
        self.end_poll(
            &span,
            context,
            polled.is_pending(),
            may_end && polled.is_ready(),
        );
        mem::forget(span);
        polled
    }

    /// Records that the request goes on after its future was ready: a body follows. Until then, other threads find what
    /// the request did before that poll.
    pub fn goes_on(&self) {
        if let Some(seat) = &self.seat {
            let answered = seat.answered.replace(0);
            if answered > 0 {
                seat.leave(Part::Future, None, answered);
            }
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "what the poll returns is large, and would be copied"
    )]
    #[inline(always)]
    fn polled<P, T>(
        &self,
        context: &mut Context<'_>,
        place: &mut P,
        mut poll: impl FnMut(&mut P, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        match &self.seat {
            // Inside another watched service, the outer request's waker is in the context.
            None => poll(place, context),
            Some(seat) if seat.slot.take_look() => {
                let mut poll = |context: &mut Context<'_>| poll(place, context);
                self.worker.look(seat, &mut poll)
            }
            Some(seat) => poll(place, &mut Context::from_waker(&seat.waker)),
        }
    }

    #[expect(clippy::inline_always, reason = "it runs at the end of each poll")]
    #[inline(always)]
    fn end_poll(
        &self,
        span: &PollSpan<'_>,
        context: &Context<'_>,
        is_pending: bool,
        may_end: bool,
    ) {
        if is_pending && let Some(seat) = &self.seat {
            self.worker.wait(seat, context.waker());
        }
        if span.nested {
            self.worker.end_nested(self.seat.as_deref(), span.part);
        }
        self.leave(span.part, span.since, span.nested, may_end);
    }

    /// Begins a call, or the drop of a future, that works on this request. It ends when the span is dropped.
    #[inline(never)]
    pub fn enter(&self, part: Part) -> PollSpan<'_> {
        self.begin(part)
    }

    /// Ends a call or a poll. If the request `may_end` with it, what the request does from then on is left open.
    #[expect(clippy::inline_always, reason = "it runs at the end of each poll")]
    #[inline(always)]
    fn leave(&self, part: Part, since: u64, nested: bool, may_end: bool) {
        let worker = &*self.worker;
        worker.depth.set(worker.depth.get() - 1);
        if nested {
            return;
        }
        let tick = worker.last_tick();
        // A poll that ends within the clock tick in which it began is too short to matter, and nearly all
        // polls do. Many short polls in a row are still detected, because a tick falls into one of them.
        if worker.in_period.get() || tick != since {
            self.leave_slow(part, since, tick);
            return;
        }
        // The cell is written last. Until then, it says that the request runs.
        if let Some(seat) = &self.seat {
            if may_end {
                seat.answered.set(tick);
            } else {
                seat.leave(part, None, tick);
            }
        }
        worker.state.leave(tick);
    }

    /// As [`leave`](Self::leave), out of line.
    #[cold]
    fn leave_dropped(&self, part: Part, since: u64, nested: bool) {
        self.leave(part, since, nested, false);
    }

    /// Ends a call or a poll that took long enough to matter, or one in a busy period.
    #[cold]
    fn leave_slow(&self, part: Part, since: u64, tick: u64) {
        let worker = &self.worker;
        // The slot has to say that the request runs, because the cell does not do so any more.
        if let Some(seat) = &self.seat {
            seat.slot.enter(since);
        }
        worker.state.leave(tick);
        let slow = worker.record_slow_poll(self.number(), self.route, part, since);
        if let Some(seat) = &self.seat {
            seat.leave(part, Some(slow.since), slow.end);
            seat.answered.set(0);
        }
    }

    /// Begins the call of the service with this request. As [`enter`](Self::enter), but in line.
    #[expect(clippy::inline_always, reason = "each request has one call")]
    #[inline(always)]
    pub fn enter_call(&self) -> PollSpan<'_> {
        self.begin(Part::Call)
    }

    #[expect(
        clippy::inline_always,
        reason = "it runs at the beginning of each poll"
    )]
    #[inline(always)]
    fn begin(&self, part: Part) -> PollSpan<'_> {
        let worker = &*self.worker;
        let depth = worker.depth.replace(worker.depth.get() + 1);
        let nested = depth > 0;
        let since = match &self.seat {
            _ if nested => self.enter_nested(),
            Some(seat) => self.worker.enter(seat, self.route, part),
            None => self.enter_cell_without_seat(part),
        };
        PollSpan {
            request: self,
            part,
            since,
            nested,
        }
    }

    #[cold]
    fn enter_cell_without_seat(&self, part: Part) -> u64 {
        let since = self.worker.poll_begins();
        self.worker.state.enter(0, self.route, part, since);
        since
    }

    /// Begins a call or a poll within that of another request.
    #[cold]
    fn enter_nested(&self) -> u64 {
        if let Some(seat) = &self.seat {
            self.worker.waits_no_more(seat);
        }
        0
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
        worker.waits_no_more(&seat);
        let is_unharmed = seat.lost.borrow().is_empty();
        if seat.lane.get() > 0 || !is_unharmed {
            worker.tell_end(&seat, self.route, self.finished.get());
        }
        if is_unharmed {
            worker.state.routes.count_unharmed(self.route);
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
        self.request
            .leave(self.part, self.since, self.nested, false);
        mem::forget(self);
    }
}

impl Drop for PollSpan<'_> {
    #[inline]
    fn drop(&mut self) {
        // The fields, and not the span: what somebody has a reference to is kept in memory in each poll.
        self.request
            .leave_dropped(self.part, self.since, self.nested);
    }
}
