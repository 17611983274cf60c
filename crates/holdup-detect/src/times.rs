//! How many requests lost how much time, by route. What is kept is bounded, however many requests there are.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use holdup_model::RouteName;

/// The most times that are kept with three significant digits. Beyond that, new ones are rounded to one digit.
const FINE: usize = 16_384;

/// The times that requests lost, rounded, and how many requests lost each.
#[derive(Debug, Default)]
pub(crate) struct Times {
    routes: HashMap<RouteName, BTreeMap<Duration, u64>>,
    /// How many different times there are in all.
    kept: usize,
}

impl Times {
    /// Adds a request of a route. The caller bounds the number of routes.
    pub(crate) fn add(&mut self, route: &RouteName, lost: Duration) {
        let times = match self.routes.get_mut(route) {
            Some(times) => times,
            None => self.routes.entry(route.clone()).or_default(),
        };
        let mut time = rounded(lost, 3);
        if self.kept >= FINE && !times.contains_key(&time) {
            time = rounded(lost, 1);
        }
        *times.entry(time).or_insert_with(|| {
            self.kept += 1;
            0
        }) += 1;
    }

    /// How many requests lost how much, by route.
    pub(crate) fn by_route(&self) -> &HashMap<RouteName, BTreeMap<Duration, u64>> {
        &self.routes
    }
}

/// A time rounded to so many significant digits of its nanoseconds.
fn rounded(time: Duration, digits: u32) -> Duration {
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let has = nanoseconds.checked_ilog10().map_or(1, |log| log + 1);
    let unit = 10_u64.pow(has.saturating_sub(digits));
    Duration::from_nanos(nanoseconds.saturating_add(unit / 2) / unit * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        let of = |nanoseconds| rounded(Duration::from_nanos(nanoseconds), 3).as_nanos();
        assert_eq!(of(0), 0);
        assert_eq!(of(7), 7);
        assert_eq!(of(999), 999);
        assert_eq!(of(1_004), 1_000);
        assert_eq!(of(123_456_789), 123_000_000);
        assert_eq!(of(999_600_000), 1_000_000_000);
        assert_eq!(rounded(Duration::from_nanos(1_600), 1).as_nanos(), 2_000);
        assert!(rounded(Duration::MAX, 3) > Duration::from_secs(18_000_000_000));
    }

    #[test]
    fn what_is_kept_is_bounded_and_no_request_is_lost() {
        let mut times = Times::default();
        let routes = [RouteName::new("GET", "/a"), RouteName::new("GET", "/b")];
        let all = 100_000;
        for n in 0..all {
            // From a microsecond to 10 s, nearly all of them different.
            let lost = Duration::from_nanos(1_000 + n * n);
            for route in &routes {
                times.add(route, lost);
            }
        }
        assert!(times.kept < FINE, "{}", times.kept);
        let mut by_number = 0;
        for n in 0..all {
            by_number += 1;
            times.add(
                &RouteName::new("GET", format!("/{}", n % 300)),
                Duration::from_nanos(n * 977),
            );
        }
        // Nine times for each power of ten, besides those with three digits.
        assert!(times.kept < FINE + 300 * 9 * 9, "{}", times.kept);
        let requests: u64 = times.by_route().values().flat_map(BTreeMap::values).sum();
        assert_eq!(requests, 2 * all + by_number);
    }
}
