//! How requests on one HTTP/2 connection fare, compared with one connection each.

use serde::Serialize;

use super::verdict::Kind;

/// How requests on one HTTP/2 connection fare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Connection {
    /// The protocol: `h2`.
    pub protocol: &'static str,
    /// How they ran.
    pub verdict: Kind,
    /// How many ran at a time, if it shows.
    pub at_a_time: Option<usize>,
    /// How many streams the server allows at a time on one connection; `None` if it sets no limit.
    pub max_concurrent_streams: Option<u32>,
    /// The finding in one sentence.
    pub sentence: String,
}
