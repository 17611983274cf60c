//! Requests that are sent together.

use std::fmt;
use std::time::Duration;

/// A round: which requests to send next, when, and how long they may take.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Round {
    /// What the round is for.
    pub kind: RoundKind,
    /// How long to wait before the round, without sending anything.
    pub pause: Duration,
    /// The requests, one per entry. A runner announces how many there are and [how long](Round::timeout) they
    /// may take.
    pub asks: Vec<Ask>,
    /// How long the round takes if its requests run at the same time; `None` while that is not known.
    pub concurrent: Option<Duration>,
    /// How long it takes if they run one after the other; `None` while that is not known.
    pub serialized: Option<Duration>,
    /// The longest that one request may take, including connecting. A request that takes longer is abandoned
    /// and counts as failed.
    pub timeout: Duration,
    /// How long the [optional](Ask::optional) requests may continue after all others have ended. After that
    /// they are abandoned, and their lanes have no end.
    pub linger: Duration,
}

impl Round {
    /// How many requests the round has that are not [optional](Ask::optional).
    pub fn requests(&self) -> usize {
        self.asks.iter().filter(|ask| !ask.optional).count()
    }
}

/// One request of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ask {
    /// The name of the URL. In the whole experiment, the same name means the same URL, and a new name means a
    /// URL that has not been requested before.
    pub name: String,
    /// How long after the round's first request to send it.
    pub after: Duration,
    /// Whether the round may end before this request does.
    pub optional: bool,
}

impl Ask {
    /// A request for the URL of this name, sent when the round begins.
    pub(super) fn now(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            after: Duration::ZERO,
            optional: false,
        }
    }
}

/// What a round is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RoundKind {
    /// The first request of all. The runner follows its redirects, and sends all later requests to where they
    /// lead.
    WarmUp,
    /// One request alone.
    Solo,
    /// One request after a pause.
    Rested,
    /// One request that is sent right after others, or repeats one of them, to compare it with them.
    After,
    /// All at once, each with a URL of its own.
    Unique,
    /// All at once with the same URL.
    Identical,
}

impl RoundKind {
    /// Whether the round takes long enough to be worth announcing.
    pub fn is_announced(self) -> bool {
        !matches!(self, Self::WarmUp | Self::After)
    }
}

impl fmt::Display for RoundKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::WarmUp => "warm-up",
            Self::Solo => "solo",
            Self::Rested => "rested",
            Self::After => "after",
            Self::Unique => "unique",
            Self::Identical => "identical",
        })
    }
}
