//! Measures the second URL in the same way.

use super::asking::Plan;
use super::findings::Findings;

impl Plan {
    pub(super) async fn versus(&mut self, _findings: &mut Findings) {}
}
