//! Compares concurrent requests for one URL with concurrent requests for unique URLs.
//!
//! A browser holds back the second of two tabs with the same URL. The prober does not. So if identical URLs
//! are slower than unique ones here, the cause is a proxy, a CDN or the application. If they are not, the
//! browser is what holds back the second tab.
//!
//! Timing cannot show that all requests got one answer. Waiting requests may check for it only at intervals,
//! requests that share one answer appear concurrent, and equal bodies prove nothing if bodies are always
//! equal. Repeating a request that has been answered settles it, together with requests for new URLs after it: a
//! server that is warming up answers those just as fast.

use std::time::Duration;

use super::reason::Reason;
use super::verdict::{Kind, Verdict};
use holdup_model::{HumanDuration, Lane, Timeline};

/// If a repeated request takes at most this fraction of the time of others, its answer was kept somewhere …
const KEPT: f64 = 0.5;

/// … provided that it is also faster by this, the noise of one measurement.
const KEPT_BY: Duration = Duration::from_millis(20);

/// A request that takes longer than this factor of the solo time was held up. Waiting for one other request
/// means a factor of two, and noise does not reach half way to that.
const HELD_UP: f64 = 1.5;

/// What happened to requests for the same URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdenticalKind {
    /// They ran as requests for unique URLs do.
    Same,
    /// They ran one at a time, although requests for unique URLs do not.
    Serialized,
    /// At least half of them waited, although requests for unique URLs do not.
    HeldUp,
    /// All got one answer, or a later request got an answer that was kept.
    AnsweredOnce,
    /// The measurement does not show it.
    Inconclusive,
}

/// What the comparison of identical URLs with unique ones found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identical {
    /// The finding.
    pub kind: IdenticalKind,
    /// How the requests for one URL ran, as far as the finding allows a judgement.
    pub ran: Kind,
    /// How many of them ran at a time. `None` if inconclusive, or if their times fit no number.
    pub at_a_time: Option<usize>,
    /// The finding and its evidence in words.
    pub sentence: String,
}

impl Identical {
    fn new(kind: IdenticalKind, verdict: &Verdict, sentence: String) -> Self {
        let ran = match kind {
            // The pattern need not be a staircase, but it is certain that many waited.
            IdenticalKind::HeldUp => Kind::Limited,
            IdenticalKind::Inconclusive => Kind::Inconclusive,
            IdenticalKind::Same | IdenticalKind::Serialized | IdenticalKind::AnsweredOnce => {
                verdict.kind
            }
        };
        Self {
            kind,
            ran,
            at_a_time: verdict.at_a_time.filter(|_| ran != Kind::Inconclusive),
            sentence,
        }
    }

    /// Whether chance may have caused this finding: a server may happen to assign the connections for unique
    /// URLs to different workers, and those for identical URLs to the same one. If so, compare once more and
    /// [confirm](Identical::confirm_with) the finding.
    pub fn needs_confirmation(&self) -> bool {
        matches!(self.kind, IdenticalKind::Serialized | IdenticalKind::HeldUp)
    }

    /// The finding of two comparisons, where `again` is the second. If the second also found that identical
    /// URLs wait, it is this one; otherwise it is inconclusive.
    #[must_use]
    pub fn confirm_with(self, again: &Self) -> Self {
        if !self.needs_confirmation() || again.needs_confirmation() {
            return self;
        }
        Self {
            kind: IdenticalKind::Inconclusive,
            ran: Kind::Inconclusive,
            at_a_time: None,
            sentence:
                "Identical URLs waited for each other, but not when this was measured again: new \
                       connections may fall on the server's workers by chance."
                    .to_owned(),
        }
    }
}

/// Requests that were sent at once, and the verdict on them.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The requests.
    pub timeline: &'a Timeline,
    /// The verdict that [`judge`](crate::judge()) returns for them.
    pub verdict: &'a Verdict,
}

/// A request that had been answered before, sent once more.
#[derive(Debug, Clone, Copy)]
pub struct AskedAgain<'a> {
    /// The first time.
    pub first: &'a Lane,
    /// The second time.
    pub again: &'a Lane,
    /// Requests for new URLs after that. Only if each of them took longer again was the answer kept.
    pub fresh: &'a [Lane],
}

