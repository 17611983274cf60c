//! Times in JSON.
//!
//! Every time in holdup's JSON documents is a number of milliseconds, exact to the microsecond, and its key
//! ends in `_ms`. This module is public because holdup's other crates write such documents too.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// The longest time that is read: some 31 years. Whatever is longer is a mistake, and sums of times stay in range.
const LONGEST: f64 = 1e12;

/// For `#[serde(with)]` or `#[serde(serialize_with)]` on a [`Duration`].
///
/// # Errors
///
/// Only the serializer's own.
pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    Millis(*time).serialize(serializer)
}

/// For `#[serde(with)]` on a [`Duration`].
///
/// # Errors
///
/// Returns an error for what is no number from 0 to 10¹² ms, and the deserializer's own.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let ms = f64::deserialize(from)?;
    if !(0.0..=LONGEST).contains(&ms) {
        let allowed = "allowed: a number of milliseconds from 0 to 1e12";
        return Err(D::Error::custom(format!("the time is {ms}; {allowed}")));
    }
    Ok(Duration::from_secs_f64(ms / 1e3))
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

/// For `#[serde(with)]` on an optional [`Duration`]; `None` is null.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Duration};

    pub(crate) use super::serialize_option as serialize;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        #[derive(Deserialize)]
        struct Read(#[serde(with = "super")] Duration);
        Ok(Option::<Read>::deserialize(from)?.map(|Read(time)| time))
    }
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

    #[test]
    fn what_is_written_can_be_read_and_what_is_no_time_cannot() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Times(
            #[serde(with = "super")] Duration,
            #[serde(with = "option")] Option<Duration>,
        );
        let times = Times(Duration::from_micros(702_707), Some(Duration::from_secs(3)));
        let text = serde_json::to_string(&times).expect("JSON");
        assert_eq!(text, "[702.707,3000.0]");
        assert_eq!(serde_json::from_str::<Times>(&text).expect("times"), times);
        let none = serde_json::from_str::<Times>("[0,null]").expect("times");
        assert_eq!(none, Times(Duration::ZERO, None));
        for bad in [
            "[-1,null]",
            "[1e13,null]",
            "[0,-1]",
            "[\"1\",null]",
            "[null,null]",
        ] {
            serde_json::from_str::<Times>(bad).expect_err(bad);
        }
    }
}
