//! The plan, from top to bottom: which rounds are asked, in which order, and when it is over.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Desk;
use super::early::Beside;
use super::findings::Findings;
use super::policy::{LONG_SOLO, Policy};
use super::round::{Ask, Round, RoundKind};
use crate::identical::{AskedAgain, Identical, IdenticalKind, Judged, identical};
use crate::judge::judge;
use crate::left_behind::LeftBehind;
use crate::reason::Reason;
use crate::verdict::{Kind, Verdict};
use holdup_model::{Lane, Timeline};

/// How often identical URLs are compared again if they seem to wait. Two connections meet on one of
/// two workers every other time, so four comparisons of two each are chance in one of 256 runs.
const COMPARED_AGAIN: usize = 3;

/// The whole experiment.
pub(super) async fn run(desk: Desk, policy: Policy) -> Findings {
    let mut plan = Plan {
        timeout: policy.bound(None),
        desk,
        policy,
        names: BTreeMap::new(),
        pause: Duration::ZERO,
    };
    let warm_up = plan.warm_up().await;
    if warm_up.finished_at().is_none() && !plan.policy.despite_errors {
        return Findings::of(vec![warm_up]);
    }
    if plan.may_be_early() && is_long(&warm_up) {
        return plan.early(&warm_up).await;
    }
    let mut findings = plan.in_full(&warm_up).await;
    for _ in 1..plan.policy.measurements {
        if !may_be_noise(&findings.verdict) {
            break;
        }
        findings = plan.in_full(&warm_up).await;
    }
    findings
}

