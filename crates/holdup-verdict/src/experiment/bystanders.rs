//! Asks other routes while the measured one runs.
//!
//! Each bystander has rounds of its own, because one that is slow would hold up the others: first alone, then
//! beside one request, and beside more and more of them until it is frozen. If the doubling passed over the number
//! of requests that run at a time, that many follow.

use std::time::Duration;

use super::asking::{Plan, apart, is_well, shortest};
use super::findings::Findings;
use super::round::{Ask, Bystander, RoundKind, To};
use crate::beside::{
    Beside, BesideFinding, BesideKind, BesideRound, KEPT, MOST_ASKED, MOST_UNANSWERED, RESERVED,
    Sample, judge_beside, judge_beside_round, next_beside, pace,
};
use crate::judge::judge;
use crate::limit::{Beyond, at_least};
use crate::reason::Reason;
use crate::verdict::Kind;
use holdup_model::{Lane, Timeline};

/// How often a bystander is asked one at a time, so that its own time is known.
const ALONE: usize = 5;

/// How often it is asked on the schedule of the rounds, while nothing else runs, so that it is known what the
/// schedule itself does to it.
const ALONE_ON_SCHEDULE: usize = 24;

/// The most rounds beside one bystander, whether or not they show how it fares.
pub const MOST_BESIDE_ROUNDS: usize = 12;

/// How long a bystander's late answers are waited for after it has answered again.
const LINGER: Duration = Duration::from_secs(1);

/// If a request alone takes this many times longer beside connections that are kept open, they occupy the
/// server.
const OCCUPIED: f64 = 1.5;

impl Plan {
    /// Asks each bystander in turn.
    pub(super) async fn bystanders(&mut self, findings: &mut Findings) {
        for which in 0..self.policy.bystanders {
            let (beside, rounds) = self.bystander(which, findings).await;
            // The ends of answers of different length do not show it.
            if findings.began.is_none() {
                let seen = rounds
                    .iter()
                    .filter_map(|round| at_a_time(&findings.alone, round));
                findings.beside_ran = findings.beside_ran.max(seen.max());
            }
            findings.beside_shown.push(shown(&beside, rounds));
            findings.beside.push(beside);
        }
    }

    async fn bystander(&mut self, which: usize, findings: &Findings) -> (Beside, Vec<BesideRound>) {
        let measured = &findings.alone;
        let most = most_beside(self.policy.requests, findings);
        let solo = shortest(measured).filter(|_| measured.iter().all(is_well));
        let Some(solo) = solo else {
            return (judge_beside(&[], &[]), Vec::new());
        };
        let mut alone = Vec::new();
        for _ in 0..ALONE {
            let lane = self.once(which).await;
            let failed = !is_well(&lane);
            alone.push(Sample { lane, kept: None });
            if failed {
                return (judge_beside(&alone, &[]), Vec::new());
            }
        }
        let one_at_a_time = alone.clone();
        let mut kept = KEPT;
        alone.extend(self.on_schedule(which, &one_at_a_time, solo, kept).await);
        let mut rounds = Vec::new();
        let mut found = Vec::new();
        let mut left = MOST_BESIDE_ROUNDS;
        while left > 0
            && let Some(requests) = next(&found, most, in_turns(findings, &rounds))
        {
            let schedule = schedule(
                which,
                pace(&alone, expected(found.last(), requests, solo)),
                kept,
            );
            let round = self.beside(requests, schedule, solo).await;
            let finding = judge_beside_round(&alone, &round);
            let occupied = requests == 1 && occupy(&round.at_once, solo)
                || only_new_ones_waited(&finding, &round);
            if kept > 0 && occupied {
                // A server with a thread for each connection may have none left for others.
                kept = 0;
                alone = one_at_a_time.clone();
                alone.extend(self.on_schedule(which, &one_at_a_time, solo, kept).await);
                (rounds, found) = (Vec::new(), Vec::new());
                continue;
            }
            found.push(finding);
            rounds.push(round);
            left -= 1;
        }
        (judge_beside(&alone, &rounds), rounds)
    }

