//! What a request leaves behind: a handler may answer at once and then block its event loop with a task that
//! it started, which holds up the requests after it.
//!
//! Requests that follow each other without a pause hide it. A request alone waits for what the one before it
//! left behind. Concurrent requests all wait for the same work and are answered together, as if they ran at
//! the same time. Only a request after a pause shows how soon the answer really arrives, and only a request
//! *after* concurrent ones shows how long all that they left behind takes.
//!
//! Work that varies sometimes causes the same pattern. So there is a finding only if two pairs of requests
//! after a pause agree, and a verdict only if all that was left behind takes as long as one after the other
//! in two rounds. If more than one run at a time, their number cannot be determined, because the request that
//! is sent afterwards meets only one of several event loops.

use std::time::Duration;

use super::confirm::LONGEST_PAUSE;
use super::judge::conclude;
use super::measures::{all_answered, same_status};
use super::outcome::Outcome;
use super::reason::Reason;
use super::verdict::Verdict;
use holdup_model::{HumanDuration, Lane, Timeline};

/// A request that takes this factor longer than another one, and [`LONGER_BY`] on top, waited for
/// something.
const LONGER: f64 = 1.35;

/// See [`LONGER`]. A busy machine may delay a single request by this much.
const LONGER_BY: Duration = Duration::from_millis(20);

/// What two pairs found to be left behind may differ by this fraction of the longer time.
const AGREE: f64 = 0.25;

/// An answer in at least this many pieces is streamed.
const STREAMED: u64 = 3;

/// Answers may repeat their request's label, and so differ by a few bytes.
const LABEL: u64 = 64;

/// What all requests left behind counts as done one after the other if its total time is this close to
/// theirs, as a fraction of it.
const ONE_AT_A_TIME: f64 = 0.15;

/// The pause before a request that must find nothing left behind, as a multiple of what may be left.
const PAUSE: f64 = 4.0 / 3.0;

/// With this many concurrent requests or more, two rounds that agree are enough.
const MANY: usize = 4;

/// A first request that took less than this is too short to suggest a cached answer or a start, whatever the
/// later ones take.
const KEPT_LEAST: Duration = Duration::from_millis(50);

/// A request after a pause, and another one [a moment](LeftBehind::MOMENT) after its answer.
#[derive(Debug, Clone)]
pub struct Rested {
    /// The request after a pause.
    pub first: Lane,
    /// After its answer.
    pub next: Lane,
}

/// How soon an answer arrives, and how much longer the next request has to wait for its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftBehind {
    answer: Duration,
    behind: Duration,
}

impl LeftBehind {
    /// The pause before a request that should meet what others left behind. That work may begin a moment
    /// after their answers, and an earlier request would not meet it.
    pub const MOMENT: Duration = Duration::from_millis(20);

    /// Whether a request in `alone` took so much longer than another one, or than `warm_up`, the very first
    /// one, that it may have waited for what an earlier request left behind. If so, returns how long to pause
    /// before each pair of requests for [`LeftBehind::found`].
    pub fn suspected(warm_up: &Lane, alone: &[Lane]) -> Option<Duration> {
        if are_of_other_length(alone.iter().chain([warm_up])) {
            return None;
        }
        let times = || alone.iter().filter_map(Lane::duration);
        let longest = times().max()?;
        let shortest = times().chain(warm_up.duration()).min()?;
        // The last request left something behind, and so did the one before it if it answered before its own
        // work was done.
        let left = longest.saturating_mul(2);
        is_longer(longest, shortest).then(|| pause(left))?
    }

