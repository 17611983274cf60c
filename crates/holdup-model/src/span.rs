//! A length of time, as people read it.

use std::fmt;
use std::time::Duration;

/// Shows a length of time with two or three digits that matter, and its unit.
///
/// ```
/// use std::time::Duration;
/// use holdup_model::Span;
///
/// let shown = |micros| Span(Duration::from_micros(micros)).to_string();
/// assert_eq!(shown(0), "0 ms");
/// assert_eq!(shown(420), "0.42 ms");
/// assert_eq!(shown(7_300), "7.3 ms");
/// assert_eq!(shown(250_400), "250 ms");
/// assert_eq!(shown(1_002_000), "1.00 s");
/// assert_eq!(shown(61_500_000), "61.5 s");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        let seconds = self.0.as_secs_f64();
        let ms = seconds * 1e3;
        // Each bound is where rounding would show one digit more.
        let text = match micros {
            0 => "0 ms".to_owned(),
            1..995 => format!("{ms:.2} ms"),
            995..9_950 => format!("{ms:.1} ms"),
            9_950..999_500 => format!("{ms:.0} ms"),
            999_500..9_995_000 => format!("{seconds:.2} s"),
            _ => format!("{seconds:.1} s"),
        };
        f.pad(&text)
    }
}
