//! Measures the second URL in the same way.

use super::asking::{Plan, shortest};
use super::findings::Findings;
use super::variation::Variation;
use crate::reason::Reason;
use crate::versus::{Versus, VersusNames};
use holdup_model::Lane;

/// What the URLs are called by those who do not know them.
const NAMES: VersusNames<'static> = VersusNames {
    measured: "the measured URL",
    second: "the second URL",
};

impl Plan {
    pub(super) async fn versus(&mut self, findings: &mut Findings) {
        if !self.policy.versus {
            return;
        }
        let first = self.first_varied(Variation::Elsewhere).await;
        let mut second = if first.finished_at().is_none() || redirects(&first).is_some() {
            Findings::of(vec![first.clone()])
        } else {
            self.varied(Variation::Elsewhere, &first).await
        };
        if let Some(status) = redirects(&first) {
            second.verdict.reason = Some(Reason::Status {
                count: 1,
                status,
                alone: true,
                after: None,
                well: None,
            });
            second.verdict.reword();
        }
        self.confirm_difference(Variation::Elsewhere, findings, &mut second)
            .await;
        let solo = shortest(&second.alone);
        let versus = Versus::of(second.verdict, second.delivery, solo);
        let versus = versus.worded(&findings.verdict, findings.delivery, NAMES);
        findings.versus = Some(versus);
    }
}

/// The status of a redirect, which is not followed.
fn redirects(first: &Lane) -> Option<u16> {
    first.status().filter(|status| (300..400).contains(status))
}
