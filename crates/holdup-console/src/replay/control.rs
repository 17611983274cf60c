//! What a reader of a replay asks for, and what the page is told of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use holdup_model::millis::{self, Millis};

/// The speeds that are allowed: a hundredth to a thousand times that of the record.
const SPEEDS: (f64, f64) = (0.01, 1000.0);

/// What is to change. What is left out stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Control {
    /// Whether it plays.
    pub(super) playing: Option<bool>,
    /// How fast.
    pub(super) speed: Option<f64>,
    /// The time to go to, on the clock of the record.
    #[serde(default)]
    pub(super) at_ms: Option<At>,
}

/// A time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) struct At(#[serde(with = "millis")] pub(super) Duration);

/// The state of a replay, as a message of `/events`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename = "replay")]
pub(crate) struct Replaying {
    pub(super) playing: bool,
    pub(super) speed: f64,
    /// Where it is, and from when to when the record is.
    pub(super) at_ms: Millis,
    pub(super) from_ms: Millis,
    pub(super) to_ms: Millis,
    /// Milliseconds since 1970 at time zero.
    pub(super) origin_unix_ms: u64,
    /// The longest holds, in the order of time.
    pub(super) holds: Vec<Mark>,
    /// How many lines of the record are damaged.
    pub(super) damaged: u64,
    /// How many could not be written.
    pub(super) missing: u64,
    /// How many events came too fast for the watch.
    pub(super) lost: u64,
    /// How many requests were only counted, though they were worth a line.
    pub(super) left_out: u64,
}

/// A hold on the slider.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Mark {
    pub(super) started_ms: Millis,
    pub(super) duration_ms: Millis,
}

impl Control {
    /// # Errors
    ///
    /// Returns which field is out of range, and what is allowed.
    pub(super) fn check(self) -> Result<Self, String> {
        let (least, most) = SPEEDS;
        match self.speed {
            Some(speed) if !(least..=most).contains(&speed) => Err(format!(
                "speed is {speed}; allowed: a number from {least} to {most}"
            )),
            _ => Ok(self),
        }
    }
}
