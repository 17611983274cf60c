//! The busy period that a worker is in, and what each request did in it: pure accounting, no clock.

use std::num::NonZeroU32;

use holdup_model::Part;

/// Work that took less than this in a hold is not called a culprit, nanoseconds.
const CULPRIT_LEAST: u64 = 1_000_000;

/// The most requests' parts that are kept apart in one busy period; beyond, the smallest are summed up
/// by route.
const ENTRIES: usize = 32;

/// A share of a hold below which nobody is called its culprit: one in this many.
const CULPRIT_SHARE: u64 = 100;

/// In the number of a request with a recorded lane: the rest is the lane's number.
const RECORDED: u64 = 1 << 63;

/// The number of a request with that lane, which no request without one has.
pub(crate) fn request_of_lane(lane: u64) -> u64 {
    RECORDED | lane
}

/// What one request did in one of its parts, or several of one route: a candidate for a
/// [`Culprit`](holdup_model::Culprit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What tells the request from the others of its worker; 0 for several requests of one route.
    pub(crate) request: u64,
    /// The route's number on its worker.
    pub(crate) route: NonZeroU32,
    pub(crate) part: Part,
    pub(crate) polls: u64,
    /// Nanoseconds.
    pub(crate) busy: u64,
}

impl Entry {
    fn is_same(&self, other: &Self) -> bool {
        (other.request, other.route, other.part) == (self.request, self.route, self.part)
    }

    fn add_to(self, entries: &mut Vec<Self>) {
        match entries.iter_mut().find(|other| other.is_same(&self)) {
            Some(same) => {
                same.polls += self.polls;
                same.busy += self.busy;
            }
            None => entries.push(self),
        }
    }

    /// The request's lane, if one is recorded.
    pub(crate) fn lane(&self) -> Option<u64> {
        (self.request & RECORDED > 0).then_some(self.request & !RECORDED)
    }

    fn of_its_route(self) -> Self {
        Self { request: 0, ..self }
    }
}

/// Polls back to back: from one that took its time to the next iteration of the loop.
/// All times are nanoseconds of one clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct BusyPeriod {
    /// When the first poll in it began.
    pub(crate) start: u64,
    /// When the latest poll ended.
    pub(crate) end: u64,
    entries: Vec<Entry>,
    /// What did not find room among the entries, by route.
    rest: Vec<Entry>,
    /// The time that its polls took together.
    watched: u64,
    /// The time in which nothing watched went on, though a request waited for something.
    pub(crate) outside: u64,
    /// The most requests that were open in it at the end of a poll.
    open: usize,
}

impl BusyPeriod {
    /// One of which nothing is known but when it was.
    pub(crate) fn between(start: u64, end: u64) -> Self {
        Self {
            start,
            end,
            ..Self::default()
        }
    }

    /// Begins anew.
    pub(crate) fn begin(&mut self, start: u64) {
        self.start = start;
        self.end = start;
        self.entries.clear();
        self.rest.clear();
        self.watched = 0;
        self.outside = 0;
        self.open = 0;
    }

    /// A poll that began at `since` ends.
    pub(crate) fn add(
        &mut self,
        request: u64,
        route: NonZeroU32,
        part: Part,
        since: u64,
        now: u64,
    ) {
        let busy = now.saturating_sub(since);
        self.end = now;
        self.watched += busy;
        let entry = Entry {
            request,
            route,
            part,
            polls: 1,
            busy,
        };
        if let Some(last) = self.entries.last_mut()
            && (last.request, last.part) == (request, part)
        {
            last.polls += 1;
            last.busy += busy;
        } else if self.entries.len() < ENTRIES {
            self.entries.push(entry);
        } else {
            self.make_room(entry);
        }
    }

