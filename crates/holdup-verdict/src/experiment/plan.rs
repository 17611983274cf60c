//! The plan, from top to bottom: which rounds are asked, in which order, and when it is over.

use std::collections::BTreeMap;
use std::time::Duration;

use super::asking::{Plan, Unique, is_long, is_well, shortest};
use super::desk::Desk;
use super::early::Extras;
use super::findings::Findings;
use super::policy::Policy;
use crate::cause::{Names, cause};
use crate::identical::{AskedAgain, Identical, IdenticalKind, Judged, identical, may_be_kept};
use crate::judge::judge;
use crate::left_behind::LeftBehind;
use crate::reason::Reason;
use crate::verdict::{Kind, Verdict};
use holdup_model::Lane;

/// How often identical URLs are compared again if they seem to wait. Two connections share one of two workers
/// half of the time, so the result of four comparisons of two requests each is chance in one of 256 runs.
const COMPARED_AGAIN: usize = 3;

/// The whole experiment.
pub(super) async fn run(desk: Desk, policy: Policy) -> Findings {
    let mut plan = Plan {
        timeout: policy.bound(None),
        desk,
        policy,
        names: BTreeMap::new(),
        pause: Duration::ZERO,
        variation: None,
        apart: false,
    };
    let mut findings = plan.verdict().await;
    plan.began(&mut findings).await;
    plan.contrasts(&mut findings).await;
    findings.cause = cause(&findings, &Names::default());
    findings
}

/// Whether measuring again at a quieter moment may help. It does not if the handler is too fast or answers
/// with errors.
pub(super) fn may_be_noise(verdict: &Verdict) -> bool {
    let certain = matches!(
        verdict.reason,
        Some(
            Reason::Failed { .. }
                | Reason::Status { .. }
                | Reason::TooShort
                | Reason::TooFew
                | Reason::NoSolo
        )
    );
    verdict.kind == Kind::Inconclusive && !certain
}

impl Plan {
    /// Runs the rounds that the verdict rests on.
    async fn verdict(&mut self) -> Findings {
        let warm_up = self.warm_up().await;
        if warm_up.finished_at().is_none() && !self.policy.despite_errors {
            return Findings::of(vec![warm_up]);
        }
        if self.may_be_early() && is_long(&warm_up) {
            return self.early(&warm_up).await;
        }
        let mut findings = self.in_full(&warm_up).await;
        for _ in 1..self.policy.measurements {
            if !may_be_noise(&findings.verdict) {
                break;
            }
            findings = self.in_full(&warm_up).await;
        }
        findings
    }

    /// Runs all rounds after the warm-up.
    pub(super) async fn in_full(&mut self, warm_up: &Lane) -> Findings {
        let mut findings = Findings::of(self.solos().await);
        if !self.policy.despite_errors && !findings.alone.iter().all(is_well) {
            return findings;
        }
        let pause = LeftBehind::suspected(warm_up, &findings.alone);
        if self.leaves_behind(pause, &mut findings).await {
            return findings;
        }
        let solo = shortest(&findings.alone);
        let unique = self.unique(Duration::ZERO, solo).await;
        self.judged(warm_up, findings, unique, None).await
    }

    /// Runs all rounds after the first one of unique URLs, and after that of identical URLs if it took place
    /// (`extras`).
    pub(super) async fn judged(
        &mut self,
        warm_up: &Lane,
        mut findings: Findings,
        unique: Unique,
        extras: Option<Extras>,
    ) -> Findings {
        let solo = shortest(&findings.alone);
        findings.verdict = judge(&findings.alone, &unique.timeline);
        if findings.verdict.reason == Some(Reason::TooShort) && self.policy.left_behind {
            // All may have been answered before what they leave behind begins.
            let after = self.after("after").await;
            let rounds = [&unique.timeline, &vec![after].into()];
            let pauses = rounds.map(|round| LeftBehind::suspected_after(&findings.alone, round));
            let pause = pauses.into_iter().flatten().max();
            if self.leaves_behind(pause, &mut findings).await {
                return findings;
            }
            findings.verdict = findings.verdict.or_kept(warm_up, &findings.alone);
        }
        if findings.verdict.needs_confirmation() {
            let pause = findings.verdict.pause_before_confirmation();
            let again = self.unique(pause, solo).await;
            let again = judge(&findings.alone, &again.timeline);
            findings.verdict = findings.verdict.confirm_with(&again);
        }
        let several = matches!(findings.verdict.kind, Kind::Concurrent | Kind::Limited);
        if self.policy.identical && several && self.compared(&mut findings, &unique, extras).await {
            return findings;
        }
        findings.unique = Some(unique.timeline);
        findings
    }

