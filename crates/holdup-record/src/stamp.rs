//! Points in time for people, and for the names of files.

use std::fmt;
use std::time::Duration;

/// A point in time: milliseconds since 1970 in UTC. It is displayed as `2026-11-30 01:11:07 UTC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub u64);

impl Stamp {
    /// The last point in time that names tell apart from later ones.
    pub(crate) const LAST: Self = Self(253_402_300_799_999);

    /// The time `passed` after `origin_unix_ms`.
    pub fn after(origin_unix_ms: u64, passed: Duration) -> Self {
        let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        Self(origin_unix_ms.saturating_add(passed))
    }

    /// `20261130T011107.123Z`, which sorts by time.
    pub(crate) fn in_names(self) -> String {
        let (year, month, day, [hour, minute, second]) = self.parts();
        let ms = self.0 % 1000;
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{ms:03}Z")
    }

    /// `01:11:07`, in UTC.
    pub fn time_of_day(self) -> String {
        let (.., [hour, minute, second]) = self.parts();
        format!("{hour:02}:{minute:02}:{second:02}")
    }

    /// `2026-11-30`, in UTC.
    pub fn date(self) -> String {
        let (year, month, day, _) = self.parts();
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// Year, month, day and time of day.
    fn parts(self) -> (u64, u64, u64, [u64; 3]) {
        // Names stay as long as they are.
        let seconds = self.0.min(Self::LAST.0) / 1000;
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        // Howard Hinnant's `civil_from_days`: years begin in March, so that a leap day is the last of its year.
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        (year, month, day, [rest / 3600, rest / 60 % 60, rest % 60])
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} UTC", self.date(), self.time_of_day())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_those_of_the_calendar() {
        for (unix, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_796_001_067, "2026-11-30 01:11:07 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(Stamp(unix * 1000).to_string(), text);
        }
        assert_eq!(Stamp(u64::MAX).to_string(), "9999-12-31 23:59:59 UTC");
        assert_eq!(Stamp(951_782_400_999).in_names(), "20000229T000000.999Z");
        let later = Stamp::after(951_782_400_000, Duration::from_secs(61));
        assert_eq!(later.time_of_day(), "00:01:01");
    }
}
