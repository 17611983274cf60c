//! Times in JSON.
//!
//! Every time in holdup's JSON documents is a number of milliseconds, exact to the microsecond, and its key
//! ends in `_ms`. This module is public because holdup's other crates write such documents too.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// A time that is serialized as milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub Duration);

impl Millis {
    /// The serialized number: milliseconds with at most three decimals.
    pub fn number(self) -> f64 {
        (self.0.as_secs_f64() * 1e6).round() / 1e3
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.number())
    }
}

/// For `#[serde(serialize_with)]` on a [`Duration`].
///
/// # Errors
///
/// Only the serializer's own.
pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    Millis(*time).serialize(serializer)
}

/// For `#[serde(serialize_with)]` on an optional [`Duration`]; `None` is serialized as null.
///
/// # Errors
///
/// Only the serializer's own.
pub fn serialize_option<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(Millis).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_three_decimals_at_most() {
        for (nanoseconds, text) in [
            (702_706_607, "702.707"),
            (100_000_499, "100.0"),
            (3_401_234_567, "3401.235"),
            (1, "0.0"),
        ] {
            let time = Millis(Duration::from_nanos(nanoseconds));
            assert_eq!(format!("{:?}", time.number()), text);
            assert_eq!(serde_json::to_string(&time).expect("JSON"), text);
        }
    }
}
