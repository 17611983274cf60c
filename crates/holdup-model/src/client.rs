//! The time that the recording client spends on itself.

use std::time::Duration;

/// The client's own time while a lane was going. The client does one thing at a time, for all lanes, so it
/// reads late what a server sends meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientTime {
    /// How long the client was at work, on this lane and on all others.
    pub busy: Duration,
    /// By how much the client's timers were late in total: it was ready to run while something else ran, or
    /// the process was stopped.
    pub late: Duration,
    /// The part of `late` that delayed noticing that the connection was established and that the response had
    /// ended. A short response is recorded late by no more than this.
    pub late_for_it: Duration,
    /// The longest time for which the client looked at no socket, because it was at work or late. What arrived
    /// within such a time has the same time in its lane.
    pub longest: Duration,
}
