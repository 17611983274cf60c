//! Whether B's answers came later than they do alone, if B was not held.

use std::time::Duration;

use super::finding::{BesideKind, BesideReason};
use super::frozen::FEWEST_HELD;
use super::pace::{KEPT, MOST_ASKED, MOST_UNANSWERED, RESERVED};
use super::sample::Sample;
use super::silence::{Silence, longest};
use super::turns::{InTurn, SOON, SOON_PART, Turn};
use super::usual::{Usual, rank};
use super::view::{Read, View};
use holdup_model::Lane;

/// A time without an answer is too long to be noise if it takes up this part of A's time …
const TOO_LONG: f64 = 0.3;

/// … or this part, if it begins or ends with A.
const TOO_LONG_WITH_A: f64 = 0.15;

/// The fewest requests that B must get while A runs.
const FEWEST_ASKED: usize = 5;

/// B is slowed if its median is later by more than this, …
const SLOWED_BY: Duration = Duration::from_millis(10);

/// … by more than this multiple of its own spread …
const SLOWED_SPREADS: u32 = 3;

/// … and by more than this part of what it takes alone.
const SLOWED_PART: f64 = 0.5;

/// B is untouched if its median is later by less than this part of what is slowed.
const UNTOUCHED: f64 = 0.7;

/// B is untouched only if at most one in this many of its answers was late.
const LATE_ONE_IN: usize = 8;

/// The client may have made B's answers late if it was at work, or kept from it, for this part of A's time.
const CLIENT: f64 = 0.5;

/// B is not untouched if more than one in this many of its requests was held, and at least [`FEWEST_HELD`].
const HELD_ONE_IN: usize = 10;

/// B may have been frozen unseen if it was not asked for this part of A's time.
const NOT_ASKED: f64 = 0.25;

/// With so many unanswered, the client sends no more. A kept connection that has just answered counts until it is known
/// to be still open.
const FULL: usize = MOST_UNANSWERED - KEPT;

