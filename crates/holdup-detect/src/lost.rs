//! How much time a request lost, and to whom. This code reads no clock.

use std::num::NonZeroU32;

use crate::recent::Recent;

/// A stop of the process is known from this length on, so shorter times need not be kept. Nanoseconds.
const LEAST: u64 = 10_000_000;

/// The most times that are kept of one request.
const TIMES: usize = 64;

/// Which time counts as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counts {
    /// All of it.
    All,
    /// Only the time in which the worker ran watched requests.
    OnlyRequests,
}

/// What a request lost so far. All times are nanoseconds of one clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lost {
    /// How much, and to which route of its worker; `None` for something else.
    by: Vec<(Option<NonZeroU32>, u64)>,
    /// When: from, to. Short times are left out.
    times: Vec<(u64, u64)>,
    total: u64,
}

impl Lost {
    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn by(&self) -> &[(Option<NonZeroU32>, u64)] {
        &self.by
    }

    pub(crate) fn times(&self) -> &[(u64, u64)] {
        &self.times
    }

    /// Adds the time from `from` to `to` without the request's own polls in it, by what the worker did
    /// meanwhile. Returns how much it is.
    pub(crate) fn add(
        &mut self,
        (from, to): (u64, u64),
        own: &[(u64, u64)],
        recent: &Recent,
        counts: Counts,
    ) -> u64 {
        let before = self.total;
        let mut from = from;
        for &(begin, end) in own {
            self.add_piece(from, begin.min(to), recent, counts);
            from = from.max(end);
        }
        self.add_piece(from, to, recent, counts);
        self.total - before
    }

    fn add_piece(&mut self, from: u64, to: u64, recent: &Recent, counts: Counts) {
        let before = self.total;
        recent.split(from, to, |route, time| {
            if route.is_none() && counts == Counts::OnlyRequests {
                return;
            }
            self.total += time;
            match self.by.iter_mut().find(|(known, _)| *known == route) {
                Some((_, lost)) => *lost += time,
                None => self.by.push((route, time)),
            }
        });
        if self.total > before && to - from >= LEAST {
            self.note_time(from, to);
        }
    }

    fn note_time(&mut self, from: u64, to: u64) {
        let is_full = self.times.len() == TIMES;
        match self.times.last_mut() {
            Some(last) if is_full || last.1 == from => last.1 = to,
            _ => self.times.push((from, to)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn route(number: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(number)
    }

    #[test]
    fn a_requests_own_polls_are_not_lost() {
        let mut recent = Recent::default();
        for (number, from, to) in [(1, 100, 200), (2, 200, 250), (1, 250, 400)] {
            recent.add(route(number).expect("not zero"), from * MS, to * MS);
        }
        let own = [
            (50 * MS, 90 * MS),
            (200 * MS, 250 * MS),
            (500 * MS, 510 * MS),
        ];
        let mut lost = Lost::default();
        let added = lost.add((100 * MS, 450 * MS), &own, &recent, Counts::All);
        assert_eq!(added, 300 * MS);
        assert_eq!(lost.by(), [(route(1), 250 * MS), (None, 50 * MS)]);
        assert_eq!(lost.times(), [(100 * MS, 200 * MS), (250 * MS, 450 * MS)]);
        let added = lost.add((380 * MS, 450 * MS), &[], &recent, Counts::OnlyRequests);
        assert_eq!((added, lost.total()), (20 * MS, 320 * MS));
    }

    #[test]
    fn the_times_are_bounded() {
        let (mut lost, recent) = (Lost::default(), Recent::default());
        for number in 0..100 {
            let from = number * 50 * MS;
            lost.add((from, from + 20 * MS), &[], &recent, Counts::All);
        }
        assert_eq!((lost.times().len(), lost.total()), (TIMES, 2_000 * MS));
        assert_eq!(lost.times().last().expect("the last").1, 4_970 * MS);
    }
}
