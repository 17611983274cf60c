//! What happens while a probe runs.

use std::time::Duration;

use holdup_model::Timeline;
use holdup_verdict::experiment::Round;

/// What is called with each [`Event`].
pub type Observer<'a> = dyn FnMut(Event<'_>) + Send + 'a;

/// What happens while a probe runs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The server redirects, and where it redirects to is what will be measured.
    Redirected {
        /// The URL that it redirects to.
        to: &'a str,
    },
    /// The only answer that is awaited has been coming for ten seconds, and may have no end.
    LongStream {
        /// In how many pieces so far.
        chunks: u64,
    },
    /// A round begins: how many requests, and how long it may take.
    Round(&'a Round),
    /// Nothing is sent for so long, so that nothing is left of the requests before.
    Pause(Duration),
    /// Ten times a second: what is known of the lanes so far. Take little time over it.
    Progress {
        /// The round's lanes.
        timeline: &'a Timeline,
        /// The time now, on the lanes' clock.
        now: Duration,
    },
}
