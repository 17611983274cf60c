//! What a worker notes of one of its requests when a poll of it begins and ends.

use std::num::NonZeroU32;
use std::task::Waker;

use holdup_model::Part;

use crate::lost::Counts;
use crate::seat::Seat;
use crate::worker::Worker;

impl Worker {
    /// Records that a call or a poll of the request with this seat begins. Returns when.
    #[expect(
        clippy::inline_always,
        reason = "it runs at the beginning of each poll"
    )]
    #[inline(always)]
    pub(crate) fn enter(&self, seat: &Seat, route: NonZeroU32, part: Part) -> u64 {
        // The call follows the opening at once, and the clock was read for that.
        let since = if part == Part::Call && seat.lane.get() == 0 {
            self.poll_begins_at(seat.opened.get())
        } else {
            self.poll_begins()
        };
        self.state.enter(seat.number.get(), route, part, since);
        // A call that follows the opening at once finds nothing that is lost, and nothing that waits.
        if part != Part::Call || since != seat.ran_until.get() {
            self.count_lost(seat, since);
            // Only now, because the request counts as waiting until its poll begins.
            self.waits_no_more(seat);
        }
        since
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
            match self.state.polled_since() {
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
            self.lose(seat, (ready, now), counts);
        }
    }

    /// Counts the request no more among those that wait.
    #[inline]
    pub(crate) fn waits_no_more(&self, seat: &Seat) {
        if seat.waits.get() {
            seat.waits.set(false);
            self.waiting.set(self.waiting.get() - 1);
        }
    }

    /// Records that a poll leaves the request waiting.
    pub(crate) fn wait(&self, seat: &Seat, task: &Waker) {
        seat.slot.register(task);
        if !seat.waits.replace(true) {
            self.waiting.set(self.waiting.get() + 1);
        }
    }

    /// Records the beginning of a poll within another one. The worker's cell says only that the outer one runs.
    #[cold]
    pub(crate) fn begin_nested(&self, seat: Option<&Seat>) {
        if let Some(seat) = seat {
            seat.slot.enter(self.last_tick());
            seat.slot.take_woken();
            seat.still_waits.set(false);
        }
    }

    /// Records the end of a poll within another one.
    #[cold]
    pub(crate) fn end_nested(&self, seat: Option<&Seat>, part: Part) {
        if let Some(seat) = seat {
            seat.leave(part, None, self.last_tick());
            seat.answered.set(0);
        }
    }
}
