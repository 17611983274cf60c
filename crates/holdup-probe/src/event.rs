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
    /// The answer to the only request has been arriving for ten seconds, and may have no end.
    LongStream {
        /// How many chunks have arrived so far.
        chunks: u64,
    },
    /// A round begins: how many requests, and how long it may take.
    Round(&'a Round),
    /// So many connections of a spread have been opened and answered, ten times a second.
    Connections {
        /// How many.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// Nothing is sent for this long, so that nothing remains of the requests before.
    Pause(Duration),
    /// The lanes so far, ten times a second. Handle it quickly, because the prober waits meanwhile.
    Progress {
        /// The round's lanes.
        timeline: &'a Timeline,
        /// The time now, on the lanes' clock.
        now: Duration,
    },
}