/// Whether a quieter moment may show more: not when the handler is too fast, or answers with errors.
fn may_be_noise(verdict: &Verdict) -> bool {
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

/// Whether a request was answered, and not with an error.
pub(super) fn is_well(lane: &Lane) -> bool {
    lane.finished_at().is_some() && lane.status() < Some(400)
}

/// Whether it was answered well and took so long that one measurement of it is enough.
pub(super) fn is_long(lane: &Lane) -> bool {
    is_well(lane) && lane.duration() > Some(LONG_SOLO)
}

/// A round of unique URLs. Their names are numbers, one after the other.
#[derive(Debug)]
pub(super) struct Unique {
    /// The number of the first.
    pub(super) first: usize,
    pub(super) timeline: Timeline,
}

/// How far the plan has come.
pub(super) struct Plan {
    desk: Desk,
    pub(super) policy: Policy,
    /// How many names there are with each prefix.
    names: BTreeMap<&'static str, usize>,
    /// A pause that is due before the next round.
    pause: Duration,
    /// The bound of the last round that had one of its own.
    timeout: Duration,
}

impl Plan {
    /// All that comes after the warm-up.
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

    /// All that comes after the first round of unique URLs; and identical ones, if they have been asked.
    pub(super) async fn judged(
        &mut self,
        warm_up: &Lane,
        mut findings: Findings,
        unique: Unique,
        beside: Option<Beside>,
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
        if self.policy.identical && several && self.compared(&mut findings, &unique, beside).await {
            return findings;
        }
        findings.unique = Some(unique.timeline);
        findings
    }

    /// Compares identical URLs with `unique` ones. Tells whether it was found instead that requests leave
    /// something behind.
    async fn compared(
        &mut self,
        findings: &mut Findings,
        unique: &Unique,
        beside: Option<Beside>,
    ) -> bool {
        let solo = shortest(&findings.alone);
        let concurrent = findings.verdict.kind == Kind::Concurrent;
        if concurrent && self.may_be_early() && findings.alone.iter().all(is_long) {
            let beside = match beside {
                Some(beside) => beside,
                None => self.beside(unique, solo).await,
            };
            let pause = LeftBehind::suspected_after(&findings.alone, &beside.same);
            if self.leaves_behind(pause, findings).await {
                return true;
            }
            let verdict = judge(&findings.alone, &beside.same);
            let found = beside.compare(findings, &unique.timeline, &verdict);
            // The requests beside it may be why there is no finding.
            if found.kind != IdenticalKind::Inconclusive {
                findings.identical = Some(self.confirmed(found, &findings.alone, solo).await);
                findings.same = Some(beside.same);
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
        let asked_again = same.lanes.first().map(|first| AskedAgain {
            first,
            again: &again,
        });
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
        let found = identical(&findings.alone, unique, same_ones, asked_again);
        findings.identical = Some(self.confirmed(found, &findings.alone, solo).await);
        findings.same = Some(same);
        false
    }

    /// Compares until it has shown that chance did it, or hardly can have.
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

    /// The first request of all.
    pub(super) async fn warm_up(&mut self) -> Lane {
        let name = match self.number("warm") {
            0 => "warm".to_owned(),
            again => format!("warm{again}"),
        };
        self.one(RoundKind::WarmUp, name, Duration::ZERO, None)
            .await
    }

    /// One request alone, twice unless it takes long, or fails.
    async fn solos(&mut self) -> Vec<Lane> {
        let mut alone = vec![self.solo(None).await];
        let first = alone[0].duration();
        if first.is_some_and(|took| took <= LONG_SOLO)
            || self.policy.despite_errors && first.is_none()
        {
            alone.push(self.solo(first).await);
        }
        alone
    }

    /// One request alone.
    pub(super) async fn solo(&mut self, known: Option<Duration>) -> Lane {
        let asks = vec![Ask::now(self.name("solo"))];
        let round = self.round(RoundKind::Solo, asks, known);
        self.ask(round).await.remove(0)
    }

    /// All at once, each with a URL of its own, which no other round has.
    pub(super) async fn unique(&mut self, pause: Duration, solo: Option<Duration>) -> Unique {
        let numbers: Vec<_> = (0..self.policy.requests)
            .map(|_| self.number("") + 1)
            .collect();
        let asks = numbers.iter().map(|number| Ask::now(number.to_string()));
        let round = self.round(RoundKind::Unique, asks.collect(), solo);
        let lanes = self.ask(Round { pause, ..round }).await;
        Unique {
            first: numbers.first().copied().unwrap_or_default(),
            timeline: lanes.into(),
        }
    }

    /// All at once with one URL, which no other round has.
    async fn identical(&mut self, solo: Option<Duration>) -> (Timeline, String) {
        let name = format!("same{}", self.number("same"));
        let asks = vec![Ask::now(&name); self.policy.requests];
        let round = self.round(RoundKind::Identical, asks, solo);
        (self.ask(round).await.into(), name)
    }

    /// A request a moment after others, to see what they left behind.
    pub(super) async fn after(&mut self, prefix: &'static str) -> Lane {
        let name = self.name(prefix);
        self.one(
            RoundKind::After,
            name,
            LeftBehind::MOMENT,
            Some(self.timeout),
        )
        .await
    }

    /// A URL that has been asked, once more.
    pub(super) async fn again(&mut self, name: String) -> Lane {
        let timeout = Some(self.timeout);
        self.one(RoundKind::After, name, Duration::ZERO, timeout)
            .await
    }

    /// A name that there is not yet.
    pub(super) fn name(&mut self, prefix: &'static str) -> String {
        format!("{prefix}{}", self.number(prefix) + 1)
    }

    /// How many names of this prefix there were before.
    pub(super) fn number(&mut self, prefix: &'static str) -> usize {
        let count = self.names.entry(prefix).or_default();
        *count += 1;
        *count - 1
    }

    /// Has the next round begin after so long a pause at least.
    pub(super) fn pause_before_next(&mut self, pause: Duration) {
        self.pause = pause;
    }

    /// One request.
    pub(super) async fn one(
        &mut self,
        kind: RoundKind,
        name: String,
        pause: Duration,
        timeout: Option<Duration>,
    ) -> Lane {
        let round = Round {
            kind,
            pause,
            asks: vec![Ask::now(name)],
            concurrent: None,
            serialized: None,
            timeout: timeout.unwrap_or_else(|| self.policy.bound(None)),
            linger: Duration::ZERO,
        };
        self.ask(round).await.remove(0)
    }

    /// A round of requests that take `solo` alone.
    pub(super) fn round(&self, kind: RoundKind, asks: Vec<Ask>, solo: Option<Duration>) -> Round {
        let times = asks.iter().filter(|ask| !ask.optional).count();
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        let serialized = solo.map(|solo| solo.saturating_mul(times));
        Round {
            kind,
            pause: Duration::ZERO,
            asks,
            concurrent: solo,
            serialized,
            timeout: self.policy.bound(serialized),
            linger: Duration::ZERO,
        }
    }

    /// Has a round asked: one lane for each of its requests.
    pub(super) async fn ask(&mut self, mut round: Round) -> Vec<Lane> {
        round.pause = round.pause.max(std::mem::take(&mut self.pause));
        self.timeout = round.timeout;
        let names: Vec<_> = round.asks.iter().map(|ask| ask.name.clone()).collect();
        let mut lanes = self.desk.ask(round).await;
        lanes.truncate(names.len());
        let missing = names.into_iter().skip(lanes.len());
        lanes.extend(missing.map(|name| Lane::start(name, Duration::ZERO)));
        lanes
    }
}

/// The shortest of the requests alone.
pub(super) fn shortest(alone: &[Lane]) -> Option<Duration> {
    alone.iter().filter_map(Lane::duration).min()
}
