//! How to measure.

use std::num::NonZeroU64;
use std::time::Duration;

/// How to measure.
///
/// ```
/// use std::time::Duration;
/// use holdup_probe::Settings;
///
/// let mut settings = Settings::default();
/// settings.requests = 8;
/// settings.timeout = Some(Duration::from_secs(5));
/// assert!(!settings.insecure);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// How many requests at once.
    pub requests: usize,
    /// How long one request may take, connecting included. `None` is a minute, and for requests at
    /// once longer, up to ten minutes, if they need it to come one after the other: otherwise a slow
    /// server that serializes them would be inconclusive.
    pub timeout: Option<Duration>,
    /// Whether to accept any certificate.
    pub insecure: bool,
    /// What counts as the end of an answer that has none.
    pub end: End,
}

/// When an answer counts as ended, if it does not end before: the request is left then. For streams
/// of events, which go on and on. Whichever comes first; by default only its own end counts.
///
/// Both count from the body's first piece, not from the head, which may be sent before a handler runs.
/// So a request that waits for its turn begins later and ends later, by as much as it waited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct End {
    /// After so many pieces of the body.
    pub first: Option<NonZeroU64>,
    /// So long after the first piece of the body.
    pub lasting: Option<Duration>,
}

impl Default for Settings {
    /// Four at once, certificates verified, answers to their end.
    fn default() -> Self {
        Self {
            requests: 4,
            timeout: None,
            insecure: false,
            end: End::default(),
        }
    }
}
