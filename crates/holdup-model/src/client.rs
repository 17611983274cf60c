//! What the one who records needs for itself.

use std::time::Duration;

/// The client's own time while a lane was going. It does one thing at a time, for all lanes, so what
/// a server sends meanwhile is seen late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientTime {
    /// How long it was at work, on this lane and on all others.
    pub busy: Duration,
    /// By how much its timers were late, all together: it was ready to run, and something else ran,
    /// or it was stopped.
    pub late: Duration,
    /// The part of that after which it saw that the connection stood, and that the answer ended. A short
    /// answer is late by no more.
    pub late_for_it: Duration,
}
