//! What holdup observes: requests and holds, all on one clock, with their text and their JSON.
//!
//! Each fact has one type, from where it is recorded to where it is shown:
//!
//! - A [`Lane`] is a request that a client sent: when it was sent, when the answer began, when each chunk
//!   arrived, and when and how it ended. A [`Timeline`] is the lanes of requests that were sent together.
//! - An [`Event`] is what a watch inside of a server publishes. A [`Hold`] is a period in which a worker was
//!   blocked, with its [`Culprit`]s, its [`Line`]s and its [`Activity`].
//! - An [`OpenRequest`] is a request that is not answered yet, with what it is doing; a [`Wait`] is a place in the
//!   code and those that wait there. [`Spent`] splits the time of a request that is over.
//! - A [`HumanDuration`] is a duration for people to read. A time in JSON is a number of
//!   [milliseconds](millis), and its key ends in `_ms`.
//!
//! Every time is a [`Duration`] since an origin that the recorder chose. The crate does no I/O and reads no
//! clock.
//!
//! ```
//! use std::time::Duration;
//! use holdup_model::{Lane, Timeline};
//!
//! let ms = Duration::from_millis;
//! let mut lane = Lane::start("/report?x=1", ms(0));
//! lane.record_head(ms(3), 200);
//! lane.record_chunk(ms(500), b"half, ");
//! lane.record_chunk(ms(1000), b"and half");
//! lane.finish(ms(1000));
//!
//! assert_eq!(lane.duration(), Some(ms(1000)));
//! assert_eq!(Timeline::from(vec![lane]).makespan(), Some(ms(1000)));
//! ```

#![forbid(unsafe_code)]

mod activity;
mod client;
mod controls;
mod culprit;
mod duration;
mod event;
mod failure;
mod held_up_times;
mod hold;
mod lane;
mod line;
pub mod millis;
mod open_request;
mod route_name;
mod spent;
mod wait;

use std::time::Duration;

use serde::Serialize;

pub use activity::Activity;
pub use client::ClientTime;
pub use controls::without_controls;
pub use culprit::{Culprit, Part};
pub use duration::HumanDuration;
pub use event::{Event, WorkerStatus};
pub use failure::Failure;
pub use held_up_times::HeldUpTimes;
pub use hold::{Hold, HoldKind};
pub use lane::{Chunk, Lane, MAX_CHUNKS};
pub use line::{Line, LineSummary};
pub use open_request::{AwaitPoint, OpenRequest, RequestState};
pub use route_name::RouteName;
pub use spent::{Blame, Spent, Victim};
pub use wait::{MAX_NUMBERS, Wait, waits};

/// The lanes of the requests that were sent together.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Timeline {
    /// The lanes, in the order in which their requests were sent.
    pub lanes: Vec<Lane>,
}

impl From<Vec<Lane>> for Timeline {
    fn from(lanes: Vec<Lane>) -> Self {
        Self { lanes }
    }
}

impl Timeline {
    /// The time from the first request sent to the last one finished. Lanes that failed or are still ongoing
    /// do not count. `None` when no lane has finished.
    pub fn makespan(&self) -> Option<Duration> {
        let first = self.lanes.iter().map(Lane::requested_at).min()?;
        let last = self.lanes.iter().filter_map(Lane::finished_at).max()?;
        Some(last.saturating_sub(first))
    }

    /// The indices, in [`Timeline::lanes`], of the lanes that have finished, in the order in which they
    /// finished.
    pub fn finish_order(&self) -> Vec<usize> {
        let mut order: Vec<_> = self
            .lanes
            .iter()
            .enumerate()
            .filter_map(|(place, lane)| Some((lane.finished_at()?, place)))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, place)| place).collect()
    }

    /// The time of the last thing recorded in any lane; zero without lanes.
    pub fn end(&self) -> Duration {
        let last = self.lanes.iter().map(Lane::last_event).max();
        last.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn lane(asked: u64, finished: Option<u64>) -> Lane {
        let mut lane = Lane::start("/", ms(asked));
        match finished {
            Some(finished) => lane.finish(ms(finished)),
            None => lane.fail(ms(9000), Failure::Reset),
        }
        lane
    }

    #[test]
    fn the_makespan_runs_from_the_first_request_sent_to_the_last_one_finished() {
        let timeline = Timeline::from(vec![
            lane(20, Some(400)),
            lane(10, Some(300)),
            lane(30, None),
        ]);
        assert_eq!(timeline.makespan(), Some(ms(390)));
        assert_eq!(timeline.finish_order(), [1, 0]);
        assert_eq!(timeline.end(), ms(9000));
    }

    #[test]
    fn without_a_finish_there_is_no_makespan() {
        assert_eq!(Timeline::default().makespan(), None);
        assert_eq!(Timeline::default().end(), ms(0));
        assert_eq!(Timeline::from(vec![lane(0, None)]).makespan(), None);
    }
}