    /// Another busy period, which is over, goes on with this one, as far as it came after this one's end.
    pub(crate) fn take_in(&mut self, other: &Self) {
        let mut before = self.end.saturating_sub(other.start);
        let after = other.end.saturating_sub(self.end.max(other.start));
        self.outside += other.outside.min(after);
        let mut within = |entry: &Entry| {
            let cut = before.min(entry.busy);
            before -= cut;
            Entry {
                busy: entry.busy - cut,
                ..*entry
            }
        };
        for entry in &other.entries {
            let entry = within(entry);
            let known = self.entries.iter().any(|known| known.is_same(&entry));
            if known || self.entries.len() < ENTRIES {
                entry.add_to(&mut self.entries);
            } else {
                self.make_room(entry);
            }
            self.watched += entry.busy;
        }
        for entry in &other.rest {
            let entry = within(entry);
            entry.add_to(&mut self.rest);
            self.watched += entry.busy;
        }
        self.end = self.end.max(other.end);
        self.note_open(other.open);
    }

    /// Sums up the smallest by route: this one, or one of the entries.
    fn make_room(&mut self, entry: Entry) {
        let mut given_up = entry;
        if let Some(least) = self.entries.iter_mut().min_by_key(|entry| entry.busy)
            && least.busy < entry.busy
        {
            given_up = std::mem::replace(least, entry);
        }
        given_up.of_its_route().add_to(&mut self.rest);
    }

    /// So many requests are open.
    pub(crate) fn note_open(&mut self, open: usize) {
        self.open = self.open.max(open);
    }

    /// How many requests were open beside those of the culprits.
    pub(crate) fn waiting(&self, culprits: &[Entry]) -> usize {
        let mut requests: Vec<_> = culprits.iter().map(|entry| entry.request).collect();
        requests.sort_unstable();
        requests.dedup();
        self.open.saturating_sub(requests.len())
    }

