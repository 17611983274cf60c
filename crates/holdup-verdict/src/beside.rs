//! How a bystander fares while the measured requests run.

use std::fmt;
use std::time::Duration;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use holdup_model::millis::Millis;
use holdup_model::{Lane, Timeline};

/// One request to the bystander.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The request.
    pub lane: Lane,
    /// Which of the connections that were kept open; `None` for a fresh one.
    pub kept: Option<usize>,
}

/// A round: the measured requests, and what was asked of the bystander meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct BesideRound {
    /// The measured requests.
    pub at_once: Timeline,
    /// The requests to the bystander, in the order in which they were sent.
    pub samples: Vec<Sample>,
}

/// How a bystander fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BesideKind {
    /// Every answer came as it does alone.
    Untouched,
    /// Answers kept coming, but later than alone.
    Slowed,
    /// Some requests got no answer until the measured ones were over; the others did.
    SomeFrozen,
    /// For most of the time nothing was answered.
    Frozen,
    /// The measurement does not show it.
    Inconclusive,
}

impl fmt::Display for BesideKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Untouched => "untouched",
            Self::Slowed => "slowed",
            Self::SomeFrozen => "some_frozen",
            Self::Frozen => "frozen",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// How the bystander fared in one round.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BesideFinding {
    pub requests: usize,
    pub kind: BesideKind,
    pub asked: usize,
    pub late: usize,
    pub longest: Duration,
    pub from: Duration,
    pub to: Duration,
}

impl Serialize for BesideFinding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut finding = serializer.serialize_struct("BesideFinding", 7)?;
        finding.serialize_field("requests", &self.requests)?;
        finding.serialize_field("verdict", &self.kind)?;
        finding.serialize_field("asked", &self.asked)?;
        finding.serialize_field("late", &self.late)?;
        finding.serialize_field("longest_ms", &Millis(self.longest))?;
        finding.serialize_field("from_ms", &Millis(self.from))?;
        finding.serialize_field("to_ms", &Millis(self.to))?;
        finding.end()
    }
}

/// How a bystander fared in all rounds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Beside {
    pub kind: BesideKind,
    pub alone: Option<Duration>,
    pub frozen_by: Option<usize>,
    pub rounds: Vec<BesideFinding>,
    pub sentence: String,
    pub evidence: Vec<String>,
}

/// Judges one round.
pub fn judge_beside_round(_alone: &[Sample], _round: &BesideRound) -> BesideFinding {
    unimplemented!()
}

/// Judges all rounds.
pub fn judge_beside(_alone: &[Sample], _rounds: &[BesideRound]) -> Beside {
    unimplemented!()
}

impl Serialize for Beside {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut beside = serializer.serialize_struct("Beside", 4)?;
        beside.serialize_field("verdict", &self.kind)?;
        beside.serialize_field("alone_ms", &self.alone.map(Millis))?;
        beside.serialize_field("frozen_by", &self.frozen_by)?;
        beside.serialize_field("rounds", &self.rounds)?;
        beside.end()
    }
}
