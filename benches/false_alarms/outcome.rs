//! What a check says.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The requests ran at the same time, or nothing blocked.
    Passed,
    /// They did not, or something blocked.
    Failed,
    /// The check says that it cannot tell.
    Undecided,
}

/// What a check says, and the evidence.
pub(crate) type Said = (Outcome, String);
