//! Requests for the very same URL at once, against requests for unique URLs.
//!
//! A browser holds back the second of two tabs with the same URL. A prober is no browser, so if
//! identical URLs are slower than unique ones here, something between is at work: a proxy, a CDN,
//! the application. If they are not, two stuck tabs are the browser's doing.
//!
//! That one answer was given to all cannot be read from their timing. Waiters may look again only
//! now and then, requests that share one answer look concurrent, and equal bodies prove nothing
//! where bodies are always equal. Asking once more is what tells.

use std::time::Duration;

use super::{Kind, Reason, Verdict, judge};
use holdup_model::{HumanDuration, Lane, Timeline};

/// Asked again, an answer that took at most this part of the solo time was kept somewhere.
const KEPT: f64 = 0.5;

/// … if it is faster by this as well: the noise of one measurement.
const KEPT_BY: Duration = Duration::from_millis(20);

/// Later than this factor of the solo time is held up. Two rounds take a factor of two, noise does
/// not reach half way.
const HELD_UP: f64 = 1.5;

/// What requests for one and the same URL met with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdenticalKind {
    /// They ran as unique ones do.
    Same,
    /// They ran one at a time, though unique ones do not.
    Serialized,
    /// At least half of them waited, though unique ones do not.
    HeldUp,
    /// One answer was given to all, or kept for those who ask again.
    AnsweredOnce,
    /// The measurement does not tell.
    Inconclusive,
}

/// How identical URLs fared, in a word and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identical {
    /// The finding.
    pub kind: IdenticalKind,
    /// The finding and its evidence in words.
    pub sentence: String,
}

impl Identical {
    /// Whether the chance by which connections fall on a server's workers could have made it:
    /// unique ones on different workers, identical ones on the same. Compare again then.
    pub fn is_doubtful(&self) -> bool {
        matches!(self.kind, IdenticalKind::Serialized | IdenticalKind::HeldUp)
    }

    /// The finding when `again` compares the same URLs, measured once more: this one if that one
    /// found that identical URLs wait, too, otherwise none.
    #[must_use]
    pub fn again(self, again: &Self) -> Self {
        if !self.is_doubtful() || again.is_doubtful() {
            return self;
        }
        Self {
            kind: IdenticalKind::Inconclusive,
            sentence: "Identical URLs waited, but not when they were compared with unique ones \
                       again: new connections may fall on the server's workers by chance."
                .to_owned(),
        }
    }
}

/// Compares `same`, requests for one URL at once, with `unique`, requests for unique URLs at once;
/// both by `alone`. `again` is the URL of `same` asked once more when all of them had ended.
///
/// ```
/// use std::time::Duration;
/// use holdup_model::{Lane, Timeline};
/// use holdup_verdict::{IdenticalKind, identical};
///
/// let answered = |after: u64| {
///     let mut lane = Lane::start("/report", Duration::ZERO);
///     lane.finish(Duration::from_millis(after));
///     lane
/// };
/// let alone = [answered(300), answered(301)];
/// let unique = Timeline::from(vec![answered(302), answered(303), answered(304)]);
/// let same = Timeline::from(vec![answered(302), answered(604), answered(906)]);
///
/// let found = identical(&alone, &unique, &same, Some(&answered(300)));
/// assert_eq!(found.kind, IdenticalKind::Serialized);
/// ```
pub fn identical(
    alone: &[Lane],
    unique: &Timeline,
    same: &Timeline,
    again: Option<&Lane>,
) -> Identical {
    let finding = |kind, sentence| Identical { kind, sentence };
    if let Some(evidence) = again.and_then(|again| answered_once(alone, unique, same, again)) {
        return finding(IdenticalKind::AnsweredOnce, evidence);
    }
    let (unique_verdict, same_verdict) = (judge(alone, unique), judge(alone, same));
    let (kind, sentence) = match (unique_verdict.kind, same_verdict.kind) {
        (Kind::Serialized, _) => (
            IdenticalKind::Inconclusive,
            "Identical URLs were not compared: unique ones are serialized already.".to_owned(),
        ),
        (Kind::Inconclusive, _) => (
            IdenticalKind::Inconclusive,
            "Identical URLs cannot be compared: unique ones are inconclusive.".to_owned(),
        ),
        (_, Kind::Serialized) => (
            IdenticalKind::Serialized,
            "Identical URLs ran one at a time, unique ones did not: a proxy, a CDN or the \
             application locks by URL. This is no browser's doing; none was involved."
                .to_owned(),
        ),
        (Kind::Concurrent, Kind::Limited | Kind::Inconclusive) => {
            match held_up(unique, same, &same_verdict) {
                Some(sentence) => (IdenticalKind::HeldUp, sentence),
                None => (IdenticalKind::Inconclusive, unclear(&same_verdict)),
            }
        }
        (_, Kind::Inconclusive) => (IdenticalKind::Inconclusive, unclear(&same_verdict)),
        (Kind::Limited, Kind::Limited) if narrower(&same_verdict, &unique_verdict) => (
            IdenticalKind::HeldUp,
            format!(
                "Identical URLs are held up: {} ran at a time, of unique ones {}. A proxy, a CDN \
                 or the application locks by URL; no browser was involved.",
                same_verdict.at_a_time.unwrap_or_default(),
                unique_verdict.at_a_time.unwrap_or_default(),
            ),
        ),
        (one, other) if one == other => (
            IdenticalKind::Same,
            "Identical URLs ran as unique ones do: if two tabs of the same URL wait for each \
             other, it is the browser that holds the second back."
                .to_owned(),
        ),
        (_, _) => (
            IdenticalKind::Inconclusive,
            "Identical URLs were faster than unique ones: perhaps one answer served several, but \
             nothing proves it."
                .to_owned(),
        ),
    };
    finding(kind, sentence)
}

