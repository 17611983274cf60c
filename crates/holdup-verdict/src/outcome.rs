//! The result of reading the staircase: a verdict without its numbers and its words.

use std::time::Duration;

use super::reason::Reason;
use super::verdict::Kind;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) kind: Kind,
    pub(super) at_a_time: Option<usize>,
    pub(super) steps: Vec<usize>,
    pub(super) reason: Option<Reason>,
}

impl Outcome {
    /// All finished after one solo time.
    pub(super) fn together(requests: usize) -> Self {
        Self {
            kind: Kind::Concurrent,
            at_a_time: Some(requests),
            steps: vec![requests],
            reason: None,
        }
    }

    /// One finished after each solo time.
    pub(super) fn one_by_one(requests: usize) -> Self {
        Self::serialized(vec![1; requests], None)
    }

    /// They finished in no particular order, but together took as long as one after the other.
    pub(super) fn nothing_gained() -> Self {
        Self::serialized(Vec::new(), Some(Reason::Shared))
    }

    /// All finished together, as late as if this many cores had done the work of all.
    pub(super) fn shared(at_a_time: usize) -> Self {
        match at_a_time {
            1 => Self::nothing_gained(),
            _ => Self::limited(at_a_time, Vec::new(), Some(Reason::Shared)),
        }
    }

    /// More than one finished in each step, and the first step has the most. There is a reason if the steps
    /// are not those of a plain queue.
    pub(super) fn stairs(steps: Vec<usize>, reason: Option<Reason>) -> Self {
        match steps.first() {
            None | Some(1) => Self::serialized(steps, reason),
            Some(first) => Self::limited(*first, steps, reason),
        }
    }

    /// `burst` requests finished together, and the others at a regular interval.
    pub(super) fn rate(burst: usize, each: usize, every: f64) -> Self {
        let every = Duration::from_secs_f64(every);
        let reason = Reason::Rate { burst, each, every };
        if burst > 1 {
            Self::limited(burst, Vec::new(), Some(reason))
        } else {
            Self::inconclusive(reason)
        }
    }

    pub(super) fn inconclusive(reason: Reason) -> Self {
        Self {
            kind: Kind::Inconclusive,
            at_a_time: None,
            steps: Vec::new(),
            reason: Some(reason),
        }
    }

    pub(super) fn serialized(steps: Vec<usize>, reason: Option<Reason>) -> Self {
        Self {
            kind: Kind::Serialized,
            at_a_time: Some(1),
            steps,
            reason,
        }
    }

    fn limited(at_a_time: usize, steps: Vec<usize>, reason: Option<Reason>) -> Self {
        Self {
            kind: Kind::Limited,
            at_a_time: Some(at_a_time),
            steps,
            reason,
        }
    }

    /// Whether one finished after each solo time.
    pub(super) fn is_one_by_one(&self) -> bool {
        self.kind == Kind::Serialized && !self.steps.is_empty() && self.reason.is_none()
    }
}
