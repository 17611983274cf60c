//! What a request leaves behind: a handler that answers at once and then blocks its event loop, by a
//! task that it started, holds up whatever is asked next.
//!
//! Requests that follow each other without a pause hide it. The one alone waits for what the one before
//! it left, and requests at once all wait for the same and are answered together, as if they ran at
//! the same time. Only a request after a pause shows how soon the answer really comes, and only the one
//! that is asked *after* requests at once shows how long all that they left behind takes.

use std::time::Duration;

use super::measures::{all_answered, same_status};
use super::{Kind, Outcome, Platform, Reason, Verdict, wording};
use crate::timeline::{Lane, Span, Timeline};

/// A request that takes this factor longer than another one, and [`LONGER_BY`] on top, waited for
/// something.
const LONGER: f64 = 1.35;

/// See [`LONGER`]. A busy machine delays a single request by as much.
const LONGER_BY: Duration = Duration::from_millis(20);

/// How far from a whole number the count that runs at a time may be, in parts of it.
const COUNT_TOLERANCE: f64 = 0.25;

/// The pause before a request that is to find nothing left, in times of what one may leave: of two of
/// them, one may have slipped in before what the other left behind began.
const PAUSE: f64 = 2.25;

/// The longest pause for what many requests at once may have left. Nobody waits longer without having asked
/// for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How soon an answer comes, and how much longer the next request has to wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftBehind {
    answer: Duration,
    behind: Duration,
}

impl LeftBehind {
    /// Whether requests `alone` took so much longer than `look_ahead`, the very first one, that they may
    /// have waited for what the one before them left behind. If so, how long to pause before one more is
    /// asked, which [`LeftBehind::found`] compares.
    pub fn suspected(look_ahead: &Lane, alone: &[Lane]) -> Option<Duration> {
        let longest = alone.iter().filter_map(Lane::duration).max()?;
        is_longer(longest, look_ahead.duration()?).then(|| pause(longest))
    }

    /// The same where those `alone` do not show it, since the look-ahead took long for a reason of its
    /// own, or since they slipped in: whether even the fastest of requests that were asked right after
    /// others took much longer than one `alone`, or all of them longer than one after the other.
    pub fn suspected_after(alone: &[Lane], right_after: &Timeline) -> Option<Duration> {
        let longest = alone.iter().filter_map(Lane::duration).max()?;
        let fastest = right_after.lanes.iter().filter_map(Lane::duration).min()?;
        let all = right_after.makespan()?;
        let count = u32::try_from(right_after.lanes.len()).unwrap_or(u32::MAX);
        let suspected =
            is_longer(fastest, longest) || is_longer(all, longest.saturating_mul(count));
        // They may have left as much again, each of them.
        suspected.then(|| {
            all.saturating_mul(count)
                .min(LONGEST_PAUSE)
                .max(pause(longest))
        })
    }

    /// Compares `rested`, a request after a pause, with those `alone` that followed another one at once.
    /// `after` was asked [a moment](LeftBehind::MOMENT) after `rested`: it shows what one request leaves
    /// behind, unless another worker answers it.
    pub fn found(rested: &Lane, alone: &[Lane], after: &Lane) -> Option<Self> {
        let answer = rested.duration()?;
        let longest = alone.iter().filter_map(Lane::duration).max()?;
        let left = after.finished_at()?.saturating_sub(rested.finished_at()?);
        // Those alone may have met what several left.
        let longer = [left, longest]
            .into_iter()
            .find(|time| is_longer(*time, answer))?;
        Some(Self {
            answer,
            behind: longer.saturating_sub(answer),
        })
    }

    /// The pause before a request that is to meet what others left behind: that may begin a moment after
    /// their answers, and a request that is faster meets nothing.
    pub const MOMENT: Duration = Duration::from_millis(20);

    /// How long to pause until nothing of one request, or two, is left.
    pub fn pause(&self) -> Duration {
        pause(self.behind)
    }
}

fn is_longer(time: Duration, than: Duration) -> bool {
    time.as_secs_f64() > than.as_secs_f64() * LONGER + LONGER_BY.as_secs_f64()
}

fn pause(left: Duration) -> Duration {
    left.mul_f64(PAUSE).saturating_add(LONGER_BY)
}