/// Half as many at a time, or fewer. Less of a difference may be chance: workers that accept
/// unevenly make the number differ from run to run.
fn narrower(same: &Verdict, unique: &Verdict) -> bool {
    same.at_a_time.map(|at_a_time| at_a_time * 2) <= unique.at_a_time
}

/// Evidence that one answer served all, or is kept.
fn answered_once(
    alone: &[Lane],
    unique: &Timeline,
    same: &Timeline,
    again: &Lane,
) -> Option<String> {
    let status = again.status();
    let answered = |lane: &Lane| lane.finished_at().is_some() && lane.status() == status;
    let all = || alone.iter().chain(&unique.lanes).chain(&same.lanes);
    let errors = status.is_some_and(|status| status >= 400);
    if errors || same.lanes.len() < 2 || !all().all(answered) {
        return None;
    }
    let solo = alone.iter().filter_map(Lane::duration).min()?;
    let kept = |time: Duration| time <= solo.mul_f64(KEPT) && time.saturating_add(KEPT_BY) <= solo;
    let time = again.duration()?;
    // If a unique URL can be as fast, speed is no sign that an answer was kept.
    let mut unique_times = unique.lanes.iter().filter_map(Lane::duration);
    if kept(time) && !unique_times.any(kept) {
        return Some(format!(
            "Identical URLs are answered from one answer that is kept, by a cache or the \
             application: asked again, it came after {} instead of {}.",
            HumanDuration(time),
            HumanDuration(solo),
        ));
    }
    // Bodies that all differ, whenever unique URLs are asked together, do not become equal by
    // chance or because a clock in them counts whole seconds.
    let differ = |place: usize, lane: &Lane| {
        let mut others = unique.lanes[place + 1..].iter();
        others.all(|other| !lane.same_body(other))
    };
    let mut lanes = unique.lanes.iter().enumerate();
    let all_differ = unique.lanes.len() > 1 && lanes.all(|(place, lane)| differ(place, lane));
    let first = &same.lanes[0];
    let one_body = same.lanes.iter().all(|lane| lane.same_body(first));
    (all_differ && one_body && first.bytes() > 0 && !first.same_body(again)).then(|| {
        format!(
            "Identical URLs are answered once for all: all {} had the same body, though asking \
             again gave another.",
            same.lanes.len(),
        )
    })
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
            "Identical URLs are held up: {count} of {} waited, though unique ones did not. A proxy \
             or a CDN that asks once and then finds that it may not share the answer does this; \
             so does a lock in the application. No browser was involved.",
            same.lanes.len(),
        )
    })
}

fn unclear(verdict: &Verdict) -> String {
    format!("Identical URLs: {}", verdict.sentence)
}
