//! Asks other routes while the measured one runs.
//!
//! Each bystander has rounds of its own, because one that is slow would hold up the others: first alone, then
//! beside one request, and beside more and more of them until it is frozen.

use std::time::Duration;

use super::asking::{Plan, apart, is_well, shortest};
use super::findings::Findings;
use super::round::{Ask, Bystander, Round, RoundKind, To};
use crate::beside::{
    Beside, BesideFinding, BesideRound, Sample, judge_beside, judge_beside_round, next_beside, pace,
};
use crate::judge::judge;
use holdup_model::{Lane, Timeline};

/// How often a bystander is asked one at a time, so that its own time is known.
const ALONE: usize = 5;

/// How often it is asked on the schedule of the rounds, while nothing else runs, so that it is known what the
/// schedule itself does to it.
const ALONE_ON_SCHEDULE: usize = 24;

/// How many connections are kept open. Each belongs to one worker, and one says little.
const KEPT: usize = 8;

/// With this many unanswered, no more are sent, so that a frozen server is not flooded.
const UNANSWERED: usize = 64;

/// The most requests to a bystander in one round.
const MOST: usize = 400;

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
            let seen = rounds
                .iter()
                .filter_map(|round| at_a_time(&findings.alone, round));
            findings.beside_ran = findings.beside_ran.max(seen.max());
            findings.beside_shown.push(shown(&beside, rounds));
            findings.beside.push(beside);
        }
    }

    async fn bystander(&mut self, which: usize, findings: &Findings) -> (Beside, Vec<BesideRound>) {
        let measured = &findings.alone;
        let limit = findings.limit.as_ref().and_then(|limit| limit.at_a_time);
        // One more than run at a time, so that some of them wait.
        let most = limit.map_or(0, |limit| limit + 1).max(self.policy.requests);
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
        while let Some(requests) = next_beside(&found, most)
            && found.len() < MOST_BESIDE_ROUNDS
        {
            // Those that run in turns take longer, and the next ones longer still.
            let took = found
                .last()
                .map_or(solo, |round: &BesideFinding| round.took);
            let schedule = Bystander {
                which,
                every: pace(&alone, took),
                kept,
                unanswered: UNANSWERED,
                most: MOST,
            };
            let round = self.beside(requests, schedule, solo).await;
            if requests == 1 && kept > 0 && occupy(&round.at_once, solo) {
                // A server with a thread for each connection may have none left for the request.
                kept = 0;
                alone = one_at_a_time.clone();
                alone.extend(self.on_schedule(which, &one_at_a_time, solo, kept).await);
                continue;
            }
            found.push(judge_beside_round(&alone, &round));
            rounds.push(round);
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
            which,
            every: pace(alone, solo),
            kept,
            unanswered: UNANSWERED,
            most: ALONE_ON_SCHEDULE,
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
        let answers = self.ask_all(Round { ..round }).await;
        BesideRound {
            at_once: Timeline::from(answers.lanes),
            samples: answers.samples,
        }
    }
}

/// How many of the measured requests ran at a time in this round, if there were several and it shows.
fn at_a_time(alone: &[Lane], round: &BesideRound) -> Option<usize> {
    let several = round.at_once.lanes.len() > 1;
    several.then(|| judge(alone, &round.at_once).at_a_time)?
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

/// Whether a single request took so long that the kept connections must have held it up.
fn occupy(at_once: &Timeline, solo: Duration) -> bool {
    let took = at_once.lanes.first().and_then(Lane::duration);
    took.is_none_or(|took| took > solo.mul_f64(OCCUPIED) + Duration::from_millis(100))
}
