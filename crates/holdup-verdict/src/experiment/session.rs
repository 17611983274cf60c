//! Compares requests with and without cookies and credentials.
//!
//! The verdict itself rests on requests that all have the same ones. Without them, a first request shows
//! whether the server does the same work at all. If it does, requests alone and at once follow, as in the main
//! plan, and a difference is confirmed.

use super::asking::Plan;
use super::findings::Findings;
use super::variation::Variation;
use crate::session::{Session, cannot_be_compared, nothing_to_compare};
use holdup_model::Lane;

impl Plan {
    pub(super) async fn session(&mut self, findings: &mut Findings) {
        if self.policy.session {
            findings.session = Some(self.compared_sessions(findings).await);
        }
    }

    async fn compared_sessions(&mut self, measured: &Findings) -> Session {
        if let Some(why) = nothing_to_compare(&measured.verdict) {
            return Session::not_compared(why);
        }
        self.pause_before_next(measured.verdict.pause_before_confirmation());
        let first = self.first_varied(Variation::Anonymous).await;
        // A first request may take longer for a reason of its own, but no other answer comes by itself.
        if first.status() != measured.alone.first().and_then(Lane::status)
            && let Some(why) = cannot_be_compared(&measured.alone, std::slice::from_ref(&first))
        {
            return Session::not_compared(why);
        }
        let mut without = self.varied(Variation::Anonymous, &first).await;
        if let Some(why) = cannot_be_compared(&measured.alone, &without.alone) {
            return Session::not_compared(why);
        }
        self.confirm_difference(Variation::Anonymous, measured, &mut without)
            .await;
        Session::compared(&measured.verdict, &without.verdict)
    }
}
