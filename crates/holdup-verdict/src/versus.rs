//! How a second URL fares that is measured in the same way.

use std::time::Duration;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::delivery::Delivery;
use super::verdict::Verdict;
use holdup_model::millis::Millis;

/// How a second URL fares, such as the server behind the proxy that was measured.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Versus {
    /// The verdict on the second URL.
    pub verdict: Verdict,
    /// How its answer is delivered.
    pub delivery: Delivery,
    /// What one request to it takes alone.
    pub solo: Option<Duration>,
    /// The difference in one sentence.
    pub sentence: String,
}

impl Serialize for Versus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut versus = serializer.serialize_struct("Versus", 5)?;
        versus.serialize_field("verdict", &self.verdict.kind)?;
        versus.serialize_field("at_a_time", &self.verdict.at_a_time)?;
        versus.serialize_field("delivery", &self.delivery.name())?;
        versus.serialize_field("solo_ms", &self.solo.map(Millis))?;
        versus.serialize_field("sentence", &self.sentence)?;
        versus.end()
    }
}
