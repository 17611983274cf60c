//! Compares requests with and without cookies and credentials.

use super::asking::Plan;
use super::findings::Findings;

impl Plan {
    pub(super) async fn session(&mut self, _findings: &mut Findings) {}
}
