//! What is told of a request that is over.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::lanes::LaneEvent;
use crate::losses::Loss;
use crate::seat::Seat;
use crate::worker::Worker;

impl Worker {
    /// Tells what there is to tell of a request of this route. It is `finished` if the whole response was handed over.
    #[cold]
    pub(crate) fn tell_end(&self, seat: &Seat, route: NonZeroU32, finished: bool) {
        let loss = self.take_loss(seat, route);
        let lane = seat.lane.get();
        if lane > 0 {
            let now = self.now();
            let ended = LaneEvent::Ended {
                finished,
                age: now.saturating_sub(seat.opened.get()),
                running: seat.running.get(),
                loss: loss.clone(),
            };
            self.lanes().add(lane, now, ended);
        }
        if let Some(loss) = loss {
            let victim = seat.victim.take();
            self.hand_over(loss, victim.map(|victim| victim.span));
        }
    }

    /// Takes what the request lost, if anything.
    fn take_loss(&self, seat: &Seat, route: NonZeroU32) -> Option<Arc<Loss>> {
        if seat.lost.borrow().is_empty() {
            return None;
        }
        let state = Arc::clone(&self.state);
        Some(Arc::new(Loss::new(state, route, seat.lost.take())))
    }
}
