//! The turns in which A's requests ran, and which of B's requests were held through them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::sample::Sample;
use super::usual::Usual;
use crate::client::delay;
use holdup_model::{Lane, Timeline};

/// The shortest turn that is judged. A busy machine keeps an answer waiting for some tens of milliseconds.
pub(super) const SHORTEST: Duration = Duration::from_millis(80);

/// Ends of A that are closer to each other than this end one turn together.
const TOGETHER: Duration = Duration::from_millis(60);

/// What is answered in the first part of a turn does not count: the server may not have begun with A, or may
/// still be answering what had waited for the turn before. This is that part …
const BEGINNING: f64 = 0.25;

/// … within these bounds.
const BEGINNING_LEAST: Duration = Duration::from_millis(20);
/// See [`BEGINNING_LEAST`].
const BEGINNING_MOST: Duration = Duration::from_millis(150);

/// B's answers may be seen this much before A's, and this part of the turn more, although they had to wait
/// for A.
const BEFORE: Duration = Duration::from_millis(20);
/// See [`BEFORE`].
const BEFORE_PART: f64 = 0.03;

/// What is asked in this last part of a turn is not judged: it waits too little.
const ENDING: f64 = 0.25;

/// A connection takes this much longer if its first attempt was dropped, which says nothing about A.
const RETRY: Duration = Duration::from_millis(900);

/// From the end of the one before, or from the start of the round, until one or more of A's requests ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) from: Duration,
    /// When the first of the requests ended that end this turn.
    pub(super) first_end: Duration,
    /// When the last of them ended.
    pub(super) last_end: Duration,
}

impl Turn {
    pub(super) fn length(self) -> Duration {
        self.first_end.saturating_sub(self.from)
    }

    /// Until then, an answer does not count.
    fn begun(self) -> Duration {
        let beginning = self.length().mul_f64(BEGINNING);
        self.from + beginning.clamp(BEGINNING_LEAST, BEGINNING_MOST)
    }

    /// What is unanswered then was held until A's answer came.
    pub(super) fn release(self) -> Duration {
        let before = BEFORE + self.length().mul_f64(BEFORE_PART);
        self.first_end.saturating_sub(before).max(self.from)
    }

    /// What was sent later says nothing about this turn.
    fn asked_until(self, usual: &Usual) -> Duration {
        let ending = self.first_end.saturating_sub(self.length().mul_f64(ENDING));
        ending.min(self.release().saturating_sub(usual.late_after()))
    }
}

/// The turns of these requests, all of which have ended.
pub(super) fn turns(at_once: &Timeline) -> Vec<Turn> {
    let mut ends: Vec<_> = at_once.lanes.iter().filter_map(Lane::ended_at).collect();
    ends.sort_unstable();
    let start = at_once.lanes.iter().map(Lane::requested_at).min();
    let mut turns: Vec<Turn> = Vec::new();
    for end in ends {
        match turns.last_mut() {
            Some(turn) if end.saturating_sub(turn.last_end) < TOGETHER => turn.last_end = end,
            last => {
                let from = last.map_or(start.unwrap_or_default(), |turn| turn.last_end);
                turns.push(Turn {
                    from,
                    first_end: end,
                    last_end: end,
                });
            }
        }
    }
    turns
}

/// Which of B's requests were held in one turn.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Unanswered until A's answer came, as places in the list of samples.
    pub(super) held: Vec<usize>,
    /// How many of those had a fresh connection.
    pub(super) fresh: usize,
    /// How many fresh ones were judged.
    pub(super) fresh_of: usize,
    /// How many kept connections had no answer at all.
    pub(super) kept: usize,
    /// How many kept connections were judged.
    pub(super) kept_of: usize,
    /// How many were sent after one that was held, and were answered while it was still held.
    pub(super) overtook: usize,
    /// How many were answered while A ran.
    pub(super) prompt: usize,
    /// How many may have been held or not, depending on the client's own time.
    pub(super) unsure: usize,
}

impl Held {
    pub(super) fn in_turn(turn: Turn, samples: &[Sample], usual: &Usual) -> Self {
        let mut found = Self::default();
        let mut prompt = Vec::new();
        // For each kept connection: whether it had an answer, and whether a request was held.
        let mut kept: BTreeMap<usize, (bool, bool)> = BTreeMap::new();
        let judged = samples.iter().enumerate();
        let judged = judged.filter(|(_, sample)| is_judged(&sample.lane, turn, usual));
        for (place, sample) in judged {
            let lane = &sample.lane;
            let is_held = lane.ended_at().is_none_or(|end| end >= turn.release());
            let surely = lane
                .ended_at()
                .is_none_or(|end| end.saturating_sub(delay(lane)) >= turn.release());
            if is_held && !surely {
                found.unsure += 1;
                continue;
            }
            if !is_held && lane.requested_at() < turn.from {
                // It was answered when the turn before was over.
                continue;
            }
            match sample.kept {
                Some(connection) => {
                    let (answered, held) = kept.entry(connection).or_default();
                    *answered |= !is_held;
                    *held |= is_held;
                }
                None => {
                    found.fresh_of += 1;
                    found.fresh += usize::from(is_held);
                }
            }
            if is_held {
                found.held.push(place);
            } else {
                prompt.push(lane.requested_at());
            }
        }
        found.prompt = prompt.len();
        found.kept_of = kept.len();
        found.kept = kept
            .values()
            .filter(|(answered, held)| *held && !answered)
            .count();
        let sent = |place: &usize| samples[*place].lane.requested_at();
        if let Some(first) = found.held.iter().map(sent).min() {
            let after = first.saturating_add(usual.late_after());
            found.overtook = prompt.iter().filter(|sent| **sent > after).count();
        }
        found
    }
}

/// Whether a request shows something about this turn.
fn is_judged(lane: &Lane, turn: Turn, usual: &Usual) -> bool {
    let is_early = lane.ended_at().is_some_and(|end| end < turn.begun());
    let is_late = lane.requested_at() >= turn.asked_until(usual);
    let is_retried = lane.connecting().is_some_and(|time| time >= RETRY);
    let failed = lane.failure().is_some();
    !is_early && !is_late && !is_retried && !failed
}
