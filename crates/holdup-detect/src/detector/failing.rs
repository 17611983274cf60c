//! What a test fails on: holds, and requests that were held up.

use std::time::{Duration, Instant};

use holdup_model::{Hold, OpenRequest, RequestState, RouteName, Spent};

use super::{CATCH_UP, Detector, nap};
use crate::places;
use crate::record::Recorded;

/// The longest that an assertion waits for a request to end that is open.
const ENDS: Duration = Duration::from_secs(1);

/// The holds on which a test fails.
#[derive(Debug)]
pub struct Failing {
    /// The holds, as [`Detector::failing`] selects them.
    pub holds: Vec<Hold>,
    /// The calling thread's worker number, if it is a worker itself, as in a test harness.
    pub own_worker: Option<usize>,
}

/// The request of a route that was held up most.
#[derive(Debug)]
pub struct MostHeldUp {
    /// For how long the app held it up: without the time in which the machine may have run something else.
    pub certain: Duration,
    /// For how long it was held up.
    pub held_up: Duration,
    /// By whom, if the request is over. Its running and its waiting time are left at zero.
    pub by: Option<Spent>,
}

impl Detector {
    /// The holds on which a test fails. These are the holds that are not allowed and that reach the threshold
    /// even without the time in which the machine may have run something else. Waits up to 5 s until they are
    /// complete.
    pub fn failing(&self) -> Failing {
        let own_worker = places::close_own(&self.0);
        let threshold = self.threshold();
        let fails = |recorded: &Recorded| {
            let busy = if own_worker == Some(recorded.hold.worker) {
                recorded.longest_alone()
            } else {
                recorded.hold.duration
            };
            busy.saturating_sub(recorded.lost.unwrap_or_default()) >= threshold
                && !self.0.settings.allows(&recorded.hold)
        };
        let failing = || {
            let holds = self.0.holds_including_open().into_iter();
            let failing = holds.filter(fails).map(|recorded| recorded.hold);
            failing.collect::<Vec<_>>()
        };
        let mut holds = failing();
        if !holds.is_empty() {
            let now = self.0.clock.now();
            let is_complete = || self.0.oversleeps.are_known(now) && self.0.memory.is_complete();
            self.catch_up(is_complete);
            holds = failing();
        }
        Failing { holds, own_worker }
    }

    /// The request of a route that was held up most; `None` if none was held up. A request that is still open and was
    /// held up for longer than `at_most` is waited for, up to a second, unless the caller's own thread serves it.
    pub fn most_held_up(&self, route: &RouteName, at_most: Duration) -> Option<MostHeldUp> {
        let own = places::worker(&self.0);
        let open = || {
            // Read first: a request may be polled as soon as it was found ready.
            let now = self.elapsed();
            let requests = self.0.open_requests().into_iter();
            let same = requests.filter(|request| request.route_name() == *route);
            let same = same.map(|request| with_the_time_since_it_was_woken(request, now));
            let judged = same.map(|request| (self.0.certain(&request), request));
            judged.max_by_key(|(certain, _)| *certain)
        };
        let is_too_long = |(certain, _): &(Duration, OpenRequest)| *certain > at_most;
        let deadline = Instant::now() + ENDS;
        let is_waited_for = |most: (Duration, OpenRequest)| {
            is_too_long(&most) && own != Some(most.1.worker) && Instant::now() < deadline
        };
        while open().is_some_and(is_waited_for) {
            nap();
        }
        let mut most = open();
        if most.as_ref().is_some_and(is_too_long) {
            let now = self.0.clock.now();
            self.catch_up(|| self.0.oversleeps.are_known(now));
            most = open();
        }
        let open = most.map(|(certain, request)| MostHeldUp {
            certain,
            held_up: request.held_up,
            by: None,
        });
        self.drain_losses();
        let over = self.0.losses.longest(route).map(|(certain, by)| {
            let spent = Spent::new(Duration::ZERO, Duration::ZERO, by);
            MostHeldUp {
                certain,
                held_up: spent.held_up,
                by: Some(spent),
            }
        });
        let most = over.into_iter().chain(open);
        most.max_by_key(|most| most.certain)
            .filter(|most| !most.held_up.is_zero())
    }

    /// Waits until the losses of all requests that are over are in the sums, up to [`CATCH_UP`].
    fn drain_losses(&self) {
        self.catch_up(|| self.0.losses.are_drained());
        if self.0.collector.get().is_none() {
            self.0.losses.drain(|loss| self.0.blamed(loss), |_, _| ());
        }
    }

    /// Waits until the collector has done something, up to [`CATCH_UP`].
    fn catch_up(&self, is_done: impl Fn() -> bool) {
        let deadline = Instant::now() + CATCH_UP;
        while self.0.collector.get().is_some() && !is_done() && Instant::now() < deadline {
            self.0.wake_collector();
            nap();
        }
    }
}

/// A request that is ready behind a hold is held up until its worker comes to it.
fn with_the_time_since_it_was_woken(mut request: OpenRequest, now: Duration) -> OpenRequest {
    if let RequestState::Woken { since } = &request.state
        && request.behind.is_some()
    {
        request.held_up += now.saturating_sub(*since);
    }
    request
}
