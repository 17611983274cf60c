//! Why it cannot be said whether a spread is even.

use std::fmt;
use std::time::Duration;

use holdup_model::HumanDuration;

/// Why it cannot be said whether a spread is even. Its text is a clause.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpreadReason {
    /// Nothing could be measured, and why.
    NotMeasured(String),
    /// It is not known by what answers of different workers differ.
    NoId,
    /// Too many connections got no answer, or, if one request held its worker, an error.
    Failed {
        /// How many.
        failed: usize,
        /// Of how many.
        of: usize,
        /// What came instead, most often.
        what: String,
    },
    /// Too many answers do not say who gave them.
    Nameless {
        /// How many.
        nameless: usize,
        /// Of how many.
        of: usize,
        /// Why they do not, most often.
        why: String,
    },
    /// Each answer has an id of its own.
    Requests {
        /// How many.
        answers: usize,
    },
    /// More workers than are expected.
    MoreThanExpected {
        /// How many were seen.
        seen: usize,
        /// How many were expected.
        expected: usize,
    },
    /// Only one worker was seen, and it is not known how many there are.
    OneWorker {
        /// How many connections it got.
        connections: usize,
    },
    /// Too few connections for so many workers.
    TooFew {
        /// How many there were.
        connections: usize,
        /// Over how many workers.
        workers: usize,
        /// How many are needed.
        needed: usize,
    },
    /// An even spread rarely looks like this, but not so rarely that it is ruled out.
    Doubtful {
        /// How often, in words: `in 3 of 1,000 cases`.
        often: String,
        /// How many connections there were.
        connections: usize,
    },
    /// The request that is to hold its worker is over too soon.
    TooShort {
        /// How long it takes.
        took: Duration,
        /// How long it has to take.
        least: Duration,
    },
    /// Too many answers came neither at once nor after the request that held its worker.
    Unclear {
        /// How many.
        unclear: usize,
        /// Of how many.
        of: usize,
    },
    /// No connection waited.
    NoneFroze {
        /// Of how many that show it.
        of: usize,
    },
    /// All connections waited.
    AllFroze {
        /// How many that show it.
        of: usize,
    },
    /// Too few waited for rounds to be compared.
    FewFroze {
        /// How many.
        frozen: usize,
        /// Of how many that show it.
        of: usize,
    },
}

impl fmt::Display for SpreadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMeasured(why) => f.write_str(why),
            Self::NoId => f.write_str(
                "it is not known by what the answers of different workers differ (no id was named, and they have \
                 no header x-holdup-worker)",
            ),
            Self::Failed { failed, of, what } => {
                write!(f, "{failed} of {of} connections failed ({what})")
            }
            Self::Nameless { nameless, of, why } if nameless == of => {
                write!(f, "the answers do not say which worker gave them ({why})")
            }
            Self::Nameless { nameless, of, why } => write!(
                f,
                "{nameless} of {of} answers do not say which worker gave them ({why})"
            ),
            Self::Requests { answers } => write!(
                f,
                "each of the {answers} answers has an id of its own, so the id seems to number requests, not \
                 workers"
            ),
            Self::MoreThanExpected { seen, expected } => write!(
                f,
                "{seen} workers answered, although there are to be {expected}; one may have been restarted \
                 meanwhile"
            ),
            Self::OneWorker { connections } => write!(
                f,
                "all {connections} connections fell on one worker, and it is not known whether there are more"
            ),
            Self::TooFew {
                connections,
                workers,
                needed,
            } => write!(
                f,
                "{connections} connections are too few for {workers} workers; at least {needed} are needed"
            ),
            Self::Doubtful { often, .. } => write!(
                f,
                "an even spread looks like this, or less even, {often}, which is too rare to call it even, and too \
                 common to call it uneven"
            ),
            Self::TooShort { took, least } => write!(
                f,
                "the request that is to hold its worker takes {}, but has to take at least {}",
                HumanDuration(*took),
                HumanDuration(*least)
            ),
            Self::Unclear { unclear, of } => write!(
                f,
                "{unclear} of {of} answers came late, but before the request that held its worker was over"
            ),
            Self::NoneFroze { of } => write!(
                f,
                "none of {of} connections waited for the request that was to hold its worker"
            ),
            Self::AllFroze { of } => write!(
                f,
                "all {of} connections waited for the request that held its worker, so there is one worker, or \
                 all connections fall on one"
            ),
            Self::FewFroze { frozen, of } => write!(
                f,
                "only {frozen} of {of} connections waited for the request that held its worker, which is too \
                 few to compare rounds"
            ),
        }
    }
}
