//! Whether A's turns held up B, or a part of it.

use std::time::Duration;

use super::finding::BesideKind;
use super::silence::{longest, silences};
use super::turns::{InTurn, Turn};
use super::usual::{Usual, rank};
use super::view::{Read, View};

/// A turn froze B if nothing was answered for at least this part of it.
const MOST: f64 = 0.6;

/// B is frozen if the turns that froze it are at least this part of A's time. Four requests of which three
/// run at a time take two turns, and only the first one occupies all three workers.
const TURNS: f64 = 0.45;

/// If fewer requests than this were held, or half as many kept connections, the time for which they were counts only
/// in proportion. Answers that are late by chance may end with A by chance, too.
const CERTAIN_HELD: u32 = 8;

/// The fewest requests that must have been held. Fewer may have been late by chance.
pub(super) const FEWEST_HELD: usize = 3;

/// The fewest kept connections that must have been held, if B is frozen in part.
const FEWEST_KEPT: usize = 2;

/// If B is frozen in part, at least one in this many of its fresh connections must have been held, because
/// a few of many are late by chance.
const ONE_IN: usize = 20;

/// The fewest requests that must have been answered while others were held, if B is frozen in part.
const FEWEST_ANSWERED: usize = 2;

/// If B is frozen in part, the others are answered within this part of the turn, …
const PROMPT: f64 = 0.15;

/// … or at least this part of them is.
const MOST_PROMPT: f64 = 0.75;

impl View<'_> {
    /// For most of A's time, nothing was answered until A was.
    pub(super) fn frozen(
        &self,
        turns: &[(Turn, InTurn)],
        took: Duration,
        usual: &Usual,
    ) -> Option<Read> {
        // What waits behind several turns of A is answered after the last one of them.
        let is_after_a = |at: Duration| {
            let mut turns = turns.iter().map(|(turn, _)| *turn);
            turns.any(|turn| (turn.release(usual)..=turn.soon_after()).contains(&at))
        };
        let shows = |(_, held): &&(Turn, InTurn)| !held.held.is_empty() || !held.prompt.is_empty();
        // Several at a time may leave the last turn to fewer, which then do not occupy all workers. But
        // no turn before one that froze B lets it through.
        let frozen = turns.iter().filter(shows).map_while(|(turn, held)| {
            let silence = longest(&self.silences, turn.from, turn.first_end)?;
            let silent = silence.within(turn.from, turn.first_end);
            let is_most = silent >= turn.length().mul_f64(MOST) && is_after_a(silence.to);
            let is_all = !held.held.is_empty() && held.overtook.is_empty();
            let is_sure = held.unsure <= held.held.len();
            (is_most && is_all && is_sure).then_some((turn.length(), silent, held.held.len()))
        });
        let length: Duration = frozen.clone().map(|(length, ..)| length).sum();
        let count: usize = frozen.clone().map(|(.., count)| count).sum();
        let is_enough = count >= FEWEST_HELD && length >= took.mul_f64(TURNS);
        is_enough.then(|| Read {
            held: frozen.map(|(_, silent, _)| silent).sum(),
            ..Read::of(BesideKind::Frozen)
        })
    }

    /// Some were not answered until A was, and others were.
    pub(super) fn some_frozen(
        &self,
        turns: &[(Turn, InTurn)],
        took: Duration,
        usual: &Usual,
    ) -> Option<Read> {
        let some = turns.iter().filter(|(turn, held)| {
            let kept = held.kept >= FEWEST_KEPT;
            let fresh = held.fresh >= FEWEST_HELD.max(held.fresh_of / ONE_IN);
            // Those that were not held have nothing to do with A.
            let mut others: Vec<_> = self
                .at(&held.prompt)
                .map(|sample| self.took(sample))
                .collect();
            others.sort_unstable();
            let prompt = turn.length().mul_f64(PROMPT).max(usual.late_after());
            let prompt = rank(&others, MOST_PROMPT).is_some_and(|time| time <= prompt);
            (kept || fresh) && held.overtook.len() >= FEWEST_ANSWERED && prompt
        });
        let length: Duration = some.clone().map(|(turn, _)| turn.length()).sum();
        if length.is_zero() || length < took.mul_f64(TURNS) {
            return None;
        }
        // A kept connection that had no answer at all is hardly late by chance.
        let count: usize = some
            .clone()
            .map(|(_, held)| held.fresh + 2 * held.kept)
            .sum();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let held: Vec<_> = some.flat_map(|(_, held)| &held.overtaken).collect();
        let held = held.into_iter().map(|place| &self.round.samples[*place]);
        let silences = silences(held, self.last);
        Some(Read {
            held: length / CERTAIN_HELD * count.min(CERTAIN_HELD),
            silence: longest(&silences, self.start, self.end),
            ..Read::of(BesideKind::SomeFrozen)
        })
    }
}
