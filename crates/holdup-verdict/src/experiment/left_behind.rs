//! The rounds that show what requests leave behind.

use std::time::Duration;

use super::asking::Plan;
use super::findings::Findings;
use super::round::RoundKind;
use crate::left_behind::{LeftBehind, Rested, judge_left_behind};
use crate::verdict::Verdict;
use holdup_model::{Lane, Timeline};

/// How many pairs of requests are sent after a pause until two successive pairs agree. The first pair may
/// still meet what earlier requests left behind.
const RESTED: usize = 3;

impl Plan {
    /// Sends requests after pauses to find out whether requests leave something behind that blocks the next
    /// ones one at a time. If so, that becomes the verdict, and the result is true.
    pub(super) async fn leaves_behind(
        &mut self,
        pause: Option<Duration>,
        findings: &mut Findings,
    ) -> bool {
        // One search is enough: a second one would find nothing either.
        let first = self.policy.left_behind && findings.rested.is_empty();
        let Some(pause) = pause.filter(|_| first) else {
            return false;
        };
        let Some(found) = self.rested(pause, findings).await else {
            return false;
        };
        let requests = self.policy.requests;
        let mut measured: Option<(Verdict, Timeline)> = None;
        for _ in 0..LeftBehind::rounds(requests) {
            let longest = findings.alone.iter().filter_map(Lane::duration).max();
            let at_once = self.unique(found.pause(1), longest).await.timeline;
            let next = self.after("next").await;
            let verdict = judge_left_behind(found, &findings.alone, &at_once, &next);
            findings.rested.push(next);
            let Some(verdict) = verdict else {
                // The next round must not meet anything that this one left behind.
                self.pause_before_next(found.pause(requests + 1));
                return false;
            };
            measured = Some(match measured {
                None => (verdict, at_once),
                Some((first, timeline)) => (first.confirm_with(&verdict), timeline),
            });
        }
        if let Some((verdict, at_once)) = measured {
            findings.verdict = verdict;
            findings.unique = Some(at_once);
        }
        true
    }

    /// Sends pairs of requests, each pair after a pause, until two of them agree on what is left behind.
    async fn rested(&mut self, pause: Duration, findings: &mut Findings) -> Option<LeftBehind> {
        let mut last: Option<Rested> = None;
        for _ in 0..RESTED {
            let name = self.name("rested");
            let first = self.one(RoundKind::Rested, name, pause, None).await;
            let next = self.after("after").await;
            findings.rested.extend([first.clone(), next.clone()]);
            let pair = Rested { first, next };
            if let Some(last) = last.take()
                && let Some(found) = LeftBehind::found(&findings.alone, &[last, pair.clone()])
            {
                return Some(found);
            }
            last = Some(pair);
        }
        None
    }
}