    /// The same if the requests in `alone` do not show it because the warm-up took long for a reason of its
    /// own. Checks whether even the fastest of the requests sent `right_after` others took much longer than
    /// one alone, or all of them much longer than one after the other.
    pub fn suspected_after(alone: &[Lane], right_after: &Timeline) -> Option<Duration> {
        if are_of_other_length(alone.iter().chain(&right_after.lanes)) {
            return None;
        }
        let longest = alone.iter().filter_map(Lane::duration).max()?;
        let fastest = right_after.lanes.iter().filter_map(Lane::duration).min()?;
        let all = right_after.makespan()?;
        let count = u32::try_from(right_after.lanes.len()).unwrap_or(u32::MAX);
        let one_by_one = longest.saturating_mul(count);
        let suspected = is_longer(fastest, longest) || is_longer(all, one_by_one);
        // They leave behind about as much as they waited for.
        suspected.then(|| pause(all))?
    }

    /// What two pairs of requests found after a pause, if they agree. Answers with a status other than that
    /// of `alone` are not evidence.
    pub fn found(alone: &[Lane], pairs: &[Rested; 2]) -> Option<Self> {
        let [one, other] = pairs.each_ref().map(|pair| Self::of(alone, pair));
        let (one, other) = (one?, other?);
        let agree = |one: Duration, other: Duration| {
            one.abs_diff(other).as_secs_f64() <= one.max(other).as_secs_f64() * AGREE
        };
        let answers = !is_longer(one.answer, other.answer) && !is_longer(other.answer, one.answer);
        (answers && agree(one.behind, other.behind)).then(|| Self {
            answer: one.answer.min(other.answer),
            behind: one.behind.min(other.behind),
        })
    }

    fn of(alone: &[Lane], pair: &Rested) -> Option<Self> {
        let both = [pair.first.clone(), pair.next.clone()];
        same_status(alone, &both).ok()?;
        let answer = pair.first.duration()?;
        let left = pair
            .next
            .finished_at()?
            .saturating_sub(pair.first.finished_at()?);
        // While the client did not read, or did not send, nothing had to wait for what was left behind.
        let own = both.iter().map(|lane| lane.client_time().longest).sum();
        let surely = left.saturating_sub(own);
        is_longer(surely, answer.saturating_add(Self::MOMENT)).then(|| Self {
            answer,
            behind: left.saturating_sub(answer),
        })
    }

    /// How long to pause until nothing that `requests` requests left behind remains, up to a limit.
    pub fn pause(&self, requests: usize) -> Duration {
        let count = u32::try_from(requests).unwrap_or(u32::MAX);
        pause(self.behind.saturating_mul(count)).unwrap_or(LONGEST_PAUSE)
    }

    /// How many rounds of this many concurrent requests have to agree. With few requests, work that sometimes
    /// takes twice as long causes the same pattern too often.
    pub fn rounds(requests: usize) -> usize {
        if requests < MANY { 4 } else { 2 }
    }
}

/// Whether streamed answers differ so much in length that this explains why some of them take longer, as those of
/// a language model do.
fn are_of_other_length<'a>(lanes: impl Iterator<Item = &'a Lane>) -> bool {
    let answered = lanes.filter(|lane| lane.finished_at().is_some());
    let sizes: Vec<_> = answered
        .map(|lane| (lane.bytes(), lane.chunk_count()))
        .collect();
    let streamed = sizes.iter().any(|(_, chunks)| *chunks >= STREAMED);
    let bytes = || sizes.iter().map(|(bytes, _)| *bytes);
    let (Some(least), Some(most)) = (bytes().min(), bytes().max()) else {
        return false;
    };
    streamed && most > least + least / 4 + LABEL
}

pub(super) fn is_longer(time: Duration, than: Duration) -> bool {
    time.as_secs_f64() > than.as_secs_f64() * LONGER + LONGER_BY.as_secs_f64()
}

/// `None` if the pause would be too long; such servers are not examined.
fn pause(left: Duration) -> Option<Duration> {
    let seconds = left.as_secs_f64() * PAUSE + LONGER_BY.as_secs_f64();
    let pause = Duration::try_from_secs_f64(seconds).ok()?;
    (pause <= LONGEST_PAUSE).then_some(pause)
}