    /// Compares identical URLs with `unique` ones. Returns true if it found instead that requests leave
    /// something behind.
    async fn compared(
        &mut self,
        findings: &mut Findings,
        unique: &Unique,
        extras: Option<Extras>,
    ) -> bool {
        let solo = shortest(&findings.alone);
        let concurrent = findings.verdict.kind == Kind::Concurrent;
        if concurrent && self.may_be_early() && findings.alone.iter().all(is_long) {
            let mut extras = match extras {
                Some(extras) => extras,
                None => self.extras(unique, solo).await,
            };
            let pause = LeftBehind::suspected_after(&findings.alone, &extras.same);
            if self.leaves_behind(pause, findings).await {
                return true;
            }
            if extras.may_be_kept(&findings.alone, &unique.timeline) {
                extras.fresh = self.fresh(&findings.alone).await;
            }
            let verdict = judge(&findings.alone, &extras.same);
            let found = extras.compare(findings, &unique.timeline, &verdict);
            // The extra requests extras it may be the reason why there is no finding.
            if found.kind != IdenticalKind::Inconclusive {
                findings.identical = Some(self.confirmed(found, &findings.alone, solo).await);
                findings.same = Some(extras.same);
                return false;
            }
        }
        let (same, name) = self.identical(solo).await;
        if concurrent {
            let pause = LeftBehind::suspected_after(&findings.alone, &same);
            if self.leaves_behind(pause, findings).await {
                return true;
            }
        }
        let again = self.again(name).await;
        let asked_again = |fresh| {
            let first = same.lanes.first()?;
            Some(AskedAgain {
                first,
                again: &again,
                fresh,
            })
        };
        let is_fast = |again| may_be_kept(&findings.alone, &unique.timeline, &same, again);
        let fresh = if asked_again(&[]).is_some_and(is_fast) {
            self.fresh(&findings.alone).await
        } else {
            Vec::new()
        };
        let verdict = judge(&findings.alone, &same);
        let (unique, same_ones) = (
            Judged {
                timeline: &unique.timeline,
                verdict: &findings.verdict,
            },
            Judged {
                timeline: &same,
                verdict: &verdict,
            },
        );
        let found = identical(&findings.alone, unique, same_ones, asked_again(&fresh));
        findings.identical = Some(self.confirmed(found, &findings.alone, solo).await);
        findings.same = Some(same);
        false
    }

    /// Repeats the comparison until chance is either shown to be the cause or very unlikely to be it.
    async fn confirmed(
        &mut self,
        mut found: Identical,
        alone: &[Lane],
        solo: Option<Duration>,
    ) -> Identical {
        for _ in 0..COMPARED_AGAIN {
            if !found.needs_confirmation() {
                break;
            }
            let unique = self.unique(Duration::ZERO, solo).await;
            let (same, _) = self.identical(solo).await;
            let unique = unique.timeline;
            let (unique_verdict, same_verdict) = (judge(alone, &unique), judge(alone, &same));
            let again = identical(
                alone,
                Judged {
                    timeline: &unique,
                    verdict: &unique_verdict,
                },
                Judged {
                    timeline: &same,
                    verdict: &same_verdict,
                },
                None,
            );
            found = found.confirm_with(&again);
        }
        found
    }
}
