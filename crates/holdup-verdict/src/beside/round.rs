//! Judges one round.

use std::time::Duration;

use super::finding::{BesideFinding, BesideKind, BesideReason};
use super::sample::{BesideRound, Sample};
use super::silence::{Silence, longest, silences};
use super::turns::{Held, SHORTEST, SOON, SOON_PART, Turn, turns};
use super::usual::{Usual, rank};
use crate::measures::is_odd;
use holdup_model::Lane;

/// If fewer requests than this were held, the time for which they were counts only in proportion. Answers that
/// are late by chance may end with A by chance, too.
const CERTAIN_HELD: u32 = 4;

/// B must take less than this part of A's time, or what A does to it does not show.
const SLOW: f64 = 0.5;

/// A turn froze B if nothing was answered for at least this part of it.
const MOST: f64 = 0.6;

/// B is frozen if the turns that froze it are at least this part of A's time. Four requests of which three
/// run at a time take two turns, and only the first one occupies all three workers.
const TURNS: f64 = 0.45;

/// The fewest requests that must have been held. Fewer may have been late by chance.
const FEWEST_HELD: usize = 3;

/// The fewest kept connections that must have been held, if B is frozen in part.
const FEWEST_KEPT: usize = 2;

/// If B is frozen in part, at least one in this many of its fresh connections must have been held, because
/// a few of many are late by chance.
const ONE_IN: usize = 20;

/// The fewest requests that must have been answered while others were held, if B is frozen in part.
const FEWEST_ANSWERED: usize = 2;

/// B is not untouched if more than one in this many of its requests was held, and at least [`FEWEST_HELD`].
const HELD_ONE_IN: usize = 10;

/// B may have been frozen unseen if it was not asked for this part of A's time.
const NOT_ASKED: f64 = 0.25;

/// If B is frozen in part, the others are answered within this part of the turn, …
const PROMPT: f64 = 0.15;

/// … or at least this part of them is.
const MOST_PROMPT: f64 = 0.75;

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

/// At most one in this many of B's requests may fail while A runs.
const FAILED_ONE_IN: usize = 50;

/// Judges one round: what A's requests did to B, which takes as long as in `alone` while A does not run. The
/// plan of an experiment decides with it whether A gets more requests at once.
pub fn judge_beside_round(alone: &[Sample], round: &BesideRound) -> BesideFinding {
    let usual = Usual::of(alone);
    let late_after = usual.as_ref().map(Usual::late_after).ok();
    let a = &round.at_once.lanes;
    let start = a.iter().map(Lane::requested_at).min().unwrap_or_default();
    let end = a.iter().filter_map(Lane::ended_at).max().unwrap_or(start);
    let last = round
        .samples
        .iter()
        .filter_map(|sample| sample.lane.ended_at());
    let last = last.max().unwrap_or(end).max(end);
    let silences = silences(round.samples.iter(), last);
    let view = View {
        round,
        start,
        end,
        last,
        silences,
    };
    let read = usual.and_then(|usual| view.read(&usual));
    let (read, reason) = match read {
        Ok(read) => (read, None),
        Err(reason) => (Read::nothing(), Some(reason)),
    };
    let silence = match read.silence {
        Some(silence) => silence,
        None => view.longest().unwrap_or(Silence {
            from: start,
            to: start,
        }),
    };
    let from = silence.from.max(start);
    BesideFinding {
        requests: a.len(),
        kind: read.kind,
        asked: round.samples.len(),
        late: late_after.map_or(0, |limit| {
            let is_late = |sample: &&Sample| view.took(sample) > limit;
            round.samples.iter().filter(is_late).count()
        }),
        longest: silence.to.saturating_sub(from),
        from: from.saturating_sub(start),
        to: silence.to.saturating_sub(start),
        took: end.saturating_sub(start),
        median: view.median(),
        held: read.held,
        reason,
    }
}

/// One round, and the times that matter.
struct View<'a> {
    round: &'a BesideRound,
    /// When A's first request was sent, and when its last one ended.
    start: Duration,
    end: Duration,
    /// When the last of all requests ended.
    last: Duration,
    silences: Vec<Silence>,
}

/// What is read from a round.
struct Read {
    kind: BesideKind,
    held: Duration,
    /// The time without an answer that counts, if it is not the longest of all.
    silence: Option<Silence>,
}

impl Read {
    fn nothing() -> Self {
        Self::of(BesideKind::Inconclusive)
    }

    fn of(kind: BesideKind) -> Self {
        Self {
            kind,
            held: Duration::ZERO,
            silence: None,
        }
    }
}