/// Judges by what is left behind: `at_once` were asked together after a [pause](LeftBehind::pause), and
/// `next` [a moment](LeftBehind::MOMENT) after all of them were answered. `None` unless what they left behind
/// took as long as one after the other. A single pause of the machine can cause this, so measure [several
/// times](LeftBehind::rounds).
///
/// ```
/// use std::time::Duration;
/// use holdup_model::{Lane, Timeline};
/// use holdup_verdict::{Kind, LeftBehind, Rested, judge_left_behind};
///
/// let ms = Duration::from_millis;
/// let answered = |asked: u64, after: u64| {
///     let mut lane = Lane::start("/job", ms(asked));
///     lane.finish(ms(asked + after));
///     lane
/// };
/// // 2 ms at first and after a pause, 302 ms right after another one.
/// let alone = [answered(2, 302), answered(304, 302)];
/// assert!(LeftBehind::suspected(&answered(0, 2), &alone).is_some());
/// let rested = |at: u64| Rested { first: answered(at, 2), next: answered(at + 22, 282) };
/// let found = LeftBehind::found(&alone, &[rested(1000), rested(2000)]);
/// let found = found.expect("something is left behind");
///
/// let at_once = Timeline::from(vec![answered(3000, 3); 4]);
/// let verdict = judge_left_behind(found, &alone, &at_once, &answered(3023, 1181));
/// let verdict = verdict.expect("one at a time");
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
) -> Option<Verdict> {
    let LeftBehind { answer, behind } = found;
    all_answered(&at_once.lanes, false).ok()?;
    same_status(alone, &at_once.lanes).ok()?;
    same_status(alone, std::slice::from_ref(next)).ok()?;
    let first = at_once.lanes.iter().map(Lane::requested_at).min()?;
    // This time includes two answers: one of the concurrent requests', and the next one's. If answers are
    // produced on the event loop, it includes the others as well.
    let left = next
        .finished_at()?
        .saturating_sub(first)
        .saturating_sub(answer.saturating_mul(2));
    let count = u32::try_from(at_once.lanes.len()).unwrap_or(u32::MAX);
    let least = behind.saturating_mul(count).as_secs_f64() * (1.0 - ONE_AT_A_TIME);
    let with_answers = behind.saturating_add(answer).saturating_mul(count);
    let most = with_answers.as_secs_f64() * (1.0 + ONE_AT_A_TIME);
    // Both rounds may have been interrupted.
    let lanes = at_once.lanes.iter();
    let own = lanes.map(|lane| lane.client_time().longest).max();
    let own = own.unwrap_or_default() + next.client_time().longest;
    let surely = left.saturating_sub(own);
    if count < 2 || surely.as_secs_f64() < least || left.as_secs_f64() > most {
        return None;
    }
    // A rate limit lets requests through at the same interval without anything being left behind.
    let times = at_once.lanes.iter().filter_map(Lane::duration);
    let maybe_rate = is_longer(times.max()?, answer);
    let reason = Reason::LeftBehind {
        answer,
        behind,
        maybe_rate,
    };
    let outcome = Outcome::serialized(Vec::new(), Some(reason));
    Some(Verdict {
        solo: Some(answer),
        speedup: None,
        evidence: evidence(found, alone, at_once, next),
        ..conclude(alone, at_once, outcome)
    })
}

fn evidence(found: LeftBehind, alone: &[Lane], at_once: &Timeline, next: &Lane) -> Vec<String> {
    let times = alone.iter().filter_map(Lane::duration);
    let times: Vec<_> = times.map(|time| HumanDuration(time).to_string()).collect();
    let shown = |time: Option<Duration>| HumanDuration(time.unwrap_or_default());
    vec![
        format!(
            "alone: {} after a pause, {} right after another request",
            HumanDuration(found.answer),
            times.join(" and "),
        ),
        format!(
            "{} at once, after a pause: {}; one more, right after them: {}",
            at_once.lanes.len(),
            shown(at_once.makespan()),
            shown(next.duration()),
        ),
    ]
}

