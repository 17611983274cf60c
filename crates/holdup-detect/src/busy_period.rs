//! The busy period that a worker is in, and the time that each request took in it. This code reads no clock.

use std::num::NonZeroU32;

use holdup_model::Part;

/// Work that took less than this in a hold is never a culprit, nanoseconds.
const CULPRIT_LEAST: u64 = 1_000_000;

/// The most entries of single requests that one busy period keeps. Beyond that, the smallest are summed up by
/// route.
const ENTRIES: usize = 32;

/// A request is a culprit only if it took at least the hold's duration divided by this.
const CULPRIT_SHARE: u64 = 100;

/// Set in the number of a request whose lane is recorded. The other bits are the lane's number.
const RECORDED: u64 = 1 << 63;

/// The number of the request with this lane. No request without a lane has the same number.
pub(crate) fn request_of_lane(lane: u64) -> u64 {
    RECORDED | lane
}

/// The work of one request in one of its parts, or of several requests of one route. It may become a
/// [`Culprit`](holdup_model::Culprit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Identifies the request among those of its worker; 0 for several requests of one route.
    pub(crate) request: u64,
    /// The route's number on its worker.
    pub(crate) route: NonZeroU32,
    pub(crate) part: Part,
    pub(crate) polls: u64,
    /// How long its polls took together, nanoseconds.
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

/// Polls back to back, from the first slow one to the next loop iteration. All times are nanoseconds of one
/// clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct BusyPeriod {
    /// When the first poll in it began.
    pub(crate) start: u64,
    /// When the latest poll ended.
    pub(crate) end: u64,
    entries: Vec<Entry>,
    /// The work that found no room in `entries`, summed up by route.
    rest: Vec<Entry>,
    /// How long its polls took together.
    watched: u64,
    /// The time in which no watched poll ran although a request was waiting.
    pub(crate) outside: u64,
    /// The highest number of open requests at the end of a poll.
    open: usize,
}

impl BusyPeriod {
    /// A busy period of which only its start and end are known.
    pub(crate) fn between(start: u64, end: u64) -> Self {
        Self {
            start,
            end,
            ..Self::default()
        }
    }

    /// Clears it and begins a new busy period.
    pub(crate) fn begin(&mut self, start: u64) {
        self.start = start;
        self.end = start;
        self.entries.clear();
        self.rest.clear();
        self.watched = 0;
        self.outside = 0;
        self.open = 0;
    }

    /// Adds a poll that began at `since` and ends now.
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

    /// Appends another busy period, which is over. Its time before the end of this one is not counted again.
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

    /// Moves the smallest entry into the sums by route: the given one, or one in `entries`.
    fn make_room(&mut self, entry: Entry) {
        let mut given_up = entry;
        if let Some(least) = self.entries.iter_mut().min_by_key(|entry| entry.busy)
            && least.busy < entry.busy
        {
            given_up = std::mem::replace(least, entry);
        }
        given_up.of_its_route().add_to(&mut self.rest);
    }

    /// Records how many requests are open.
    pub(crate) fn note_open(&mut self, open: usize) {
        self.open = self.open.max(open);
    }

    /// How many open requests were not culprits.
    pub(crate) fn waiting(&self, culprits: &[Entry]) -> usize {
        let mut requests: Vec<_> = culprits.iter().map(|entry| entry.request).collect();
        requests.sort_unstable();
        requests.dedup();
        self.open.saturating_sub(requests.len())
    }

    /// The culprits of a hold as long as this period, the longest first. There are none if the watched work
    /// was shorter than the threshold and less than half of the period.
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
    fn ten_requests_of_one_loop_iteration_are_ten_culprits_and_the_others_wait() {
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
    fn a_culprit_is_found_among_more_requests_than_have_entries() {
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
    fn a_culprit_has_a_lane_if_it_is_one_request_with_a_lane() {
        let alone = period([(request_of_lane(7), 0, 90), (7, 90, 150)]).culprits(100 * MS);
        let lanes: Vec<_> = alone.iter().map(Entry::lane).collect();
        assert_eq!(lanes, [Some(7), None]);
        let many = (0..200).map(|k| (request_of_lane(k + 1), 2 * k, 2 * k + 2));
        let many = period(many).culprits(100 * MS);
        assert_eq!((many.len(), many[0].lane()), (1, None));
    }

    #[test]
    fn appended_periods_count_from_the_start_and_overlaps_count_once() {
        let mut gap = BusyPeriod::default();
        gap.begin(100 * MS);
        gap.take_in(&period([(1, 90, 120), (2, 120, 130)]));
        // Its start was read from the coarse clock, so it lies before the end of the period before.
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
    fn requests_without_an_entry_are_summed_up_by_route() {
        let mut gap = BusyPeriod::default();
        gap.begin(0);
        for period_number in 0..100 {
            let first = 100 * period_number;
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
    fn unwatched_work_has_no_culprit() {
        let mut kicked = period([(1, 100, 112)]);
        kicked.end = 412 * MS;
        assert_eq!(kicked.culprits(100 * MS), []);
        // The poll alone is longer than the threshold, so it is a culprit although unwatched work followed.
        let mut blocked = period([(1, 100, 212)]);
        blocked.end = 612 * MS;
        assert_eq!(blocked.culprits(100 * MS).len(), 1);
    }
}