/// Judges by what is left behind: `at_once` were asked together after a [pause](LeftBehind::pause), and
/// `next` [a moment](LeftBehind::MOMENT) after all of them were answered.
///
/// ```
/// use std::time::Duration;
/// use holdup::timeline::{Lane, Timeline};
/// use holdup::verdict::{Kind, LeftBehind, judge_left_behind};
///
/// let ms = Duration::from_millis;
/// let answered = |asked: u64, after: u64| {
///     let mut lane = Lane::asked("/job", ms(asked));
///     lane.finish(ms(asked + after));
///     lane
/// };
/// // 2 ms at first and after a pause, 302 ms right after another one.
/// let alone = [answered(2, 302), answered(304, 302)];
/// assert!(LeftBehind::suspected(&answered(0, 2), &alone).is_some());
/// let (rested, after) = (answered(1000, 2), answered(1022, 282));
/// let found = LeftBehind::found(&rested, &alone, &after).expect("something is left behind");
///
/// let at_once = Timeline::from(vec![answered(2000, 3); 4]);
/// let verdict = judge_left_behind(found, &alone, &at_once, &answered(2023, 1181));
/// assert_eq!(verdict.kind, Kind::Serialized);
/// assert_eq!(
///     verdict.sentence,
///     "Serialized: each answer comes after 2.0 ms, but what a request leaves behind blocks the next \
///      ones for 300 ms.",
/// );
/// ```
pub fn judge_left_behind(
    found: LeftBehind,
    alone: &[Lane],
    at_once: &Timeline,
    next: &Lane,
) -> Verdict {
    let LeftBehind { answer, behind } = found;
    let lanes = at_once.lanes.len();
    let one = std::slice::from_ref(next);
    let checked = all_answered(&at_once.lanes, false)
        .and_then(|()| all_answered(one, true))
        .and_then(|()| same_status(alone, &at_once.lanes))
        .and_then(|()| same_status(one, &at_once.lanes));
    let whole = whole(at_once, next);
    let at_a_time = whole.and_then(|whole| at_a_time(found, lanes, whole));
    let outcome = match checked {
        Err(reason) => Outcome::because(reason),
        Ok(()) => Outcome {
            kind: match at_a_time {
                Some(1) => Kind::Serialized,
                Some(count) if count < lanes => Kind::Limited,
                // All that is left behind together holds up as long as that of one, or irregularly:
                // no number at a time explains why the next request waits at all.
                Some(_) | None => Kind::Inconclusive,
            },
            at_a_time: at_a_time.filter(|count| *count < lanes),
            steps: Vec::new(),
            reason: Some(Reason::LeftBehind { answer, behind }),
        },
    };
    let mut verdict = Verdict {
        kind: outcome.kind,
        at_a_time: outcome.at_a_time,
        lanes,
        solo: Some(answer),
        makespan: at_once.makespan(),
        k: None,
        steps: outcome.steps,
        reason: outcome.reason,
        sentence: String::new(),
        evidence: evidence(found, alone, at_once, next),
        advice: Vec::new(),
    };
    verdict.sentence = wording::sentence(&verdict);
    verdict.advised_for(Platform::Unknown)
}

/// From the first of `at_once` asked to `next` answered.
fn whole(at_once: &Timeline, next: &Lane) -> Option<Duration> {
    let first = at_once.lanes.iter().map(Lane::asked_at).min()?;
    Some(next.finished_at()?.saturating_sub(first))
}

/// How many of what `lanes` requests left behind ran at a time, if all of it took `whole`, in which two
/// answers had to be made as well.
fn at_a_time(found: LeftBehind, lanes: usize, whole: Duration) -> Option<usize> {
    let left = whole.as_secs_f64() - 2.0 * found.answer.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts of requests are small")]
    let count = found.behind.as_secs_f64() * lanes as f64 / left;
    let near = count.round().max(1.0);
    let within = left > 0.0 && (count - near).abs() <= COUNT_TOLERANCE * near;
    #[expect(clippy::cast_sign_loss, reason = "at least one")]
    within.then_some(near as usize)
}

fn evidence(found: LeftBehind, alone: &[Lane], at_once: &Timeline, next: &Lane) -> Vec<String> {
    let times = alone.iter().filter_map(Lane::duration);
    let times: Vec<_> = times.map(|time| Span(time).to_string()).collect();
    let mut lines = vec![format!(
        "alone: {} after a pause, {} right after another request",
        Span(found.answer),
        times.join(" and "),
    )];
    if let (Some(makespan), Some(next)) = (at_once.makespan(), next.duration()) {
        lines.push(format!(
            "{} at once, after a pause: {}; one more, right after them: {}",
            at_once.lanes.len(),
            Span(makespan),
            Span(next),
        ));
    }
    lines
}