    /// Who is to blame for a hold as long as this period, the longest first. Nobody, when watched
    /// work was neither a hold by itself nor half of it.
    pub(crate) fn culprits(&self, threshold: u64) -> Vec<Entry> {
        let duration = self.end.saturating_sub(self.start);
        if self.watched < threshold && self.watched * 2 < duration {
            return Vec::new();
        }
        let mut merged = Vec::new();
        for entry in &self.entries {
            entry.add_to(&mut merged);
        }
        let least = (duration / CULPRIT_SHARE).max(CULPRIT_LEAST);
        let (mut culprits, small): (Vec<_>, Vec<_>) =
            merged.into_iter().partition(|entry| entry.busy >= least);
        let mut routes = self.rest.clone();
        for entry in small {
            entry.of_its_route().add_to(&mut routes);
        }
        culprits.extend(routes.into_iter().filter(|entry| entry.busy >= least));
        culprits.sort_by_key(|entry| std::cmp::Reverse(entry.busy));
        culprits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A busy period of polls of (request, from ms, to ms).
    fn period(polls: impl IntoIterator<Item = (u64, u64, u64)>) -> BusyPeriod {
        let mut period = BusyPeriod::default();
        let mut polls = polls.into_iter().peekable();
        period.begin(polls.peek().expect("a poll").1 * MS);
        for (request, from, to) in polls {
            period.add(request, NonZeroU32::MIN, Part::Future, from * MS, to * MS);
        }
        period
    }

    #[test]
    fn back_to_back_polls_are_one_culprit() {
        let period = period([(1, 10, 1010), (1, 1010, 2010), (1, 2010, 3010)]);
        assert_eq!((period.start, period.end), (10 * MS, 3010 * MS));
        let culprits = period.culprits(100 * MS);
        assert_eq!(culprits.len(), 1);
        assert_eq!((culprits[0].polls, culprits[0].busy), (3, 3000 * MS));
    }

    #[test]
    fn ten_requests_of_one_turn_are_ten_culprits_and_the_others_wait() {
        let mut period = period((0..10).map(|k| (k, 100 + 15 * k, 115 + 15 * k)));
        assert_eq!(period.end - period.start, 150 * MS);
        period.note_open(12);
        period.note_open(11);
        let culprits = period.culprits(100 * MS);
        assert_eq!((culprits.len(), period.waiting(&culprits)), (10, 2));
    }

    #[test]
    fn polls_of_one_request_between_others_are_counted_together_the_longest_first() {
        let culprits =
            period([(1, 0, 20), (2, 20, 80), (1, 80, 90), (3, 90, 90)]).culprits(100 * MS);
        let seen: Vec<_> = culprits
            .iter()
            .map(|c| (c.request, c.polls, c.busy / MS))
            .collect();
        assert_eq!(seen, [(2, 1, 60), (1, 2, 30)]);
    }

    #[test]
    fn a_culprit_is_found_among_more_requests_than_are_kept_apart() {
        let before = (0..200).map(|k| (k, 100, 100));
        let after = (200..400).map(|k| (k, 300, 300));
        let culprits = period(before.chain([(777, 100, 300)]).chain(after)).culprits(100 * MS);
        assert_eq!(culprits.len(), 1, "{culprits:?}");
        assert_eq!(culprits[0].request, 777);
    }

    #[test]
    fn many_small_requests_of_one_route_are_one_culprit() {
        let culprits =
            period((0..200).map(|k| (k + 1, 100 + 2 * k, 102 + 2 * k))).culprits(100 * MS);
        assert_eq!(culprits.len(), 1, "{culprits:?}");
        assert_eq!((culprits[0].polls, culprits[0].busy), (200, 400 * MS));
    }

    #[test]
    fn a_culprit_has_its_lane_unless_it_has_none_or_is_several() {
        let alone = period([(request_of_lane(7), 0, 90), (7, 90, 150)]).culprits(100 * MS);
        let lanes: Vec<_> = alone.iter().map(Entry::lane).collect();
        assert_eq!(lanes, [Some(7), None]);
        let many = (0..200).map(|k| (request_of_lane(k + 1), 2 * k, 2 * k + 2));
        let many = period(many).culprits(100 * MS);
        assert_eq!((many.len(), many[0].lane()), (1, None));
    }

    #[test]
    fn periods_that_are_taken_in_count_from_its_start_and_none_twice() {
        let mut gap = BusyPeriod::default();
        gap.begin(100 * MS);
        gap.take_in(&period([(1, 90, 120), (2, 120, 130)]));
        // By the clock's last tick it began before the one before was over.
        gap.take_in(&period([(1, 127, 160)]));
        gap.take_in(&BusyPeriod::between(160 * MS, 190 * MS));
        assert_eq!((gap.start, gap.end), (100 * MS, 190 * MS));
        let culprits = gap.culprits(100 * MS);
        let seen: Vec<_> = culprits
            .iter()
            .map(|c| (c.request, c.polls, c.busy / MS))
            .collect();
        assert_eq!(seen, [(1, 2, 50), (2, 1, 10)]);
    }

    #[test]
    fn requests_of_many_periods_beyond_those_kept_apart_are_summed_up_by_route() {
        let mut gap = BusyPeriod::default();
        gap.begin(0);
        for turn in 0..100 {
            let first = 100 * turn;
            gap.take_in(&period(
                (0..50).map(|k| (first + k + 1, first + 2 * k, first + 2 * k + 2)),
            ));
        }
        let culprits = gap.culprits(100 * MS);
        let busy: u64 = culprits.iter().map(|c| c.busy / MS).sum();
        assert_eq!((culprits.len(), busy), (1, 10_000), "{culprits:?}");
        assert_eq!((culprits[0].request, culprits[0].polls), (0, 5000));
    }

    #[test]
    fn nobody_is_blamed_for_what_was_not_watched() {
        let mut kicked = period([(1, 100, 112)]);
        kicked.end = 412 * MS;
        assert_eq!(kicked.culprits(100 * MS), []);
        // A hold by itself, whatever came after it.
        let mut blocked = period([(1, 100, 212)]);
        blocked.end = 612 * MS;
        assert_eq!(blocked.culprits(100 * MS).len(), 1);
    }
}
