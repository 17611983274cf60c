//! Asks other routes while the measured one runs.

use super::asking::Plan;
use super::findings::Findings;

impl Plan {
    pub(super) async fn bystanders(&mut self, _findings: &mut Findings) {}
}
