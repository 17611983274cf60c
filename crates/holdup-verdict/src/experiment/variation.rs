//! Requests that are sent in another way than the measured ones.

use super::round::{Round, RoundKind, To};

/// The one thing that is changed in all requests of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variation {
    /// They have no cookies and no credentials.
    Anonymous,
    /// They are sent to the URL that the measured one is compared with.
    Elsewhere,
}

impl Variation {
    /// Changes a round of requests to the measured URL.
    pub(super) fn apply(self, round: &mut Round) {
        round.kind = match self {
            Self::Anonymous => RoundKind::Session,
            Self::Elsewhere => RoundKind::Versus,
        };
        for ask in &mut round.asks {
            match self {
                Self::Anonymous => ask.anonymous = true,
                Self::Elsewhere => ask.to = To::Versus,
            }
        }
    }
}
