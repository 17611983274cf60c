//! The contrasts: rounds that change one thing, to find out what the requests wait for.

use super::asking::Plan;
use super::findings::Findings;

impl Plan {
    /// Runs the contrasts that the policy asks for.
    pub(super) async fn contrasts(&mut self, findings: &mut Findings) {
        // A bystander is asked beside more requests than the limit that was found.
        self.limit(findings).await;
        self.bystanders(findings).await;
        self.connection(findings).await;
        self.session(findings).await;
        self.versus(findings).await;
    }
}
