//! What one round shows about the limit.

use std::time::Duration;

use crate::began::Began;
use crate::measures::is_odd;
use crate::reason::Reason;
use crate::verdict::{Kind, Verdict};
use holdup_model::{Lane, Timeline};

/// A request that waits for another one ends, at the earliest, when two have run one after the other. So those
/// that ended within this many times what the shortest took, and what one takes alone, did not wait. The rest of
/// the second time is left for work that varies.
const ONE_TURN: f64 = 1.6;

/// An answer that takes less than this part of the time of one alone came from somewhere else.
const FASTER: f64 = 0.6;

/// Below this time of one alone, more requests do not help either: connecting takes as long.
const TOO_SHORT: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reading {
    /// All ran at the same time.
    Together,
    /// At most so many ran at a time, and the others waited. `even` if all waited in one queue.
    Steps { at_a_time: usize, even: bool },
    /// Some got an error, and so many got an answer. `served` of these ran at a time, if it shows.
    Rejected {
        answered: usize,
        served: Option<usize>,
        status: u16,
        after: Option<Duration>,
    },
    /// All ran, but slower in proportion.
    Shared,
    /// A burst went through, and then one (or a few) at an interval.
    Rate {
        burst: usize,
        each: usize,
        every: Duration,
    },
    /// One at a time, by what each request leaves behind.
    LeftBehind,
    /// More requests may show it: only a few have waited, or the round was too short.
    Few,
    /// Some got no answer at all.
    Failed,
    /// It does not show.
    Unclear,
    /// No other round would show it.
    Never,
}

impl Reading {
    /// Reads a round, from its verdict and from its lanes.
    pub(super) fn of(verdict: &Verdict, at_once: Option<&Timeline>) -> Self {
        let lanes = at_once.map_or(&[][..], |at_once| &at_once.lanes);
        match (verdict.kind, &verdict.reason) {
            (_, Some(Reason::LeftBehind { .. })) => Self::LeftBehind,
            (_, Some(Reason::Rate { burst, each, every })) => Self::Rate {
                burst: *burst,
                each: *each,
                every: *every,
            },
            (Kind::Concurrent, _) => Self::Together,
            (Kind::Limited | Kind::Serialized, Some(Reason::Shared)) => Self::Shared,
            (Kind::Limited | Kind::Serialized, reason) => match verdict.at_a_time {
                Some(at_a_time) => Self::Steps {
                    at_a_time,
                    even: *reason != Some(Reason::Uneven),
                },
                None => Self::Unclear,
            },
            (_, Some(reason)) => Self::unclear(reason, verdict.solo, lanes),
            (_, None) => Self::Unclear,
        }
    }

    /// What the first bytes of the answers show, if their ends show nothing.
    pub(super) fn or_began(self, began: &Began) -> Self {
        match (self, began.verdict, began.at_a_time) {
            (Self::Few | Self::Unclear | Self::Never, Kind::Concurrent, _) => Self::Together,
            (Self::Few | Self::Unclear | Self::Never, _, Some(at_a_time)) => Self::Steps {
                at_a_time,
                even: true,
            },
            (reading, ..) => reading,
        }
    }

    fn unclear(reason: &Reason, solo: Option<Duration>, lanes: &[Lane]) -> Self {
        match reason {
            Reason::Failed { alone: false, .. } => Self::Failed,
            Reason::Status {
                alone: false,
                count,
                status: status @ 400..,
                after,
                well,
            } => Self::Rejected {
                answered: lanes.len().saturating_sub(*count),
                served: well.or_else(|| served(lanes, solo)),
                status: *status,
                after: *after,
            },
            Reason::TooShort if solo < Some(TOO_SHORT) => Self::Never,
            Reason::Failed { .. }
            | Reason::Status { alone: true, .. }
            | Reason::Endless { .. }
            | Reason::WebSocket
            | Reason::NoSolo
            | Reason::Kept { .. }
            | Reason::Distant { .. }
            | Reason::SoloVaries { .. } => Self::Never,
            // A slow client makes requests end late, but not early.
            Reason::Slowed
            | Reason::Irregular
            | Reason::Stragglers { .. }
            | Reason::ClientTooSlow { .. }
            | Reason::NotAtOnce
                if none_waited(&lanes.iter().collect::<Vec<_>>(), solo) =>
            {
                Self::Together
            }
            Reason::TooShort | Reason::Stragglers { .. } => Self::Few,
            _ => Self::Unclear,
        }
    }
}

/// How many of those that got an answer ran at a time, if there are too few of them for a staircase.
fn served(lanes: &[Lane], solo: Option<Duration>) -> Option<usize> {
    let well = well(lanes);
    (well.len() == 1 || none_waited(&well, solo)).then_some(well.len())
}

fn well(lanes: &[Lane]) -> Vec<&Lane> {
    let answered = lanes.iter().filter(|lane| lane.finished_at().is_some());
    answered.filter(|lane| !is_odd(lane, None)).collect()
}

/// Whether each of the requests ended before one that had waited for another could have ended.
fn none_waited(lanes: &[&Lane], solo: Option<Duration>) -> bool {
    !lanes.is_empty() && prompt(lanes, solo) == lanes.len()
}

/// How many of the requests surely ran at the same time, as none of them can have waited for another one.
pub(crate) fn at_least(verdict: &Verdict, at_once: &Timeline) -> usize {
    prompt(&well(&at_once.lanes), verdict.solo)
}

/// How many ended before one that had waited for another could have ended; none if some did not take the time
/// that the work takes.
fn prompt(lanes: &[&Lane], solo: Option<Duration>) -> usize {
    let first = lanes.iter().map(|lane| lane.requested_at()).min();
    let low = lanes.iter().filter_map(|lane| lane.duration()).min();
    let (Some(first), Some(low), Some(solo)) = (first, low, solo) else {
        return 0;
    };
    if low < solo.mul_f64(FASTER) {
        return 0;
    }
    // Times count from when the first one was sent, because one that was sent late waits for less time than
    // another one takes.
    let most = first + solo.min(low).mul_f64(ONE_TURN);
    let ends = lanes.iter().filter_map(|lane| lane.finished_at());
    ends.filter(|end| *end < most).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge;
    use crate::tests::lanes;

    fn read(times: &[u64]) -> Reading {
        let at_once = lanes(times).into();
        Reading::of(&judge(&lanes(&[300, 302]), &at_once), Some(&at_once))
    }

    #[test]
    fn a_round_in_which_nobody_can_have_waited_ran_together() {
        assert_eq!(read(&[300, 302, 306, 310]), Reading::Together);
        // Slowed down, some more than others, but nobody for as long as another one takes.
        assert_eq!(
            read(&[310, 350, 380, 410, 430, 450, 460, 470]),
            Reading::Together
        );
        assert_eq!(
            read(&[300, 301, 302, 303, 304, 305, 306, 450]),
            Reading::Together
        );
        // It may have waited.
        assert_eq!(
            read(&[300, 301, 302, 303, 304, 305, 306, 600]),
            Reading::Few
        );
        assert_eq!(
            read(&[310, 350, 380, 410, 430, 450, 460, 570]),
            Reading::Unclear
        );
    }
}
