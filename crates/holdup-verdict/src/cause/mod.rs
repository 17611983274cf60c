//! What the requests wait for: the verdicts of all rounds, read together.
//!
//! [`cause`] has the verdicts and nothing else to go by. Each rule of its [table] changes one thing and
//! compares: another route at the same time, another URL, another session, one connection, past the proxy. A
//! wrong cause is worse than none, so if the contrasts that were made do not tell, or contradict each other,
//! the cause is [`CauseKind::Unknown`], and the sentence names the contrast that would tell more.

mod advice;
mod facts;
mod kind;
mod table;
#[cfg(test)]
mod tests;
mod wording;

pub use advice::cause_advice;
pub use facts::Names;
pub use kind::{AskNext, Cause, CauseKind, Culprit};

use crate::experiment::Findings;
use facts::Facts;

/// Finds out what the requests of these findings wait for. The names of the other routes are for the words
/// only.
pub fn cause(findings: &Findings, names: &Names) -> Cause {
    let facts = Facts::of(findings);
    let rule = table::rule(&facts);
    wording::cause(rule, &facts, findings, names)
}