/// Compares `same`, concurrent requests for one URL, with `unique`, concurrent requests for unique URLs. Both
/// are measured against `alone`. `asked_again` is a request that was repeated after it had been answered.
///
/// ```
/// use std::time::Duration;
/// use holdup_model::{Lane, Timeline};
/// use holdup_verdict::{AskedAgain, IdenticalKind, Judged, identical, judge};
///
/// let answered = |after: u64| {
///     let mut lane = Lane::start("/report", Duration::ZERO);
///     lane.finish(Duration::from_millis(after));
///     lane
/// };
/// let alone = [answered(300), answered(301)];
/// let unique = Timeline::from(vec![answered(302), answered(303), answered(304)]);
/// let same = Timeline::from(vec![answered(302), answered(604), answered(906)]);
/// let (unique_verdict, same_verdict) = (judge(&alone, &unique), judge(&alone, &same));
///
/// let found = identical(
///     &alone,
///     Judged { timeline: &unique, verdict: &unique_verdict },
///     Judged { timeline: &same, verdict: &same_verdict },
///     Some(AskedAgain { first: &same.lanes[0], again: &answered(300), fresh: &[] }),
/// );
/// assert_eq!(found.kind, IdenticalKind::Serialized);
/// ```
pub fn identical(
    alone: &[Lane],
    unique: Judged<'_>,
    same: Judged<'_>,
    asked_again: Option<AskedAgain<'_>>,
) -> Identical {
    let (unique_verdict, same_verdict) = (unique.verdict, same.verdict);
    let (unique, same) = (unique.timeline, same.timeline);
    let evidence = asked_again.and_then(|again| answered_once(alone, unique, same, again));
    if let Some(evidence) = evidence {
        return Identical::new(IdenticalKind::AnsweredOnce, same_verdict, evidence);
    }
    let (kind, sentence) = match (unique_verdict.kind, same_verdict.kind) {
        (Kind::Serialized, _) => (
            IdenticalKind::Inconclusive,
            "Identical URLs were not compared, because unique ones are serialized already.".to_owned(),
        ),
        (Kind::Inconclusive, _) => (
            IdenticalKind::Inconclusive,
            "Identical URLs cannot be compared, because unique ones are inconclusive.".to_owned(),
        ),
        (_, Kind::Serialized) => (
            IdenticalKind::Serialized,
            "Identical URLs ran one at a time, but unique ones did not: a proxy, a CDN or the \
             application locks by URL. The browser is not the cause: this test does not use one."
                .to_owned(),
        ),
        (Kind::Concurrent, Kind::Limited | Kind::Inconclusive) => {
            match held_up(unique, same, same_verdict) {
                Some(sentence) => (IdenticalKind::HeldUp, sentence),
                None => (IdenticalKind::Inconclusive, unclear(same_verdict)),
            }
        }
        (_, Kind::Inconclusive) => (IdenticalKind::Inconclusive, unclear(same_verdict)),
        (Kind::Limited, Kind::Limited) if narrower(same_verdict, unique_verdict) => (
            IdenticalKind::HeldUp,
            format!(
                "Identical URLs are held up: {} ran at a time, but {} of the unique ones. A proxy, a CDN \
                 or the application locks by URL. The browser is not the cause: this test does not use one.",
                same_verdict.at_a_time.unwrap_or_default(),
                unique_verdict.at_a_time.unwrap_or_default(),
            ),
        ),
        (kind, same) if kind == same => (
            IdenticalKind::Same,
            "Identical URLs ran just as unique ones did. If two browser tabs of the same URL wait for each \
             other, it is the browser that holds the second one back."
                .to_owned(),
        ),
        (_, _) => (
            IdenticalKind::Inconclusive,
            "Identical URLs were faster than unique ones. One answer may have served several requests, \
             but nothing proves it."
                .to_owned(),
        ),
    };
    Identical::new(kind, same_verdict, sentence)
}

/// Whether at most half as many ran at a time. A smaller difference may be chance, because workers that
/// accept unevenly make the number differ from run to run.
fn narrower(same: &Verdict, unique: &Verdict) -> bool {
    same.at_a_time.map(|at_a_time| at_a_time * 2) <= unique.at_a_time
}

/// Looks for evidence that one answer served all requests, or that an answer is kept.
fn answered_once(
    alone: &[Lane],
    unique: &Timeline,
    same: &Timeline,
    asked_again: AskedAgain<'_>,
) -> Option<String> {
    if !all_well(alone, unique, same, asked_again) {
        return None;
    }
    let AskedAgain { first, again, .. } = asked_again;
    if let Some(fresh) = asked_again.is_kept(alone, unique) {
        return Some(format!(
            "Identical URLs get one answer that a cache or the application keeps: a request for the same \
             URL took {} later, but one for a new URL {}.",
            HumanDuration(again.duration()?),
            HumanDuration(fresh),
        ));
    }
    (bodies_count(unique, same) && !first.same_body(again)).then(|| {
        format!(
            "Identical URLs that are requested together get one answer: all {} answers had the same body, \
             although a request for the same URL at another time got another body.",
            same.lanes.len(),
        )
    })
}