impl View<'_> {
    fn read(&self, usual: &Usual) -> Result<Read, BesideReason> {
        self.is_answered(usual)?;
        let took = self.end.saturating_sub(self.start);
        let limit = took.mul_f64(SLOW);
        let alone = usual.both;
        if alone.median > limit {
            let alone = alone.median;
            return Err(BesideReason::Slow { alone, took });
        }
        if usual.high() > limit {
            let (low, high) = (alone.low, usual.high());
            return Err(BesideReason::Varies { low, high, took });
        }
        if took < SHORTEST {
            return Err(BesideReason::TooShort { took });
        }
        let turns: Vec<_> = turns(&self.round.at_once)
            .into_iter()
            .filter(|turn| turn.length() >= SHORTEST)
            .map(|turn| (turn, Held::in_turn(turn, &self.round.samples, usual)))
            .collect();
        let frozen = self.frozen(&turns, took, usual);
        let some = self.some_frozen(&turns, took, usual);
        if let Some(read) = frozen.or(some) {
            return Ok(read);
        }
        let unsure: usize = turns.iter().map(|(_, held)| held.unsure).sum();
        let sure = turns
            .iter()
            .map(|(_, held)| held.held.len() + held.prompt.len());
        if unsure > sure.sum() {
            return Err(self.client_too_slow());
        }
        self.by_times(usual, took, &turns)
    }

    /// Whether A and B were answered at all.
    fn is_answered(&self, usual: &Usual) -> Result<(), BesideReason> {
        let failed = |lane: &Lane| match (lane.failure(), lane.status()) {
            (Some(failure), _) => Some(failure.to_string()),
            (None, _) if lane.ended_at().is_none() => Some("no end".to_owned()),
            (None, Some(status)) if status >= 400 => Some(format!("status {status}")),
            _ => None,
        };
        let a = self.round.at_once.lanes.iter();
        let failures: Vec<_> = a.filter_map(failed).collect();
        let count = failures.len();
        if let Some(what) = failures.into_iter().next() {
            return Err(BesideReason::OffenderFailed { count, what });
        }
        let samples = &self.round.samples;
        let odd: Vec<_> = samples
            .iter()
            .filter(|sample| is_odd(&sample.lane, usual.status))
            .collect();
        let few = samples.len() / FAILED_ONE_IN;
        if let Some(status) = odd.first().and_then(|sample| sample.lane.status())
            && odd.len() > few
        {
            return Err(BesideReason::Status {
                count: odd.len(),
                status,
                alone: false,
            });
        }
        // A server may close a connection that was kept open, at any time.
        let fresh = samples.iter().filter(|sample| sample.kept.is_none());
        let failures: Vec<_> = fresh.filter_map(|sample| sample.lane.failure()).collect();
        if let Some(first) = failures.first()
            && failures.len() > few
        {
            return Err(BesideReason::Failed {
                count: failures.len(),
                what: first.to_string(),
                alone: false,
            });
        }
        Ok(())
    }

    /// For most of A's time, nothing was answered until A was.
    fn frozen(&self, turns: &[(Turn, Held)], took: Duration, usual: &Usual) -> Option<Read> {
        // What waits behind several turns of A is answered after the last one of them.
        let is_after_a = |at: Duration| {
            let mut turns = turns.iter().map(|(turn, _)| *turn);
            turns.any(|turn| (turn.release(usual)..=turn.soon_after()).contains(&at))
        };
        let shows = |(_, held): &&(Turn, Held)| !held.held.is_empty() || !held.prompt.is_empty();
        // Several at a time may leave the last turn to fewer, which then do not occupy all workers. But
        // no turn before one that froze B lets it through.
        let frozen = turns.iter().filter(shows).map_while(|(turn, held)| {
            let silence = longest(&self.silences, turn.from, turn.first_end)?;
            let silent = silence.within(turn.from, turn.first_end);
            let is_most = silent >= turn.length().mul_f64(MOST) && is_after_a(silence.to);
            let is_all = !held.held.is_empty() && held.overtook.is_empty();
            (is_most && is_all).then_some((turn.length(), silent, held.held.len()))
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
    fn some_frozen(&self, turns: &[(Turn, Held)], took: Duration, usual: &Usual) -> Option<Read> {
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
        let held: Vec<_> = some.flat_map(|(_, held)| &held.overtaken).collect();
        let count = u32::try_from(held.len()).unwrap_or(u32::MAX);
        let held = held.into_iter().map(|place| &self.round.samples[*place]);
        let silences = silences(held, self.last);
        Some(Read {
            held: length / CERTAIN_HELD * count.min(CERTAIN_HELD),
            silence: longest(&silences, self.start, self.end),
            ..Read::of(BesideKind::SomeFrozen)
        })
    }

    /// B was not held, so its times decide.
    fn by_times(
        &self,
        usual: &Usual,
        took: Duration,
        turns: &[(Turn, Held)],
    ) -> Result<Read, BesideReason> {
        let answered: Vec<_> = turns
            .iter()
            .flat_map(|(_, held)| held.prompt.iter().chain(&held.early).copied())
            .collect();
        let count = answered.len();
        if count < FEWEST_ASKED {
            return Err(BesideReason::FewAsked { count });
        }
        if let Some((from, to)) = self.not_asked(took) {
            return Err(BesideReason::Gap { from, to });
        }
        let silence = self.longest();
        let silent = silence.map_or(Duration::ZERO, |silence| {
            let silent = silence.within(self.start, self.end);
            silent.saturating_sub(usual.high())
        });
        let partly = |part: f64| {
            let silence = silence.filter(|_| silent > took.mul_f64(part))?;
            Some(BesideReason::Partly {
                from: silence.from.saturating_sub(self.start),
                to: silence.to.saturating_sub(self.start),
                took,
            })
        };
        if let Some(reason) = partly(TOO_LONG) {
            return Err(reason);
        }
        let slowed = SLOWED_BY
            .max(usual.spread().saturating_mul(SLOWED_SPREADS))
            .max(usual.both.median.mul_f64(SLOWED_PART));
        let later = self.later(usual, &answered);
        if later > slowed {
            return match self.is_client_slow(took) {
                true => Err(self.client_too_slow()),
                false => Ok(Read::of(BesideKind::Slowed)),
            };
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

    /// A part of A's time in which B was not asked, if it is so long that B may have been frozen meanwhile.
    fn not_asked(&self, took: Duration) -> Option<(Duration, Duration)> {
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
        let is_long = to.saturating_sub(from) > took.mul_f64(NOT_ASKED);
        is_long.then(|| {
            let since = |at: Duration| at.saturating_sub(self.start);
            (since(from), since(to))
        })
    }

    /// Whether the client was at work, or kept from it, for so much of A's time that it may have noticed B's
    /// answers late.
    fn is_client_slow(&self, took: Duration) -> bool {
        let own = self.round.at_once.lanes.iter().map(Lane::client_time);
        let own = own.map(|time| time.busy.saturating_add(time.late)).max();
        own.unwrap_or_default() > took.mul_f64(CLIENT)
    }

    fn client_too_slow(&self) -> BesideReason {
        let lanes = self.round.samples.iter().map(|sample| &sample.lane);
        let lanes = lanes.chain(&self.round.at_once.lanes);
        let late = lanes.map(|lane| lane.client_time().late_for_it).max();
        BesideReason::ClientTooSlow {
            late: late.unwrap_or_default(),
        }
    }

    fn at<'a>(&'a self, places: &'a [usize]) -> impl Iterator<Item = &'a Sample> {
        places.iter().map(|place| &self.round.samples[*place])
    }

    /// Whether a time without an answer begins or ends with A.
    fn is_with_a(&self, silence: Silence, took: Duration) -> bool {
        let soon = SOON.max(took.mul_f64(SOON_PART));
        let begins = silence.from <= self.start + soon;
        let mut ends = self.round.at_once.lanes.iter().filter_map(Lane::ended_at);
        begins || ends.any(|end| end.abs_diff(silence.to) <= soon)
    }

    /// B's requests that were sent and could have been answered while A ran.
    fn while_a_ran(&self) -> impl Iterator<Item = &Sample> {
        let samples = self.round.samples.iter();
        samples.filter(|sample| {
            let lane = &sample.lane;
            let sent = lane.requested_at();
            sent >= self.start && sent < self.end && lane.failure().is_none()
        })
    }

    fn ended(&self, lane: &Lane) -> Duration {
        lane.ended_at().unwrap_or(self.last)
    }

    fn took(&self, sample: &Sample) -> Duration {
        self.ended(&sample.lane)
            .saturating_sub(sample.lane.requested_at())
    }

    fn median(&self) -> Option<Duration> {
        let mut times: Vec<_> = self
            .while_a_ran()
            .filter_map(|sample| sample.lane.duration())
            .collect();
        times.sort_unstable();
        rank(&times, 0.5)
    }

    /// The longest time without an answer while A ran.
    fn longest(&self) -> Option<Silence> {
        longest(&self.silences, self.start, self.end)
    }
}