impl View<'_> {
    /// B was not held, so its times decide.
    pub(super) fn by_times(
        &self,
        usual: &Usual,
        took: Duration,
        turns: &[(Turn, InTurn)],
    ) -> Result<Read, BesideReason> {
        let answered: Vec<_> = turns
            .iter()
            .flat_map(|(_, held)| held.prompt.iter().chain(&held.early).copied())
            .collect();
        let count = answered.len();
        if count < FEWEST_ASKED {
            return Err(BesideReason::FewAsked { count });
        }
        if let Some(reason) = self.not_asked(took) {
            return Err(reason);
        }
        let silence = self.longest();
        let silent = silence.map_or(Duration::ZERO, |silence| {
            let silent = silence.within(self.start, self.end);
            silent.saturating_sub(usual.high())
        });
        let partly = |part: f64| {
            let silence = silence.filter(|_| silent > took.mul_f64(part))?;
            Some(self.partly(silence, took, false))
        };
        if let Some(reason) = partly(TOO_LONG) {
            return Err(reason);
        }
        let slowed = SLOWED_BY
            .max(usual.spread().saturating_mul(SLOWED_SPREADS))
            .max(usual.both.median.mul_f64(SLOWED_PART));
        let later = self.later(usual, &answered);
        if later > slowed {
            if self.is_client_slow(took) {
                return Err(self.client_too_slow());
            }
            return Ok(Read::of(BesideKind::Slowed));
        }
        let with_a = silence.is_some_and(|silence| self.is_with_a(silence, took));
        if let Some(reason) = partly(TOO_LONG_WITH_A).filter(|_| with_a) {
            return Err(reason);
        }
        let held: usize = turns.iter().map(|(_, held)| held.held.len()).sum();
        let kept = turns.iter().any(|(_, held)| held.kept > 0);
        if kept || held >= FEWEST_HELD.max((count + held) / HELD_ONE_IN) {
            return Err(BesideReason::FewHeld { count: held });
        }
        let could_be_late = self.while_a_ran().filter(|sample| {
            let since = sample.lane.requested_at();
            since.saturating_add(usual.late_after()) < self.end
        });
        let (mut late, mut of) = (0, 0);
        for sample in could_be_late {
            of += 1;
            late += usize::from(self.took(sample) > usual.like(sample).late_after());
        }
        if late > of / LATE_ONE_IN || later > slowed.mul_f64(UNTOUCHED) {
            return Err(BesideReason::SomeLate { count: late, of });
        }
        Ok(Read::of(BesideKind::Untouched))
    }

    /// By how much B's answers while A ran are later than it usually is, in the middle.
    fn later(&self, usual: &Usual, answered: &[usize]) -> Duration {
        let later = self.at(answered).map(|sample| {
            self.took(sample)
                .saturating_sub(sample.lane.client_time().late_for_it)
                .saturating_sub(usual.like(sample).median)
        });
        let mut later: Vec<_> = later.collect();
        later.sort_unstable();
        rank(&later, 0.5).unwrap_or_default()
    }

    /// Why B was not asked for a part of A's time, if that is so long that B may have been frozen meanwhile.
    fn not_asked(&self, took: Duration) -> Option<BesideReason> {
        let sent = self.round.samples.iter();
        let sent = sent.map(|sample| sample.lane.requested_at());
        let mut last = self.start;
        let mut gap = (self.start, self.start);
        for at in sent.chain([self.end]) {
            let at = at.clamp(self.start, self.end);
            if at.saturating_sub(last) > gap.1.saturating_sub(gap.0) {
                gap = (last, at);
            }
            last = last.max(at);
        }
        let (from, to) = gap;
        if to.saturating_sub(from) <= took.mul_f64(NOT_ASKED) {
            return None;
        }
        if self.was_full(from, to) {
            let silence = longest(&self.silences, from, to).unwrap_or(Silence { from, to });
            return Some(self.partly(silence, took, true));
        }
        let before = |sample: &&Sample| sample.lane.requested_at() <= from;
        let count = self.round.samples.iter().filter(before).count();
        let since = |at: Duration| at.saturating_sub(self.start);
        let (from, to) = (since(from), since(to));
        Some(if count >= MOST_ASKED - RESERVED {
            BesideReason::Spent { count, from, to }
        } else {
            BesideReason::Gap { from, to }
        })
    }

    /// Whether as many of B's requests as may be were unanswered for most of this time, so that the client sent no more.
    /// It may have been late to see their answers.
    fn was_full(&self, from: Duration, to: Duration) -> bool {
        let unanswered = self.round.samples.iter().filter(|sample| {
            let ended = sample.lane.ended_at();
            sample.lane.requested_at() <= from && ended.is_none_or(|ended| ended > from)
        });
        let surely = unanswered.clone().map(|sample| {
            let late = sample.lane.client_time().late_for_it;
            let ended = sample.lane.ended_at().unwrap_or(self.last);
            ended.saturating_sub(late)
        });
        let most = from.saturating_add(to.saturating_sub(from) / 2);
        unanswered.count() >= FULL && surely.min() >= Some(most)
    }

    fn partly(&self, silence: Silence, took: Duration, full: bool) -> BesideReason {
        BesideReason::Partly {
            from: silence.from.saturating_sub(self.start),
            to: silence.to.min(self.end).saturating_sub(self.start),
            took,
            full,
        }
    }

    /// Whether the client was at work, or kept from it, for so much of A's time that it may have noticed B's
    /// answers late.
    fn is_client_slow(&self, took: Duration) -> bool {
        let own = self.round.at_once.lanes.iter().map(Lane::client_time);
        let own = own.map(|time| time.busy.saturating_add(time.late)).max();
        own.unwrap_or_default() > took.mul_f64(CLIENT)
    }

    /// Whether a time without an answer begins or ends with A.
    fn is_with_a(&self, silence: Silence, took: Duration) -> bool {
        let soon = SOON.max(took.mul_f64(SOON_PART));
        let begins = silence.from <= self.start + soon;
        let mut ends = self.round.at_once.lanes.iter().filter_map(Lane::ended_at);
        begins || ends.any(|end| end.abs_diff(silence.to) <= soon)
    }
}
