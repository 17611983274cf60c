//! What a worker was busy with lately, so that the time that a request lost can be told by whom. This code reads no
//! clock.

use std::collections::VecDeque;
use std::num::NonZeroU32;

/// The most periods that are kept.
const PERIODS: usize = 1024;

/// A rest of the time this short has no cause of its own: the beginning of a poll is known only to a tick of the
/// clock. Nanoseconds.
const NO_CAUSE: u64 = 10_000_000;

/// A time in which a worker ran a request of this route. All times are nanoseconds of one clock.
#[derive(Debug, Clone, Copy)]
struct Period {
    start: u64,
    end: u64,
    route: NonZeroU32,
}

/// The latest slow polls of one worker, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<Period>);

impl Recent {
    /// Adds a poll that has just ended.
    pub(crate) fn add(&mut self, route: NonZeroU32, start: u64, end: u64) {
        if let Some(last) = self.0.back_mut() {
            // The beginning of a period may be rounded.
            let start = start.max(last.end);
            if last.route == route && start == last.end {
                last.end = last.end.max(end);
                return;
            }
        }
        if self.0.len() == PERIODS {
            self.0.pop_front();
        }
        let last = self.0.back().map_or(0, |last| last.end);
        self.0.push_back(Period {
            start: start.max(last),
            end: end.max(last),
            route,
        });
    }

    /// Splits the time from `from` to `to` by the routes that the worker was busy with, and calls `lost` with each.
    /// The parts add up to the whole time. `None` is for time in which it was busy with something else.
    pub(crate) fn split(&self, from: u64, to: u64, mut lost: impl FnMut(Option<NonZeroU32>, u64)) {
        let mut rest = to.saturating_sub(from);
        let mut longest: Option<(NonZeroU32, u64)> = None;
        for period in self.0.iter().rev() {
            if period.end <= from {
                break;
            }
            let within = period.end.min(to).saturating_sub(period.start.max(from));
            let within = within.min(rest);
            if within == 0 {
                continue;
            }
            rest -= within;
            lost(Some(period.route), within);
            if longest.is_none_or(|(_, most)| most < within) {
                longest = Some((period.route, within));
            }
        }
        if rest > 0 {
            let route = longest.filter(|_| rest < NO_CAUSE).map(|(route, _)| route);
            lost(route, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn split(recent: &Recent, from: u64, to: u64) -> Vec<(Option<u32>, u64)> {
        let mut parts = Vec::new();
        recent.split(from * MS, to * MS, |route, lost| {
            parts.push((route.map(NonZeroU32::get), lost / MS));
        });
        parts
    }

    #[test]
    fn lost_time_is_split_by_what_the_worker_did() {
        let route = |number| NonZeroU32::new(number).expect("not zero");
        let mut recent = Recent::default();
        recent.add(route(1), 100 * MS, 200 * MS);
        recent.add(route(1), 200 * MS, 300 * MS);
        // Rounded to a time within the poll before.
        recent.add(route(2), 298 * MS, 400 * MS);
        assert_eq!(split(&recent, 100, 400), [(Some(2), 100), (Some(1), 200)]);
        assert_eq!(split(&recent, 250, 350), [(Some(2), 50), (Some(1), 50)]);
        assert_eq!(split(&recent, 390, 500), [(Some(2), 10), (None, 100)]);
        // A short rest belongs to the longest part.
        let parts = split(&recent, 97, 404);
        assert_eq!(parts, [(Some(2), 100), (Some(1), 200), (Some(1), 7)]);
        assert_eq!(split(&recent, 500, 505), [(None, 5)]);
        assert_eq!(split(&recent, 500, 500), []);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut recent = Recent::default();
        for number in 0..3000_u32 {
            let start = u64::from(number) * 10 * MS;
            let route = NonZeroU32::MIN.saturating_add(number % 2);
            recent.add(route, start, start + 10 * MS);
        }
        let lost: u64 = split(&recent, 0, 30_000).iter().map(|(_, lost)| lost).sum();
        assert_eq!((recent.0.len(), lost), (PERIODS, 30_000));
    }
}