    /// One request to the bystander.
    async fn once(&mut self, which: usize) -> Lane {
        let ask = Ask {
            to: To::Bystander(which),
            ..Ask::now(self.name("alone"))
        };
        let round = self.round(RoundKind::BesideAlone, vec![ask], None);
        self.ask(round).await.remove(0)
    }

    /// The bystander alone, on the schedule that it is asked on beside the measured route.
    async fn on_schedule(
        &mut self,
        which: usize,
        alone: &[Sample],
        solo: Duration,
        kept: usize,
    ) -> Vec<Sample> {
        let schedule = Bystander {
            most: ALONE_ON_SCHEDULE,
            ..schedule(which, pace(alone, solo), kept)
        };
        let mut round = self.round(RoundKind::BesideAlone, Vec::new(), None);
        round.bystander = Some(schedule);
        self.ask_all(round).await.samples
    }

    /// The measured route's requests at once, and the bystander beside them.
    async fn beside(
        &mut self,
        requests: usize,
        schedule: Bystander,
        solo: Duration,
    ) -> BesideRound {
        let numbers: Vec<_> = (0..requests).map(|_| self.number("") + 1).collect();
        let asks = apart(&numbers, Some(solo));
        let mut round = self.round(RoundKind::Beside, asks, Some(solo));
        round.bystander = Some(schedule);
        round.linger = LINGER;
        let answers = self.ask_all(round).await;
        BesideRound {
            at_once: Timeline::from(answers.lanes),
            samples: answers.samples,
        }
    }
}

/// When this bystander is asked in a round beside the measured route.
fn schedule(which: usize, every: Duration, kept: usize) -> Bystander {
    Bystander {
        which,
        every,
        kept,
        unanswered: MOST_UNANSWERED,
        most: MOST_ASKED,
        reserved: RESERVED,
    }
}

/// The longest that so many of the measured requests may be expected to take. Those that run in turns take longer than
/// the fewer ones of the `last` round, and the bystander is to be asked until the last one of them has ended.
fn expected(last: Option<&BesideFinding>, requests: usize, solo: Duration) -> Duration {
    let Some(last) = last else {
        return solo;
    };
    #[expect(clippy::cast_precision_loss, reason = "few requests")]
    let more = requests as f64 / last.requests.max(1) as f64;
    last.took.mul_f64(more.max(1.0))
}

/// The most requests beside a bystander. If a limit was found: one more than run at a time, so that some of them
/// wait, but none that is rejected.
fn most_beside(requests: usize, findings: &Findings) -> usize {
    let limit = findings.limit.as_ref();
    let Some((limit, at_a_time)) = limit.and_then(|limit| Some((limit, limit.at_a_time?))) else {
        return requests;
    };
    match limit.beyond {
        Some(Beyond::Rejected) if findings.verdict.kind == Kind::Inconclusive => {
            requests.min(at_a_time)
        }
        Some(Beyond::Rejected) => requests,
        _ => requests.max(at_a_time.saturating_add(1)),
    }
}

/// How many of the measured requests ran at a time in this round, if there were several: as the verdict on them says,
/// or at least. The bystander keeps the prober busy, so that it may notice that some waited late, but not that
/// others did not wait.
fn at_a_time(alone: &[Lane], round: &BesideRound) -> Option<usize> {
    let verdict = judge(alone, &round.at_once);
    let at_least = at_least(&verdict, &round.at_once);
    let several = round.at_once.lanes.len() > 1;
    several.then(|| verdict.at_a_time.max(Some(at_least)))?
}

