//! Measures requests that are sent in another way, and compares them with the measured ones.

use super::asking::{Plan, is_long, shortest};
use super::findings::Findings;
use super::plan::may_be_noise;
use super::variation::Variation;
use crate::contrast::{Contrast, about_alike, alike, contrast};
use crate::judge::judge;
use crate::reason::Reason;
use crate::verdict::Verdict;
use holdup_model::Lane;

/// With fewer requests than this, chance decides more often how they fall on the server's workers. If it deals
/// them out to two workers, all of four requests get the same one in one round of eight, and both of two in every
/// other one.
const FEW: usize = 4;

/// How many comparisons may be left out because one of their two rounds shows nothing, or another number.
const SPARE: usize = 2;

impl Plan {
    /// Sends a first request in another way.
    pub(super) async fn first_varied(&mut self, variation: Variation) -> Lane {
        self.variation = Some(variation);
        let lane = self.warm_up().await;
        self.variation = None;
        lane
    }

    /// Runs all rounds after the first request in another way, and once more if noise may be the reason why
    /// they do not show anything.
    pub(super) async fn varied(&mut self, variation: Variation, first: &Lane) -> Findings {
        let identical = std::mem::replace(&mut self.policy.identical, false);
        self.variation = Some(variation);
        self.apart = true;
        let mut findings = self.in_full(first).await;
        if may_be_noise(&findings.verdict) {
            findings = self.in_full(first).await;
        }
        self.variation = None;
        self.apart = false;
        self.policy.identical = identical;
        findings
    }

    /// Repeats a comparison that shows a difference, with both ways: new connections may fall on the server's
    /// workers by chance, and instances of a server may have been starting. Unless the repetitions show the
    /// same, with about the same numbers, the verdict on the other way becomes inconclusive.
    pub(super) async fn confirm_difference(
        &mut self,
        variation: Variation,
        measured: &Findings,
        other: &mut Findings,
    ) {
        let difference = contrast(&measured.verdict, &other.verdict);
        let is_repeated = [&measured.verdict, &other.verdict]
            .iter()
            .any(|verdict| matches!(verdict.reason, Some(Reason::LeftBehind { .. })));
        if !difference.differs() || is_repeated {
            return;
        }
        let long = measured.alone.iter().any(is_long);
        let mut needed = match self.policy.requests {
            ..FEW => 5,
            _ if long => 2,
            _ => 3,
        };
        let mut spare = SPARE;
        let doubt = loop {
            let one = self.once_more(None, measured).await;
            let another = self.once_more(Some(variation), other).await;
            let shown = contrast(&one, &another);
            let is_same = shown == difference;
            let (first, other) = (&measured.verdict, &other.verdict);
            let (one_alike, another_alike) = match difference {
                Contrast::Fewer => (about_alike(first, &one), alike(other, &another)),
                _ => (alike(first, &one), about_alike(other, &another)),
            };
            if is_same && one_alike && another_alike {
                needed -= 1;
                if needed == 0 {
                    return;
                }
                continue;
            }
            if spare == 0 || !is_same && shown != Contrast::Unclear {
                let is_other_same = other.at_a_time == another.at_a_time;
                break if is_other_same || another_alike && !one_alike {
                    Reason::ComparedDiffer {
                        first: first.at_a_time,
                        again: one.at_a_time,
                    }
                } else {
                    Reason::Differs {
                        first: other.at_a_time,
                        again: another.at_a_time,
                    }
                };
            }
            spare -= 1;
        };
        other.verdict = other.verdict.clone().doubted(doubt);
    }

    /// Judges a further round of unique URLs.
    async fn once_more(&mut self, variation: Option<Variation>, findings: &Findings) -> Verdict {
        self.variation = variation;
        self.apart = true;
        let pause = findings.verdict.pause_before_confirmation();
        let unique = self.unique(pause, shortest(&findings.alone)).await;
        self.variation = None;
        self.apart = false;
        judge(&findings.alone, &unique.timeline)
    }
}