/// Whether the repeated request was so fast that its answer may have been kept somewhere. If so, requests for
/// [new URLs](AskedAgain::fresh) show whether it was.
pub(super) fn may_be_kept(
    alone: &[Lane],
    unique: &Timeline,
    same: &Timeline,
    asked_again: AskedAgain<'_>,
) -> bool {
    all_well(alone, unique, same, asked_again) && asked_again.is_fast(alone, unique)
}

/// Whether all requests were answered in the same way.
fn all_well(
    alone: &[Lane],
    unique: &Timeline,
    same: &Timeline,
    asked_again: AskedAgain<'_>,
) -> bool {
    let status = asked_again.again.status();
    let answered = |lane: &Lane| lane.finished_at().is_some() && lane.status() == status;
    let errors = status.is_some_and(|status| status >= 400);
    let mut all = alone.iter().chain(&unique.lanes).chain(&same.lanes);
    !errors && same.lanes.len() > 1 && all.all(answered)
}

impl AskedAgain<'_> {
    /// What a new URL takes at the least, if the repeated request was much faster, and than all others before.
    fn is_kept(self, alone: &[Lane], unique: &Timeline) -> Option<Duration> {
        let time = self.again.duration()?;
        let is_as_slow = |fresh: &Lane| {
            fresh.status() == self.again.status()
                && fresh.duration().is_some_and(|fresh| is_faster(time, fresh))
        };
        let kept = self.is_fast(alone, unique) && self.fresh.iter().all(is_as_slow);
        let fresh = self.fresh.iter().filter_map(Lane::duration).min();
        fresh.filter(|_| kept)
    }

    /// Whether the repeated request was much faster than those alone. If a request for a unique URL can be as fast,
    /// that does not show that an answer was kept.
    fn is_fast(self, alone: &[Lane], unique: &Timeline) -> bool {
        let solo = alone.iter().filter_map(Lane::duration).min();
        let Some((solo, time)) = solo.zip(self.again.duration()) else {
            return false;
        };
        let mut unique = unique.lanes.iter().filter_map(Lane::duration);
        is_faster(time, solo) && !unique.any(|time| is_faster(time, solo))
    }
}

/// Whether a request took so much less time than another one that its answer may have been kept.
fn is_faster(time: Duration, other: Duration) -> bool {
    time <= other.mul_f64(KEPT) && time.saturating_add(KEPT_BY) <= other
}

/// Whether a different body for a repeated request is evidence. If concurrent requests for unique URLs all
/// get different bodies, equal bodies are not due to chance, and not due to a clock in the body that counts
/// whole seconds.
pub(super) fn bodies_count(unique: &Timeline, same: &Timeline) -> bool {
    let differ = |place: usize, lane: &Lane| {
        let mut others = unique.lanes[place + 1..].iter();
        others.all(|other| !lane.same_body(other))
    };
    let mut lanes = unique.lanes.iter().enumerate();
    let all_differ = unique.lanes.len() > 1 && lanes.all(|(place, lane)| differ(place, lane));
    let Some(first) = same.lanes.first().filter(|first| first.bytes() > 0) else {
        return false;
    };
    all_differ && same.lanes.iter().all(|lane| lane.same_body(first))
}

/// Whether at least half of the requests for the same URL waited.
fn held_up(unique: &Timeline, same: &Timeline, verdict: &Verdict) -> Option<String> {
    let answered = !matches!(
        verdict.reason,
        Some(
            Reason::Failed { .. }
                | Reason::Status { .. }
                | Reason::SlowConnects { .. }
                | Reason::NotAtOnce
                | Reason::FasterThanAlone { .. }
        )
    );
    let slowest = unique.lanes.iter().filter_map(Lane::duration).max()?;
    let late = |time: &Duration| time.as_secs_f64() > slowest.as_secs_f64() * HELD_UP;
    let count = same
        .lanes
        .iter()
        .filter_map(Lane::duration)
        .filter(late)
        .count();
    (answered && count * 2 >= same.lanes.len()).then(|| {
        format!(
            "Identical URLs are held up: {count} of {} waited, although unique ones did not. A proxy \
             or a CDN does this if it asks once and then finds that it may not share the answer, \
             and so does a lock in the application. The browser is not the cause: this test does not \
             use one.",
            same.lanes.len(),
        )
    })
}

fn unclear(verdict: &Verdict) -> String {
    format!("Identical URLs: {}", verdict.sentence)
}
