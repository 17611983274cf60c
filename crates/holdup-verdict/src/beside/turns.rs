//! The turns in which A's requests ran, and which of B's requests were held through them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::sample::Sample;
use super::usual::Usual;
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

/// B's answers may be seen this much before A's, although they had to wait for A, …
const BEFORE: Duration = Duration::from_millis(20);

/// … and this part of the turn more, …
const BEFORE_PART: f64 = 0.03;

/// … and this multiple of B's own spread, which shows how much noise there is.
const BEFORE_SPREADS: u32 = 2;

/// What was held is answered this soon after A, or within this part of the turn.
pub(super) const SOON: Duration = Duration::from_millis(50);

/// See [`SOON`].
pub(super) const SOON_PART: f64 = 0.1;

/// What is asked in this last part of a turn is not judged: it waits too little.
const ENDING: f64 = 0.25;

/// What is seen after A must have waited for this part of the turn, whatever delayed the client.
const SURELY: f64 = 0.7;

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
    pub(super) fn release(self, usual: &Usual) -> Duration {
        let noise = usual.spread().saturating_mul(BEFORE_SPREADS);
        let before = BEFORE + self.length().mul_f64(BEFORE_PART) + noise;
        self.first_end.saturating_sub(before).max(self.from)
    }

    /// Until then, what it held is answered.
    pub(super) fn soon_after(self) -> Duration {
        self.last_end + SOON.max(self.length().mul_f64(SOON_PART))
    }

    /// What was sent later says nothing about this turn.
    fn asked_until(self, usual: &Usual) -> Duration {
        let ending = self.first_end.saturating_sub(self.length().mul_f64(ENDING));
        ending.min(self.release(usual).saturating_sub(usual.late_after()))
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

/// Which of B's requests were held in one turn. Requests are places in the list of samples.
#[derive(Debug, Default)]
pub(super) struct InTurn {
    /// Unanswered until A's answer came.
    pub(super) held: Vec<usize>,
    /// Answered while A ran.
    pub(super) prompt: Vec<usize>,
    /// Sent in this turn, and answered at its very beginning.
    pub(super) early: Vec<usize>,
    /// Sent after a request that was held, and answered while that one was still held.
    pub(super) overtook: Vec<usize>,
    /// Held while some that were sent later were answered, and answered soon after A.
    pub(super) overtaken: Vec<usize>,
    /// How many of those that were overtaken had a fresh connection.
    pub(super) fresh: usize,
    /// How many requests with a fresh connection were judged.
    pub(super) fresh_of: usize,
    /// On how many kept connections was a request overtaken that waited for half of the turn, and none
    /// answered.
    pub(super) kept: usize,
    /// How many may have been held or not, depending on the client's own time.
    pub(super) unsure: usize,
}

impl InTurn {
    pub(super) fn of(turn: Turn, samples: &[Sample], usual: &Usual) -> Self {
        let mut found = Self::default();
        for (place, sample) in samples.iter().enumerate() {
            let lane = &sample.lane;
            if !is_judged(sample, turn, usual) {
                continue;
            }
            match answered(sample, turn, usual) {
                Answered::Held => found.held.push(place),
                // It was answered when the turn before was over.
                Answered::Prompt | Answered::Early if lane.requested_at() < turn.from => continue,
                Answered::Early => {
                    found.early.push(place);
                    continue;
                }
                Answered::Prompt => found.prompt.push(place),
                Answered::Unsure => {
                    found.unsure += 1;
                    continue;
                }
            }
            found.fresh_of += usize::from(sample.kept.is_none());
        }
        let sent = |place: &usize| samples[*place].lane.requested_at();
        let margin = usual.late_after();
        if let Some(first) = found.held.iter().map(sent).min() {
            let ends = found
                .held
                .iter()
                .filter_map(|place| samples[*place].answered_at());
            let release = ends.min().unwrap_or(Duration::MAX);
            let overtakes = |place: &&usize| {
                let ended = samples[**place].answered_at().unwrap_or(Duration::MAX);
                // What is answered at one moment did not overtake each other.
                let is_before = ended.saturating_add(margin) < release;
                is_before && sent(place) > first.saturating_add(margin)
            };
            found.overtook = found.prompt.iter().filter(overtakes).copied().collect();
        }
        if let Some(last) = found.overtook.iter().map(sent).max() {
            let count = u32::try_from(found.held.len()).unwrap_or(u32::MAX);
            let answering = usual.both.median.saturating_mul(count);
            let until = turn.soon_after().saturating_add(answering);
            let with_a = |place: &&usize| {
                let ended = samples[**place].answered_at();
                let before = sent(place).saturating_add(margin) < last;
                before && ended.is_none_or(|end| end <= until)
            };
            found.overtaken = found.held.iter().filter(with_a).copied().collect();
        }
        let fresh = |place: &&usize| samples[**place].kept.is_none();
        found.fresh = found.overtaken.iter().filter(fresh).count();
        let connections = |places: &[usize]| -> BTreeSet<usize> {
            places
                .iter()
                .filter_map(|place| samples[*place].kept)
                .collect()
        };
        let answered = connections(&found.prompt);
        let half = turn.from + turn.length() / 2;
        let long = found.overtaken.iter().filter(|place| sent(place) <= half);
        let long: Vec<_> = long.copied().collect();
        found.kept = connections(&long).difference(&answered).count();
        found
    }
}

/// When a request was answered, for one turn.
enum Answered {
    /// After A.
    Held,
    /// Before A.
    Prompt,
    /// Perhaps before the server began with A.
    Early,
    /// It was seen after A, and the client may have been late to see it.
    Unsure,
}

fn answered(sample: &Sample, turn: Turn, usual: &Usual) -> Answered {
    let Some(end) = sample.answered_at() else {
        return Answered::Held;
    };
    if end < turn.begun() {
        return Answered::Early;
    }
    if end < turn.release(usual) {
        return Answered::Prompt;
    }
    let surely = end.saturating_sub(sample.lane.client_time().late_for_it);
    let most = turn.from + turn.length().mul_f64(SURELY);
    if surely < most {
        return Answered::Unsure;
    }
    Answered::Held
}

/// Whether a request shows something about this turn.
fn is_judged(sample: &Sample, turn: Turn, usual: &Usual) -> bool {
    let lane = &sample.lane;
    let is_late = lane.requested_at() >= turn.asked_until(usual);
    let is_retried = lane.connecting().is_some_and(|time| time >= RETRY);
    // The client gave it up before A was over.
    let is_given_up = sample.answered_at().is_none()
        && lane.ended_at().is_some_and(|end| end < turn.release(usual));
    !is_late && !is_retried && !is_given_up && sample.failure().is_none()
}
