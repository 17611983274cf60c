//! How requests without cookies and credentials fare.

use serde::Serialize;

use super::verdict::Kind;

/// How requests without cookies and credentials fare, compared with requests that all have the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Session {
    /// How the requests without them ran.
    pub verdict: Kind,
    /// How many ran at a time, if it shows.
    pub at_a_time: Option<usize>,
    /// The finding in one sentence.
    pub sentence: String,
}
