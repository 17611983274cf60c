//! Servers that take long, for which the warm-up also serves as a measurement.
//!
//! The full plan measures a request alone before all at once, because a first request may take longer for a
//! reason of its own. If a request takes a second, the solo round makes people wait. So the concurrent
//! requests are sent right after the warm-up, and their result is accepted if nothing else can explain it:
//!
//! - all at once took as long as the warm-up did, and the verdict is that they ran at the same time;
//! - identical URLs took as long once more, although a [few requests](Extras) ran beside them.
//!
//! A first request that took longer for a reason of its own is unlikely to match the later ones by chance. If
//! requests shared something and took longer by just as much, more of them would take even longer. In any
//! other case a request alone is measured after all, and the verdict is based on it. If that request had to
//! wait for those before it, the full plan starts over.

use std::time::Duration;

use super::asking::{Plan, Unique, is_well, shortest};
use super::findings::Findings;
use super::policy::LONG_SOLO;
use super::round::{Ask, Round, RoundKind};
use crate::confirm::LONGEST_PAUSE;
use crate::identical::{
    AskedAgain, Identical, IdenticalKind, Judged, bodies_count, identical, may_be_kept,
};
use crate::judge::judge;
use crate::left_behind::{LeftBehind, is_longer};
use crate::reason::Reason;
use crate::verdict::{Kind, Verdict};
use holdup_model::{Lane, Timeline};

/// Two rounds took equally long if they differ by at most this fraction of the time …
const AS_LONG: f64 = 0.03;

/// … and by at most this, the noise of one measurement.
const AS_LONG_BY: Duration = Duration::from_millis(10);

/// One extra request runs beside this many: with a quarter more of them, requests that share something enough
/// to be judged wrongly take at least 3.5 % longer.
const BESIDE: usize = 4;

/// With more concurrent requests than this, a few more would be too many, so the full plan is used.
const MOST: usize = 32;

/// How much later the extra requests are sent, as a fraction of the solo time, so that they are last in a
/// queue if there is one.
const LATER: u32 = 20;

/// Where they are asked, nobody waits longer for one of them to begin, or for one that had to queue to end.
const LATER_MOST: Duration = Duration::from_millis(250);

/// Identical URLs, and a URL that was asked before once more.
#[derive(Debug)]
pub(super) struct Extras {
    pub(super) same: Timeline,
    first: Option<Lane>,
    again: Option<Lane>,
    /// Requests for new URLs after that, if the repeated one was fast.
    pub(super) fresh: Vec<Lane>,
}

impl Extras {
    /// Compares the identical URLs with the unique ones.
    pub(super) fn compare(
        &self,
        findings: &Findings,
        unique: &Timeline,
        verdict: &Verdict,
    ) -> Identical {
        let unique = Judged {
            timeline: unique,
            verdict: &findings.verdict,
        };
        let same = Judged {
            timeline: &self.same,
            verdict,
        };
        identical(&findings.alone, unique, same, self.asked_again())
    }

    fn asked_again(&self) -> Option<AskedAgain<'_>> {
        let (first, again) = self.first.as_ref().zip(self.again.as_ref())?;
        Some(AskedAgain {
            first,
            again,
            fresh: &self.fresh,
        })
    }

    /// Whether the answer to the repeated request may have been kept somewhere.
    pub(super) fn may_be_kept(&self, alone: &[Lane], unique: &Timeline) -> bool {
        let is_fast = |again| may_be_kept(alone, unique, &self.same, again);
        self.asked_again().is_some_and(is_fast)
    }
}

impl Plan {
    pub(super) fn may_be_early(&self) -> bool {
        self.policy.early && self.policy.identical && self.policy.requests <= MOST
    }

