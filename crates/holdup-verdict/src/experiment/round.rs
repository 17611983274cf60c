//! Requests that are asked together.

use std::fmt;
use std::time::Duration;

/// A round: what to ask next, when, and how long that takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Round {
    /// What the round is for.
    pub kind: RoundKind,
    /// Ask nothing for so long before.
    pub pause: Duration,
    /// The requests, one for each entry. How many they are, and [how long](Round::timeout) they may take, is
    /// what a runner announces.
    pub asks: Vec<Ask>,
    /// How long the round takes if its requests run at the same time; `None` while that is not known.
    pub concurrent: Option<Duration>,
    /// How long it takes if they run one after the other; `None` while that is not known.
    pub serialized: Option<Duration>,
    /// The longest that one request may take, connecting included. A request that takes longer is given up,
    /// and counts as failed.
    pub timeout: Duration,
    /// When all other requests have ended, the [optional](Ask::optional) ones may go on for so long. Then
    /// they are left: their lanes have no end.
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
    /// Names the URL: the same name is the same URL, in the whole experiment, and another name is one that
    /// has not been asked before.
    pub name: String,
    /// So long after the round's first request.
    pub after: Duration,
    /// Whether the round is over without it.
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
    /// The first request of all. Whoever asks follows redirects here, and sends all later requests to where
    /// they lead.
    WarmUp,
    /// One request alone.
    Solo,
    /// One request after a pause.
    Rested,
    /// One request that is asked right after others, or once more: to compare it with them.
    After,
    /// All at once, each with a URL of its own.
    Unique,
    /// All at once with the same URL.
    Identical,
}

impl RoundKind {
    /// Whether it takes long enough to be worth announcing to people.
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
