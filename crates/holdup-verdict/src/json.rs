//! A verdict as JSON: one shape, wherever it is published.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::verdict::Verdict;
use holdup_model::millis::Millis;

/// `verdict` is its kind, `reason` is in words, and times are in milliseconds. How many requests there
/// were is left to the document that it stands in.
impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut verdict = serializer.serialize_struct("Verdict", 10)?;
        verdict.serialize_field("verdict", &self.kind)?;
        verdict.serialize_field("at_a_time", &self.at_a_time)?;
        verdict.serialize_field("solo_ms", &self.solo.map(Millis))?;
        verdict.serialize_field("makespan_ms", &self.makespan.map(Millis))?;
        verdict.serialize_field("reason", &self.because())?;
        verdict.serialize_field("speedup", &self.speedup)?;
        verdict.serialize_field("steps", &self.steps)?;
        verdict.serialize_field("sentence", &self.sentence)?;
        verdict.serialize_field("evidence", &self.evidence)?;
        verdict.serialize_field("advice", &self.advice)?;
        verdict.end()
    }
}
