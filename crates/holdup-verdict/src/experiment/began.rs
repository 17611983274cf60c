//! Reads from the first bytes of streamed answers how many were begun at a time.

use std::time::Duration;

use super::asking::{Plan, shortest};
use super::findings::Findings;
use crate::began::began;
use crate::verdict::Kind;

impl Plan {
    /// Judges the first bytes of the answers at once, if these are streamed and of different length.
    pub(super) async fn began(&mut self, findings: &mut Findings) {
        let Some(unique) = &findings.unique else {
            return;
        };
        let Some(mut found) = began(&findings.alone, unique) else {
            return;
        };
        if found.needs_confirmation(unique.lanes.len()) {
            let solo = shortest(&findings.alone);
            let again = self.unique(Duration::ZERO, solo).await;
            found = found.confirm_with(began(&findings.alone, &again.timeline).as_ref());
        }
        // Where the ends are clear, first bytes that are not add nothing.
        if found.verdict == Kind::Inconclusive && findings.verdict.kind != Kind::Inconclusive {
            return;
        }
        findings.verdict.evidence.extend(found.evidence());
        findings.began = Some(found);
    }
}