/// Whether the look-ahead took long, and those `alone` after it so much less that the server must have
/// kept the answer, or have started something up for the first one.
pub fn is_kept(look_ahead: &Lane, alone: &[Lane]) -> Option<Reason> {
    let first = look_ahead.duration()?;
    let times = || alone.iter().filter_map(Lane::duration);
    let (later, longest) = (times().min()?, times().max()?);
    let kept = longest <= first.mul_f64(0.5) && is_longer(first, longest);
    kept.then_some(Reason::Kept { first, later })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lanes, ms};
    use super::*;

    fn at(asked: u64, after: u64) -> Lane {
        let mut lane = Lane::asked("/", ms(asked));
        lane.answer(ms(asked + after), 200);
        lane.finish(ms(asked + after));
        lane
    }

    fn one(after: u64) -> Lane {
        at(0, after)
    }

    #[test]
    fn only_requests_much_longer_than_the_first_are_suspected() {
        for (first, alone, suspected) in [
            (2, &[302, 301][..], true),
            // Two workers take turns.
            (2, &[2, 301], true),
            (300, &[600, 601], true),
            (300, &[301, 305], false),
            (300, &[390, 310], false),
            (2, &[2, 18], false),
            (900, &[300, 301], false),
        ] {
            let found = LeftBehind::suspected(&one(first), &lanes(alone));
            assert_eq!(found.is_some(), suspected, "{first} {alone:?}");
        }
        // A cold start hides it from the look-ahead; the next round shows it.
        let alone = lanes(&[301, 302]);
        let after = |times: &[u64]| LeftBehind::suspected_after(&alone, &lanes(times).into());
        assert!(after(&[1210, 1211, 1212, 1213]).is_some());
        assert!(after(&[303, 604, 905, 1206]).is_none());
        assert!(after(&[303, 304, 305, 306]).is_none());
        // So does a round where those alone slipped in.
        let alone = lanes(&[1, 2]);
        let after = LeftBehind::suspected_after(&alone, &lanes(&[3, 4, 905, 1206]).into());
        assert_eq!(after, Some(ms(4824)));
    }

    #[test]
    fn a_request_after_a_pause_that_takes_as_long_shows_that_nothing_is_left() {
        let none = LeftBehind::found(&one(301), &lanes(&[301, 302]), &at(321, 301));
        assert_eq!(none, None);
        for (alone, after) in [
            (&[301, 302][..], at(22, 282)),
            // One slipped in before what the other left, and the next one met what both left.
            (&[4, 602], at(22, 282)),
            // Both slipped in.
            (&[4, 3], at(22, 282)),
            // Another worker answers the one after.
            (&[4, 302], at(22, 2)),
        ] {
            let expected = LeftBehind {
                answer: ms(2),
                behind: ms(300),
            };
            assert_eq!(
                LeftBehind::found(&one(2), &lanes(alone), &after),
                Some(expected)
            );
        }
    }

    #[test]
    fn the_request_after_all_tells_how_many_ran_at_a_time() {
        let alone = lanes(&[302, 302]);
        let found = LeftBehind::found(&one(2), &alone, &at(22, 282)).expect("left behind");
        let together = || Timeline::from(vec![one(3); 8]);
        // Each is blocked by the one before.
        let stairs =
            || Timeline::from((0..8).map(|place| one(2 + 300 * place)).collect::<Vec<_>>());
        for (at_once, next, kind, at_a_time) in [
            (together(), at(3, 2399), Kind::Serialized, Some(1)),
            (together(), at(3, 2100), Kind::Serialized, Some(1)),
            (stairs(), at(2102, 302), Kind::Serialized, Some(1)),
            (together(), at(3, 1201), Kind::Limited, Some(2)),
            (together(), at(3, 301), Kind::Inconclusive, None),
            (together(), at(3, 1800), Kind::Inconclusive, None),
            (together(), at(3, 5000), Kind::Inconclusive, None),
        ] {
            let verdict = judge_left_behind(found, &alone, &at_once, &next);
            assert_eq!(
                (verdict.kind, verdict.at_a_time),
                (kind, at_a_time),
                "{verdict:#?}"
            );
            assert!(matches!(verdict.reason, Some(Reason::LeftBehind { .. })));
            assert!(!verdict.advice.is_empty());
        }
    }

    #[test]
    fn an_error_or_no_answer_is_no_verdict() {
        let alone = lanes(&[302, 302]);
        let found = LeftBehind::found(&one(2), &alone, &at(22, 282)).expect("left behind");
        let mut refused = vec![one(3); 4];
        refused[1].answer(ms(3), 503);
        let next = at(3, 1200);
        let verdict = judge_left_behind(found, &alone, &refused.into(), &next);
        assert!(matches!(verdict.reason, Some(Reason::Status { .. })));
        let next = Lane::asked("/", ms(3));
        let verdict = judge_left_behind(found, &alone, &vec![one(3); 4].into(), &next);
        assert!(matches!(verdict.reason, Some(Reason::Failed { .. })));
    }

    #[test]
    fn a_first_request_much_longer_than_the_others_means_that_an_answer_is_kept() {
        let kept = |first, alone: &[u64]| is_kept(&one(first), &lanes(alone));
        let reason = Reason::Kept {
            first: ms(1510),
            later: ms(1),
        };
        assert_eq!(kept(1510, &[1, 2]), Some(reason));
        assert_eq!(kept(8, &[1, 2]), None);
        assert_eq!(kept(1510, &[1000, 1001]), None);
    }
}
