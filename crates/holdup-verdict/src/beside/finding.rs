//! The result of one round, and the reasons why there may be none.

use std::fmt;
use std::time::Duration;

use super::pieces::Pieces;
use holdup_model::millis;
use serde::Serialize;

/// What A's requests do to a bystander.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BesideKind {
    /// B was answered as it is alone.
    Untouched,
    /// B's answers kept coming while A ran, but later than alone.
    Slowed,
    /// A part of B's requests got no answer until A's turn was over, and the others did.
    SomeFrozen,
    /// For most of A's time nothing was answered, and then everything.
    Frozen,
    /// The measurement does not show it; the reason is given beside it.
    Inconclusive,
}

impl BesideKind {
    /// Whether all or a part of B's requests were held up until A was over.
    pub fn is_frozen(self) -> bool {
        matches!(self, Self::SomeFrozen | Self::Frozen)
    }
}

/// B was frozen if A held it up for at least so long at a time, because a pause of a machine is hardly ever as
/// long, …
const LONGER_THAN_A_PAUSE: Duration = Duration::from_millis(500);

/// … or for so long in several turns or rounds. Three pauses hardly ever begin and end with A.
const LONGER_THAN_PAUSES: Duration = Duration::from_millis(800);

impl fmt::Display for BesideKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Untouched => "untouched",
            Self::Slowed => "slowed",
            Self::SomeFrozen => "some_frozen",
            Self::Frozen => "frozen",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// What one round shows. As JSON: `requests`, `verdict`, `asked`, `late`, and the times `longest_ms`,
/// `from_ms` and `to_ms`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BesideFinding {
    /// How many requests A got at once.
    pub requests: usize,
    /// What they did to B.
    #[serde(rename = "verdict")]
    pub kind: BesideKind,
    /// How many requests B got.
    pub asked: usize,
    /// How many of them were answered later than B is alone, or not at all.
    pub late: usize,
    /// The longest time in which B was asked and nothing was answered. If only a part of B was frozen: in
    /// which nothing of that part was answered.
    #[serde(rename = "longest_ms", serialize_with = "millis::serialize")]
    pub longest: Duration,
    /// When that time began, counted from the start of A's round.
    #[serde(rename = "from_ms", serialize_with = "millis::serialize")]
    pub from: Duration,
    /// When it ended, counted from the start of A's round.
    #[serde(rename = "to_ms", serialize_with = "millis::serialize")]
    pub to: Duration,
    /// How long A's requests took together, from the first one sent to the last one ended.
    #[serde(skip)]
    pub took: Duration,
    /// The median time of B's answers while A ran; `None` if there were none.
    #[serde(skip)]
    pub median: Option<Duration>,
    /// For how long A's turns held up B or a part of it, in total; zero if it was not frozen.
    #[serde(skip)]
    pub held: Duration,
    /// The times without an answer while A ran, as far as they are too long for noise.
    #[serde(skip)]
    pub pieces: Pieces,
    /// Why it is inconclusive; `None` otherwise.
    #[serde(skip)]
    pub reason: Option<BesideReason>,
}

impl BesideFinding {
    /// Whether these rounds are enough to say that B was frozen.
    pub(super) fn are_enough<'a>(rounds: impl Iterator<Item = &'a Self>) -> bool {
        let (mut longest, mut all) = (Duration::ZERO, Duration::ZERO);
        for round in rounds {
            longest = longest.max(round.held.min(round.longest));
            all += round.held;
        }
        longest >= LONGER_THAN_A_PAUSE || all >= LONGER_THAN_PAUSES
    }
}

/// Why a bystander shows nothing.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BesideReason {
    /// B was answered too few times alone, so its own spread is not known.
    FewAlone {
        /// How many times.
        count: usize,
    },
    /// B's requests did not get a complete answer.
    Failed {
        /// How many of them.
        count: usize,
        /// How the first of them ended.
        what: String,
        /// Whether that was while A did not run.
        alone: bool,
    },
    /// B's requests got an error status, or a different status than before.
    Status {
        /// How many of them.
        count: usize,
        /// The first such status.
        status: u16,
        /// Whether that was while A did not run.
        alone: bool,
    },
    /// B itself takes too long in comparison with A.
    Slow {
        /// What B takes alone.
        alone: Duration,
        /// What A takes.
        took: Duration,
    },
    /// B's own time varies too much in comparison with A.
    Varies {
        /// What B takes at the least.
        low: Duration,
        /// What it often takes.
        high: Duration,
        /// What A takes.
        took: Duration,
    },
    /// A takes so little time that what it does to others cannot be distinguished from noise.
    TooShort {
        /// What A takes.
        took: Duration,
    },
    /// A's requests did not get a complete answer.
    OffenderFailed {
        /// How many of them.
        count: usize,
        /// How the first of them ended.
        what: String,
    },
    /// B was asked too few times while A ran.
    FewAsked {
        /// How many times.
        count: usize,
    },
    /// B was not asked for so long that it may have been frozen meanwhile: the client was late.
    Gap {
        /// When that began, from the start of A's round.
        from: Duration,
        /// When it ended.
        to: Duration,
    },
    /// B was not asked for so long that it may have been frozen meanwhile: it had got all requests of the round.
    Spent {
        /// How many that were.
        count: usize,
        /// When that began, from the start of A's round.
        from: Duration,
        /// When it ended.
        to: Duration,
    },
    /// The client needed so much time for itself that it may have made the answers late.
    ClientTooSlow {
        /// By how much, at the most.
        late: Duration,
    },
    /// B was not answered for a part of A's time that may or may not be A's doing.
    Partly {
        /// When that began, from the start of A's round.
        from: Duration,
        /// When it ended.
        to: Duration,
        /// What A takes.
        took: Duration,
        /// Whether so many requests were unanswered that no more were sent meanwhile.
        full: bool,
    },
    /// So few of B's requests were held that it may be by chance.
    FewHeld {
        /// How many.
        count: usize,
    },
    /// Some of B's answers were late, but not most.
    SomeLate {
        /// How many.
        count: usize,
        /// Of how many.
        of: usize,
    },
    /// Rounds with the same number of requests, or with more of them, contradict each other.
    Differs {
        /// What the first one shows.
        first: BesideKind,
        /// What the other one shows.
        again: BesideKind,
    },
    /// B was frozen once, but A takes so little time that a pause of the machine could have caused the same.
    Once {
        /// What A takes.
        took: Duration,
    },
    /// No round was made.
    NotAsked,
}
