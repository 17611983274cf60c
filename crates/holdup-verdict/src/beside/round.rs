//! Judges one round.

use std::time::Duration;

use super::finding::{BesideFinding, BesideKind, BesideReason};
use super::sample::{BesideRound, Sample};
use super::silence::{Silence, longest, silences};
use super::turns::{Held, SHORTEST, Turn, turns};
use super::usual::{Usual, rank};
use crate::client::delay;
use crate::measures::is_odd;
use holdup_model::Lane;

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

/// What was held is answered this soon after A, or within this part of the turn.
const SOON: Duration = Duration::from_millis(50);
/// See [`SOON`].
const SOON_PART: f64 = 0.1;

/// A pause of a machine is hardly ever as long as this.
const LONGER_THAN_A_PAUSE: Duration = Duration::from_millis(500);

/// Pauses of a machine hardly ever begin and end with as many turns as this.
const CERTAIN_TURNS: usize = 3;

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
const LATE_ONE_IN: usize = 4;

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
        certain: read.certain,
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
    certain: bool,
    /// The time without an answer that counts, if it is not the longest of all.
    silence: Option<Silence>,
}

impl Read {
    fn nothing() -> Self {
        Self::of(BesideKind::Inconclusive, false)
    }

    fn of(kind: BesideKind, certain: bool) -> Self {
        Self {
            kind,
            certain,
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
        let frozen = self.frozen(&turns, took);
        let some = self.some_frozen(&turns, took);
        if let Some(read) = frozen.or(some) {
            return Ok(read);
        }
        let unsure: usize = turns.iter().map(|(_, held)| held.unsure).sum();
        let sure: usize = turns
            .iter()
            .map(|(_, held)| held.held.len() + held.prompt)
            .sum();
        if unsure > sure {
            let late = self.round.samples.iter().map(|sample| delay(&sample.lane));
            let late = late.max().unwrap_or_default();
            return Err(BesideReason::ClientTooSlow { late });
        }
        let held = turns.iter().map(|(_, held)| held.kept).max();
        self.by_times(usual, took, held.unwrap_or_default())
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
    fn frozen(&self, turns: &[(Turn, Held)], took: Duration) -> Option<Read> {
        let frozen: Vec<_> = turns
            .iter()
            .filter(|(turn, held)| {
                let silence = longest(&self.silences, turn.from, turn.first_end);
                let silent = silence.map(|silence| silence.within(turn.from, turn.first_end));
                let with_a = silence.is_some_and(|silence| silence.to <= soon_after(*turn));
                let is_all = held.overtook <= held.held.len() / ONE_IN;
                let most = turn.length().mul_f64(MOST);
                !held.held.is_empty() && is_all && with_a && silent.is_some_and(|time| time >= most)
            })
            .collect();
        let length: Duration = frozen.iter().map(|(turn, _)| turn.length()).sum();
        let held: usize = frozen.iter().map(|(_, held)| held.held.len()).sum();
        if held < FEWEST_HELD || length < took.mul_f64(TURNS) {
            return None;
        }
        let certain = length >= LONGER_THAN_A_PAUSE || frozen.len() >= CERTAIN_TURNS;
        Some(Read::of(BesideKind::Frozen, certain))
    }

    /// Some were not answered until A was, and others were.
    fn some_frozen(&self, turns: &[(Turn, Held)], took: Duration) -> Option<Read> {
        let some: Vec<_> = turns
            .iter()
            .filter(|(turn, held)| {
                let kept = held.kept >= FEWEST_KEPT;
                let fresh = held.fresh >= FEWEST_HELD.max(held.fresh_of / ONE_IN);
                let answered = held.overtook >= FEWEST_ANSWERED;
                let ends = held.held.iter().map(|place| &self.round.samples[*place]);
                let ends = ends.map(|sample| self.ended(&sample.lane));
                let with_a = ends.min().is_some_and(|end| end <= soon_after(*turn));
                (kept || fresh) && answered && with_a
            })
            .collect();
        let length: Duration = some.iter().map(|(turn, _)| turn.length()).sum();
        if some.is_empty() || length < took.mul_f64(TURNS) {
            return None;
        }
        let certain = length >= LONGER_THAN_A_PAUSE;
        let held = some.iter().flat_map(|(_, held)| &held.held);
        let held = held.map(|place| &self.round.samples[*place]);
        let silences = silences(held, self.last);
        Some(Read {
            silence: longest(&silences, self.start, self.end),
            ..Read::of(BesideKind::SomeFrozen, certain)
        })
    }

    /// B was not held, so its times decide.
    fn by_times(&self, usual: &Usual, took: Duration, kept: usize) -> Result<Read, BesideReason> {
        let while_a_ran = || self.while_a_ran();
        let count = while_a_ran().count();
        if count < FEWEST_ASKED {
            return Err(BesideReason::FewAsked { count });
        }
        let silence = self.longest();
        let silent = silence.map_or(Duration::ZERO, |silence| {
            silence
                .within(self.start, self.end)
                .saturating_sub(usual.high())
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
        // By how much each is later than B usually is: as it was seen, and at the least.
        let later = |own: bool| {
            let later = while_a_ran().map(|sample| {
                let client = if own {
                    delay(&sample.lane)
                } else {
                    Duration::ZERO
                };
                let took = self.took(sample).saturating_sub(client);
                took.saturating_sub(usual.like(sample).median)
            });
            let mut later: Vec<_> = later.collect();
            later.sort_unstable();
            rank(&later, 0.5).unwrap_or_default()
        };
        let slowed = SLOWED_BY
            .max(usual.spread().saturating_mul(SLOWED_SPREADS))
            .max(usual.both.median.mul_f64(SLOWED_PART));
        if later(true) > slowed {
            return Ok(Read::of(BesideKind::Slowed, false));
        }
        if later(false) > slowed {
            let late = while_a_ran().map(|sample| delay(&sample.lane)).max();
            let late = late.unwrap_or_default();
            return Err(BesideReason::ClientTooSlow { late });
        }
        let with_a = silence.is_some_and(|silence| self.is_with_a(silence, took));
        if let Some(reason) = partly(TOO_LONG_WITH_A).filter(|_| with_a) {
            return Err(reason);
        }
        if kept > 0 {
            return Err(BesideReason::FewHeld { count: kept });
        }
        let is_late = |sample: &&Sample| self.took(sample) > usual.like(sample).late_after();
        let late = while_a_ran().filter(is_late).count();
        if late > count / LATE_ONE_IN || later(false) > slowed.mul_f64(UNTOUCHED) {
            return Err(BesideReason::SomeLate {
                count: late,
                of: count,
            });
        }
        Ok(Read::of(BesideKind::Untouched, true))
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

/// Until then, what a turn held is answered.
fn soon_after(turn: Turn) -> Duration {
    turn.last_end + SOON.max(turn.length().mul_f64(SOON_PART))
}