/// The round that shows how the bystander fared: the last one that has the verdict of all.
fn shown(beside: &Beside, mut rounds: Vec<BesideRound>) -> Option<BesideRound> {
    let fits = |requests: usize| beside.frozen_by.is_none_or(|by| requests == by);
    let last = beside
        .rounds
        .iter()
        .rposition(|round| round.kind == beside.kind && fits(round.requests));
    match last.filter(|place| *place < rounds.len()) {
        Some(place) => Some(rounds.swap_remove(place)),
        None => rounds.pop(),
    }
}

/// How many of the measured requests run at a time, if others wait.
fn in_turns(findings: &Findings, rounds: &[BesideRound]) -> Option<usize> {
    let limit = findings.limit.as_ref().and_then(|limit| limit.at_a_time);
    let verdict = &findings.verdict;
    let waited = verdict.kind == Kind::Limited && verdict.reason != Some(Reason::Shared);
    let by_ends = verdict.at_a_time.filter(|_| waited);
    let began = findings.began.as_ref().and_then(|began| began.at_a_time);
    let beside = rounds
        .iter()
        .filter_map(|round| at_a_time(&findings.alone, round));
    limit.or(began).or(by_ends.max(beside.max()))
}

/// The number of requests that run at a time, if fewer of them were tried that do not freeze the bystander, and
/// more that do. Only a round with exactly as many tells whether they need the same.
fn passed_over(found: &[BesideFinding], at_a_time: Option<usize>) -> Option<usize> {
    let frozen = found.iter().filter(|round| round.kind.is_frozen());
    let by = frozen.map(|round| round.requests).min()?;
    let fewer = found.iter().map(|round| round.requests);
    let fewer = fewer.filter(|requests| *requests < by).max()?;
    at_a_time.filter(|requests| (fewer + 1..by).contains(requests))
}

/// How many requests the next round has: as the doubling says, and then the number that it passed over.
fn next(found: &[BesideFinding], most: usize, in_turns: Option<usize>) -> Option<usize> {
    let last = found.last().map(|round| round.requests);
    // The doubling never goes back to fewer.
    match last.filter(|last| found.iter().any(|round| round.requests > *last)) {
        Some(passed_over) => next_beside(found, passed_over),
        None => next_beside(found, most).or_else(|| passed_over(found, in_turns)),
    }
}

/// Whether requests on new connections waited, and those on kept ones did not: each kept one occupies a thread
/// that the others need.
fn only_new_ones_waited(finding: &BesideFinding, round: &BesideRound) -> bool {
    let start = round.at_once.lanes.iter().map(Lane::requested_at).min();
    let start = start.unwrap_or_default();
    let (from, to) = (
        start.saturating_add(finding.from),
        start.saturating_add(finding.to),
    );
    let answered = |is_kept: bool| {
        round.samples.iter().any(|sample| {
            let lane = &sample.lane;
            let within =
                lane.requested_at() >= from && lane.finished_at().is_some_and(|at| at < to);
            within && sample.kept.is_some() == is_kept
        })
    };
    finding.kind == BesideKind::SomeFrozen && answered(true) && !answered(false)
}

/// Whether a single request took so long that the kept connections must have held it up.
fn occupy(at_once: &Timeline, solo: Duration) -> bool {
    let took = at_once.lanes.first().and_then(Lane::duration);
    took.is_none_or(|took| took > solo.mul_f64(OCCUPIED) + Duration::from_millis(100))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Policy;
    use crate::tests::server::{Server, Way};

    #[test]
    fn some_wait_beside_a_bystander_and_none_is_rejected() {
        for (way, requests, most) in [
            (Way::Workers(8), 4, 9),
            (Way::Workers(8), 16, 16),
            (Way::Workers(99), 4, 4),
            (Way::Rejects(8, 503), 4, 4),
            (Way::Rejects(8, 503), 16, 8),
        ] {
            let mut policy = Policy::outside(requests);
            policy.limit = Some(64);
            let findings = Server::new(way, 0.3).judged(policy);
            let limit = findings.limit.as_ref().map(|limit| &limit.sentence);
            assert_eq!(most_beside(requests, &findings), most, "{way:?} {limit:?}");
        }
    }
}