impl Verdict {
    /// Gives a verdict that is inconclusive because answers arrive too soon a better reason, if there is one:
    /// the warm-up took long, and the requests in `alone` so much less that the server must have kept the
    /// answer, or started something up for the first request. Any other verdict is returned unchanged.
    #[must_use]
    pub fn or_kept(mut self, warm_up: &Lane, alone: &[Lane]) -> Self {
        if let Some(reason) = kept(warm_up, alone)
            && self.reason == Some(Reason::TooShort)
        {
            self.reason = Some(reason);
            self.reword();
        }
        self
    }
}

fn kept(warm_up: &Lane, alone: &[Lane]) -> Option<Reason> {
    let first = warm_up.duration()?;
    let times = || alone.iter().filter_map(Lane::duration);
    let (later, longest) = (times().min()?, times().max()?);
    let kept = first >= KEPT_LEAST && longest <= first / 2 && is_longer(first, longest);
    kept.then_some(Reason::Kept { first, later })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lanes, ms};
    use super::*;
    use crate::{Kind, judge};

    fn at(asked: u64, after: u64) -> Lane {
        let mut lane = Lane::start("/", ms(asked));
        lane.record_head(ms(asked + after), 200);
        lane.finish(ms(asked + after));
        lane
    }

    fn one(after: u64) -> Lane {
        at(0, after)
    }

    /// A request that takes `first` after a pause, and one asked a moment later that takes `next`.
    fn rested(first: u64, next: u64) -> Rested {
        Rested {
            first: one(first),
            next: at(first + 20, next),
        }
    }

    /// 2 ms, and 300 ms of something left behind.
    fn left() -> LeftBehind {
        let pairs = [rested(2, 282), rested(2, 283)];
        LeftBehind::found(&lanes(&[302, 302]), &pairs).expect("left behind")
    }

    /// A streamed answer in so many pieces of 20 bytes, one each 10 ms.
    fn streamed(pieces: u64) -> Lane {
        let mut lane = Lane::start("/", ms(0));
        lane.record_head(ms(1), 200);
        for piece in 1..=pieces {
            lane.record_chunk(ms(piece * 10), b"12345678901234567890");
        }
        lane.finish(ms(pieces * 10));
        lane
    }

    #[test]
    fn streamed_answers_that_take_longer_because_they_are_longer_are_not_suspected() {
        let alone = [streamed(60), streamed(20)];
        assert_eq!(LeftBehind::suspected(&streamed(20), &alone), None);
        let after = vec![streamed(60), streamed(65)].into();
        assert_eq!(LeftBehind::suspected_after(&[streamed(20)], &after), None);
        // As long as the others, and late.
        let mut late = streamed(20);
        late.finish(ms(600));
        assert!(LeftBehind::suspected(&streamed(20), &[late.clone(), late]).is_some());
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
            // One request was faster than what it left behind, and the next one met the work of both.
            (900, &[4, 602], true),
            // The pause would take minutes, which nobody asked for.
            (1000, &[59_000], false),
        ] {
            let found = LeftBehind::suspected(&one(first), &lanes(alone));
            assert_eq!(found.is_some(), suspected, "{first} {alone:?}");
            assert!(found <= Some(LONGEST_PAUSE));
        }
        let mut absurd = one(0);
        absurd.finish(Duration::MAX);
        assert_eq!(LeftBehind::suspected(&one(1), &[absurd.clone()]), None);
        let never = LeftBehind::suspected_after(&lanes(&[1]), &vec![absurd; 2].into());
        assert_eq!(never, None);
        // A cold start hides it from the warm-up; the next round shows it.
        let alone = lanes(&[301, 302]);
        let after = |times: &[u64]| LeftBehind::suspected_after(&alone, &lanes(times).into());
        assert!(after(&[1210, 1211, 1212, 1213]).is_some());
        assert!(after(&[303, 604, 905, 1206]).is_none());
        assert!(after(&[303, 304, 305, 306]).is_none());
        // A round also shows it if the requests alone were too fast to meet it.
        let quick = LeftBehind::suspected_after(&lanes(&[1, 2]), &lanes(&[3, 4, 905, 1206]).into());
        assert!(quick.is_some());
    }

    #[test]
    fn two_pairs_have_to_agree_on_what_is_left() {
        let expected = LeftBehind {
            answer: ms(2),
            behind: ms(300),
        };
        assert_eq!(left(), expected);
        for pairs in [
            // The request takes as long after a pause.
            [rested(301, 301), rested(301, 301)],
            // Another worker answers the next one.
            [rested(2, 282), rested(2, 2)],
            // Work that varies.
            [rested(200, 500), rested(500, 200)],
            [rested(200, 500), rested(200, 200)],
            [rested(200, 500), rested(500, 900)],
            [rested(2, 282), rested(2, 582)],
        ] {
            let found = LeftBehind::found(&lanes(&[301, 302]), &pairs);
            assert_eq!(found, None, "{pairs:?}");
        }
        // A fast error does not count as a fast answer.
        let mut pairs = [rested(2, 282), rested(2, 282)];
        pairs[1].first.record_head(ms(2), 503);
        assert_eq!(LeftBehind::found(&lanes(&[301, 302]), &pairs), None);
    }

    #[test]
    fn the_request_after_all_shows_only_one_at_a_time() {
        let alone = lanes(&[302, 302]);
        let together = || Timeline::from(vec![one(3); 8]);
        // Each is blocked by the one before, or let through by a rate limit.
        let stairs =
            || Timeline::from((0..8).map(|place| one(2 + 300 * place)).collect::<Vec<_>>());
        for (at_once, next, serialized) in [
            (together(), at(23, 2381), true),
            (together(), at(23, 2100), true),
            (stairs(), at(2122, 282), true),
            // The request met one of two event loops.
            (together(), at(23, 1181), false),
            (together(), at(23, 281), false),
            (together(), at(23, 1800), false),
            (together(), at(23, 5000), false),
            (Timeline::default(), at(23, 281), false),
        ] {
            let verdict = judge_left_behind(left(), &alone, &at_once, &next);
            assert_eq!(verdict.is_some(), serialized, "{verdict:#?}");
            let Some(verdict) = verdict else { continue };
            assert_eq!(
                (verdict.kind, verdict.at_a_time),
                (Kind::Serialized, Some(1))
            );
            assert!(!verdict.advice.is_empty());
            let rate = verdict.sentence.contains("rate limit");
            assert_eq!(rate, at_once == stairs(), "{}", verdict.sentence);
        }
    }

    #[test]
    fn an_error_or_a_missing_answer_gives_no_verdict() {
        let alone = lanes(&[302, 302]);
        let mut refused = vec![one(3); 4];
        refused[1].record_head(ms(3), 503);
        let next = at(23, 1181);
        assert_eq!(
            judge_left_behind(left(), &alone, &refused.into(), &next),
            None
        );
        let next = Lane::start("/", ms(3));
        assert_eq!(
            judge_left_behind(left(), &alone, &vec![one(3); 4].into(), &next),
            None
        );
    }

    #[test]
    fn a_first_request_much_longer_than_the_others_suggests_a_kept_answer() {
        for (first, alone, is_kept) in [
            (1510, &[1, 2][..], true),
            (49, &[1, 2], false),
            (8, &[1, 2], false),
        ] {
            let alone = lanes(alone);
            let verdict = judge(&alone, &lanes(&[1, 2, 1, 2]).into());
            let verdict = verdict.or_kept(&one(first), &alone);
            let reason = Reason::Kept {
                first: ms(first),
                later: ms(1),
            };
            assert_eq!(verdict.reason == Some(reason), is_kept, "{verdict:#?}");
            assert!(!verdict.advice.is_empty());
        }
        // A server that is slow enough is judged.
        let alone = lanes(&[1000, 1001]);
        let verdict = judge(&alone, &lanes(&[1000, 1001]).into());
        assert_eq!(verdict.clone().or_kept(&one(5000), &alone), verdict);
    }
}
