//! The experiment that shows what requests leave behind.

use std::time::Duration;

use tokio::time;

use super::{COMPARED_AGAIN, Run};
use crate::{Phase, Report};
use holdup_model::{Lane, Timeline};
use holdup_verdict::{LeftBehind, Rested, Verdict, judge_left_behind};

/// The first of the rounds that are made to see what requests leave behind; no other has their URLs.
const LEFT_BEHIND_ROUND: usize = 2 + COMPARED_AGAIN;

/// How many pairs of requests are asked after a pause until two that follow each other agree. The first may
/// still meet what those before left.
const RESTED: usize = 3;

impl Run<'_> {
    /// Asks after pauses to see whether requests leave something behind that blocks the next ones one at a
    /// time. If so, that is the report's verdict.
    pub(super) async fn leaves_behind(
        &mut self,
        pause: Option<Duration>,
        report: &mut Report,
    ) -> bool {
        // Once is enough: it would find nothing again.
        let Some(pause) = pause.filter(|_| report.rested.is_empty()) else {
            return false;
        };
        let Some(found) = self.rested(pause, report).await else {
            return false;
        };
        let requests = self.settings.requests;
        let mut measured: Option<(Verdict, Timeline)> = None;
        for round in 0..LeftBehind::rounds(requests) {
            self.pause(found.pause(1)).await;
            let round = LEFT_BEHIND_ROUND + round;
            let longest = report.alone.iter().filter_map(Lane::duration).max();
            let at_once = self.unique(round, longest).await;
            time::sleep(LeftBehind::MOMENT).await;
            let next = self.question(format_args!("next{round}"));
            let (next, _) = self.one(&next).await;
            let verdict = judge_left_behind(found, &report.alone, &at_once, &next);
            report.rested.push(next);
            let Some(verdict) = verdict else {
                // What comes next is to find nothing left.
                self.pause(found.pause(requests + 1)).await;
                return false;
            };
            measured = Some(match measured {
                None => (verdict, at_once),
                Some((first, timeline)) => (first.again(&verdict), timeline),
            });
        }
        if let Some((verdict, at_once)) = measured {
            report.verdict = verdict;
            report.unique = Some(at_once);
        }
        true
    }

    /// Pairs of requests, each pair after a pause, until two of them agree on what is left behind.
    async fn rested(&mut self, pause: Duration, report: &mut Report) -> Option<LeftBehind> {
        let mut last: Option<Rested> = None;
        for number in 1..=RESTED {
            self.pause(pause).await;
            self.announce(Phase::Solo, None);
            let (first, _) = self
                .one(&self.question(format_args!("rested{number}")))
                .await;
            time::sleep(LeftBehind::MOMENT).await;
            let (next, _) = self
                .one(&self.question(format_args!("after{number}")))
                .await;
            report.rested.extend([first.clone(), next.clone()]);
            let pair = Rested { first, next };
            if let Some(last) = last.take()
                && let Some(found) = LeftBehind::found(&report.alone, &[last, pair.clone()])
            {
                return Some(found);
            }
            last = Some(pair);
        }
        None
    }
}
