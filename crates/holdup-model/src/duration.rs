//! Durations for people to read.

use std::fmt;
use std::time::Duration;

/// Displays a duration with two or three significant digits and its unit.
///
/// A configured duration, such as a limit, reads better without trailing zeros: `{:#}` leaves them out.
///
/// ```
/// use std::time::Duration;
/// use holdup_model::HumanDuration;
///
/// let measured = |micros| HumanDuration(Duration::from_micros(micros)).to_string();
/// assert_eq!(measured(0), "0 ms");
/// assert_eq!(measured(420), "0.42 ms");
/// assert_eq!(measured(7_300), "7.3 ms");
/// assert_eq!(measured(250_400), "250 ms");
/// assert_eq!(measured(1_002_000), "1.00 s");
/// assert_eq!(measured(61_500_000), "61.5 s");
///
/// let limit = HumanDuration(Duration::from_secs(60));
/// assert_eq!(format!("at most {limit:#}"), "at most 60 s");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(pub Duration);

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whole numbers, rounded half to even, give the same result in every language. The console's page has
        // the same function (ui/duration.js), and tests check both against one table.
        let micros = rounded(self.0.as_nanos(), 1000);
        // At each bound, rounding would add a digit.
        let decimals = match micros {
            0..=5 | 9_950..999_500 | 99_950_000.. => 0,
            995..9_950 | 9_995_000..99_950_000 => 1,
            6..995 | 999_500..9_995_000 => 2,
        };
        let (one, unit) = if micros < 999_500 {
            (1_000, "ms")
        } else {
            (1_000_000, "s")
        };
        let scale = 10_u128.pow(decimals);
        let steps = rounded(micros, one / scale);
        let (whole, fraction) = (steps / scale, steps % scale);
        let width = decimals as usize;
        let mut digits = match decimals {
            0 => whole.to_string(),
            _ => format!("{whole}.{fraction:0width$}"),
        };
        if f.alternate() && decimals > 0 {
            digits.truncate(digits.trim_end_matches('0').trim_end_matches('.').len());
        }
        f.pad(&format!("{digits} {unit}"))
    }
}

/// The duration in whole steps, rounded half to even.
fn rounded(length: u128, step: u128) -> u128 {
    let (steps, rest) = (length / step, length % step);
    let is_nearer_to_next = rest * 2 > step || rest * 2 == step && steps % 2 == 1;
    steps + u128::from(is_nearer_to_next)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_duration_in_the_shared_table_is_displayed_as_listed() {
        let table = include_str!("../tests/durations.json");
        let table: Vec<Value> = serde_json::from_str(table).expect("a list");
        assert!(table.len() > 30);
        for row in table {
            let ms = row["ms"].as_f64().expect("a number");
            let duration = HumanDuration(Duration::from_secs_f64(ms / 1e3));
            assert_eq!(duration.to_string(), row["text"], "{row}");
            if let Some(exact) = row["exact"].as_str() {
                assert_eq!(format!("{duration:#}"), exact, "{row}");
            }
        }
    }

    #[test]
    fn the_text_is_padded_to_the_requested_width() {
        let duration = HumanDuration(Duration::from_millis(250));
        assert_eq!(format!("{duration:>8}|"), "  250 ms|");
    }

    #[test]
    fn the_longest_duration_can_be_displayed() {
        for longest in [Duration::MAX, Duration::from_nanos(u64::MAX)] {
            assert!(HumanDuration(longest).to_string().ends_with(" s"));
        }
    }
}