    /// Runs all rounds after a warm-up that took long.
    pub(super) async fn early(&mut self, warm_up: &Lane) -> Findings {
        let took = warm_up.duration();
        let unique = self.unique(Duration::ZERO, took).await;
        let mut findings = Findings::of(vec![warm_up.clone()]);
        findings.verdict = judge(&findings.alone, &unique.timeline);
        if let Some(Reason::Failed { alone: false, .. } | Reason::Status { alone: false, .. }) =
            findings.verdict.reason
        {
            findings.unique = Some(unique.timeline);
            return findings;
        }
        let mut extras = None;
        let unique_took = typical(&unique.timeline);
        if findings.verdict.kind == Kind::Concurrent && as_long(unique_took, took) {
            let asked = self.extras(&unique, took).await;
            let verdict = judge(&findings.alone, &asked.same);
            let found = asked.compare(&findings, &unique.timeline, &verdict);
            let is_plain = found.kind == IdenticalKind::Same
                && !asked.may_be_kept(&findings.alone, &unique.timeline);
            if is_plain && as_long(typical(&asked.same), unique_took) {
                findings.identical = Some(found);
                findings.same = Some(asked.same);
                findings.unique = Some(unique.timeline);
                return findings;
            }
            extras = Some(asked);
        }
        let solo = self.solo(took).await;
        if !is_well(&solo) || had_to_wait(&solo, warm_up) {
            // The requests so far may be the reason, so the full plan begins when nothing of them can be
            // left. A rate limit recovers its burst about as fast as it let the other requests through.
            let left = solo.duration().unwrap_or_default().saturating_mul(2);
            let recovers = findings.verdict.makespan.unwrap_or_default();
            self.pause_before_next(left.max(recovers).min(LONGEST_PAUSE));
            let again = self.warm_up().await;
            let findings = self.in_full(&again).await;
            let firsts = [warm_up, &again].into_iter().filter(|lane| is_well(lane));
            let first = firsts.min_by_key(|lane| lane.duration());
            return with_first(findings, first.unwrap_or(warm_up));
        }
        let mut alone = vec![solo];
        if shortest(&alone) <= Some(LONG_SOLO) {
            alone.push(self.solo(shortest(&alone)).await);
        }
        findings = Findings::of(alone);
        if !findings.alone.iter().all(is_well) {
            return findings;
        }
        let pause = LeftBehind::suspected(warm_up, &findings.alone);
        if self.leaves_behind(pause, &mut findings).await {
            return findings;
        }
        self.judged(warm_up, findings, unique, extras).await
    }

    /// Identical URLs, and beside them a few of the unique ones once more: one for each four.
    pub(super) async fn extras(&mut self, unique: &Unique, solo: Option<Duration>) -> Extras {
        let requests = self.policy.requests;
        let later = (solo.unwrap_or_default() / LATER).min(LATER_MOST);
        let name = format!("same{}", self.number("same"));
        let mut asks = vec![Ask::now(&name); requests];
        asks.extend((0..requests.div_ceil(BESIDE)).map(|place| Ask {
            after: later,
            optional: true,
            ..Ask::now((unique.first + place).to_string())
        }));
        let round = self.round(RoundKind::Identical, asks, solo);
        let linger = later * 2;
        let mut lanes = self.ask(Round { linger, ..round }).await;
        let mut again = lanes.split_off(requests).into_iter().next();
        let same = Timeline::from(lanes);
        let mut first = unique.timeline.lanes.first().cloned();
        let left = again
            .as_ref()
            .is_some_and(|again| again.ended_at().is_none());
        if left && bodies_count(&unique.timeline, &same) {
            // The extra request had to wait, so its body is unknown, although bodies would be evidence.
            again = Some(self.again(name).await);
            first = same.lanes.first().cloned();
        }
        Extras {
            same,
            first,
            again,
            fresh: Vec::new(),
        }
    }
}

/// Whether a request took so much longer than the first one that others must have held it up.
fn had_to_wait(solo: &Lane, warm_up: &Lane) -> bool {
    solo.duration()
        .zip(warm_up.duration())
        .is_some_and(|(solo, warm_up)| is_longer(solo, warm_up))
}

/// If requests alone still take much longer than the first one did, it is unknown what a request takes, so
/// the concurrent ones cannot be judged.
fn with_first(mut findings: Findings, first: &Lane) -> Findings {
    let waited = findings.alone.iter().all(|lane| had_to_wait(lane, first));
    if let Some(unique) = &findings.unique
        && waited
        && findings.verdict.kind != Kind::Serialized
    {
        findings.alone.insert(0, first.clone());
        findings.verdict = judge(&findings.alone, unique);
        (findings.identical, findings.same) = (None, None);
    }
    findings
}

/// The median time of the round's requests.
fn typical(round: &Timeline) -> Option<Duration> {
    let mut times: Vec<_> = round.lanes.iter().filter_map(Lane::duration).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// Whether two times are the same but for noise.
fn as_long(one: Option<Duration>, other: Option<Duration>) -> bool {
    one.zip(other).is_some_and(|(one, other)| {
        one.abs_diff(other) <= one.min(other).mul_f64(AS_LONG).saturating_add(AS_LONG_BY)
    })
}
