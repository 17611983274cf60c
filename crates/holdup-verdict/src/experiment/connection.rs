//! Compares one HTTP/2 connection with one connection for each request.

use super::asking::Plan;
use super::findings::Findings;

impl Plan {
    pub(super) async fn connection(&mut self, _findings: &mut Findings) {}
}
