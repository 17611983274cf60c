//! What a worker was busy with lately, so that the time that a request lost can be told by whom. This code reads no
//! clock.

use std::collections::VecDeque;
use std::num::NonZeroU32;

/// The most periods that are kept. If a worker is always busy, that is ten seconds or more.
const PERIODS: usize = 1024;

/// Short polls are summed up to periods of this length, nanoseconds.
const LONG: u64 = 10_000_000;

/// A pause between two polls that ends a period, nanoseconds: the worker may have run something else in it.
pub(crate) const PAUSE: u64 = 1_000_000;

/// A rest of the time this short has no cause of its own: the beginning of a poll is known only to a tick of the
/// clock. Nanoseconds.
const NO_CAUSE: u64 = 10_000_000;

/// A time in which a worker ran requests. All times are nanoseconds of one clock.
#[derive(Debug)]
struct Period {
    start: u64,
    end: u64,
    /// How long it ran those of each route.
    routes: Vec<(NonZeroU32, u64)>,
}

impl Period {
    /// Whether a poll that follows belongs to this period.
    fn takes(&self, route: NonZeroU32, start: u64, end: u64) -> bool {
        let is_of_one = matches!(self.routes[..], [(only, _)] if only == route);
        (start == self.end && is_of_one)
            || (start - self.end < PAUSE && end.saturating_sub(self.start) <= LONG)
    }

    fn add(&mut self, route: NonZeroU32, start: u64, end: u64) {
        self.end = self.end.max(end);
        let busy = end.saturating_sub(start);
        match self.routes.iter_mut().find(|(known, _)| *known == route) {
            Some((_, time)) => *time += busy,
            None => self.routes.push((route, busy)),
        }
    }

    /// How much of `busy`, which is spread over the period, is in a part of this length.
    fn share(&self, busy: u64, part: u64) -> u64 {
        let length = self.end - self.start;
        if part >= length {
            return busy;
        }
        let share = u128::from(busy) * u128::from(part) / u128::from(length);
        u64::try_from(share).unwrap_or(busy)
    }
}

/// The latest slow polls of one worker, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<Period>);

impl Recent {
    /// Adds a poll that has just ended.
    pub(crate) fn add(&mut self, route: NonZeroU32, start: u64, end: u64) {
        // The beginning of a poll may be rounded.
        let start = start.max(self.0.back().map_or(0, |last| last.end));
        if let Some(last) = self.0.back_mut()
            && last.takes(route, start, end)
        {
            last.add(route, start, end);
            return;
        }
        let oldest = if self.0.len() == PERIODS {
            self.0.pop_front()
        } else {
            None
        };
        let mut routes = oldest.map_or_else(Vec::new, |oldest| oldest.routes);
        routes.clear();
        routes.push((route, end.saturating_sub(start)));
        let end = end.max(start);
        self.0.push_back(Period { start, end, routes });
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
            let part = period.end.min(to).saturating_sub(period.start.max(from));
            for &(route, busy) in &period.routes {
                let within = period.share(busy, part).min(rest);
                if within == 0 {
                    continue;
                }
                rest -= within;
                lost(Some(route), within);
                if longest.is_none_or(|(_, most)| most < within) {
                    longest = Some((route, within));
                }
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

    fn route(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).expect("not zero")
    }

    fn split(recent: &Recent, from: u64, to: u64) -> Vec<(Option<u32>, u64)> {
        let mut parts = Vec::new();
        recent.split(from * MS, to * MS, |route, lost| {
            parts.push((route.map(NonZeroU32::get), lost / MS));
        });
        parts
    }

    /// The sums of the parts by route, which is 0 for something else.
    fn sums(recent: &Recent, from: u64, to: u64) -> [u64; 8] {
        let mut sums = [0; 8];
        recent.split(from * MS, to * MS, |route, lost| {
            sums[route.map_or(0, NonZeroU32::get) as usize] += lost;
        });
        assert_eq!(sums.iter().sum::<u64>(), (to - from) * MS);
        sums.map(|lost| lost / MS)
    }

    #[test]
    fn lost_time_is_split_by_what_the_worker_did() {
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
    fn short_polls_are_summed_up_and_a_hold_before_them_is_remembered() {
        let mut recent = Recent::default();
        recent.add(route(7), 0, 5_000 * MS);
        for number in 0..10_000_u64 {
            let start = 5_000 * MS + number * MS / 5;
            let route = route(1 + u32::from(number % 4 == 0));
            recent.add(route, start, start + MS / 5);
        }
        assert!(recent.0.len() < 250, "{}", recent.0.len());
        let sums_of = |from, to| sums(&recent, from, to);
        assert_eq!(sums_of(0, 7_000), [0, 1_500, 500, 0, 0, 0, 0, 5_000]);
        assert_eq!(sums_of(4_900, 5_200), [0, 150, 50, 0, 0, 0, 0, 100]);
        // A part of a period has its share.
        let part = sums_of(6_000, 6_005);
        assert!((3..=5).contains(&part[1]) && part[2] <= 2, "{part:?}");

        // What lies between short polls is something else.
        let mut recent = Recent::default();
        for number in 0..100 {
            let start = (100 + 5 * number) * MS;
            recent.add(route(1), start, start + 2 * MS);
        }
        assert_eq!(sums(&recent, 100, 600), [300, 200, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut recent = Recent::default();
        for number in 0..3000_u32 {
            let start = u64::from(number) * 10 * MS;
            recent.add(route(1 + number % 2), start, start + 10 * MS);
        }
        assert_eq!(recent.0.len(), PERIODS);
        let forgotten = sums(&recent, 0, 30_000)[0];
        assert_eq!(forgotten, (3000 - PERIODS as u64) * 10);
    }
}
