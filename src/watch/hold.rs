//! What a hold is, and how one is told from ordinary work: pure accounting, no clock of its own.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A hold lasts at least this long, unless [`Watch::threshold`] says otherwise.
///
/// Long enough that scheduling noise on a busy machine rarely reaches it (50 ms thresholds gave
/// false alarms of 58 to 71 ms in other projects' CI), and as long as a person takes for "at once"
/// (J. Nielsen, *Usability Engineering*, 1993). Python's asyncio warns at the same 100 ms.
///
/// [`Watch::threshold`]: super::Watch::threshold
pub const THRESHOLD: Duration = Duration::from_millis(100);

/// Work that took less than this in a hold is not called a culprit, nanoseconds.
const CULPRIT_LEAST: u64 = 1_000_000;

/// The most requests' parts that are told apart in one stretch; beyond, the smallest are summed up
/// by route.
const ENTRIES: usize = 32;

/// A share of a hold below which nobody is called its culprit: one in this many.
const CULPRIT_SHARE: u64 = 100;

/// A stretch in which one worker never got back to its other work.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Hold {
    /// The worker, counted from 0.
    pub worker: usize,
    /// When it began, counted from when the [`Watch`](super::Watch) was made. In milliseconds
    /// when serialized, as all durations here.
    #[serde(rename = "started_ms", serialize_with = "milliseconds")]
    pub started: Duration,
    /// How long the worker was held; for an ongoing hold, so far. Up to a tick of the system's
    /// clock too short, which is 1 to 10 ms.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub duration: Duration,
    /// How much of it the worker's thread was computing. Close to `duration`: a long computation.
    /// Close to nothing: it waited for something, such as a file, a lock or a sleep, or it was
    /// [`descheduled`](Self::descheduled). `None` where the system does not tell, and while the
    /// hold lasts.
    #[serde(rename = "cpu_ms", serialize_with = "optional_milliseconds")]
    pub cpu: Option<Duration>,
    /// How much of it the thread was ready to run, but the system ran something else: no
    /// handler's fault. `None` where the system does not tell (it does on Linux), and while the
    /// hold lasts.
    #[serde(rename = "descheduled_ms", serialize_with = "optional_milliseconds")]
    pub descheduled: Option<Duration>,
    /// Who held it, the longest first; requests that took less than a hundredth of it are summed up
    /// by route. Empty when it was not the watched requests, but something such as a task that was
    /// spawned on the worker: then nobody is blamed.
    pub culprits: Vec<Culprit>,
    /// The other requests of this worker that were open meanwhile. Those that it had no chance to
    /// read are not known to it, and not counted.
    pub waiting: usize,
    /// Whether the worker is still held.
    pub ongoing: bool,
}

/// One request's share in a hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Culprit {
    /// The request's method; `OTHER` for one that is not in the HTTP standard.
    pub method: String,
    /// The pattern of its route, such as `/users/{id}`; `unmatched` where no route matched.
    pub route: String,
    /// Which part of answering it.
    pub part: Part,
    /// How many times that part was polled in this hold, from the first poll that took its time.
    pub polls: u64,
    /// The time that those polls took together.
    #[serde(rename = "busy_ms", serialize_with = "milliseconds")]
    pub busy: Duration,
}

/// The parts of answering a request that run on the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Part {
    /// The synchronous part of calling the service: middleware, before the first poll.
    Call,
    /// The handler's future, with its extractors; and its drop.
    Future,
    /// The response body's stream; and its drop.
    Body,
}

impl Part {
    /// The lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Future => "future",
            Self::Body => "body",
        }
    }

    pub(super) fn code(self) -> u64 {
        match self {
            Self::Call => 0,
            Self::Future => 1,
            Self::Body => 2,
        }
    }

    pub(super) fn from_code(code: u64) -> Self {
        match code {
            0 => Self::Call,
            1 => Self::Future,
            _ => Self::Body,
        }
    }
}

impl Hold {
    /// What is left of it when the time in which the system ran something else is taken away.
    #[must_use]
    pub fn own_duration(&self) -> Duration {
        self.duration
            .saturating_sub(self.descheduled.unwrap_or_default())
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (worker, duration) = (self.worker, Seconds(self.duration));
        let (holds, so_far) = if self.ongoing {
            ("holds", " so far")
        } else {
            ("held", "")
        };
        match self.culprits.as_slice() {
            [] => write!(
                f,
                "something outside the watched requests {holds} worker {worker}"
            )?,
            [only] => write!(f, "{only} {holds} worker {worker}")?,
            [first, rest @ ..] => {
                let (n, hold) = (rest.len(), if self.ongoing { "hold" } else { "held" });
                write!(f, "{first} and {n} more together {hold} worker {worker}")?;
            }
        }
        write!(f, " for {duration}{so_far}")?;
        if let Some(cpu) = self.cpu {
            write!(f, " ({} of it computing", Seconds(cpu))?;
            match self.descheduled {
                Some(descheduled) if descheduled * 10 >= self.duration => {
                    write!(f, ", {} not scheduled)", Seconds(descheduled))?;
                }
                _ => f.write_str(")")?,
            }
        }
        match self.waiting {
            0 => Ok(()),
            1 => f.write_str(", 1 other request open"),
            n => write!(f, ", {n} other requests open"),
        }
    }
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            method,
            route,
            part,
            polls,
            busy,
        } = self;
        let times = if *polls == 1 { "poll" } else { "polls" };
        write!(
            f,
            "{method} {route} ({}, {polls} {times}, {})",
            part.name(),
            Seconds(*busy)
        )
    }
}

/// `3.40 s` or `112 ms`.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs_f64() {
            seconds if seconds < 1.0 => write!(f, "{:.0} ms", seconds * 1000.0),
            seconds => write!(f, "{seconds:.2} s"),
        }
    }
}

pub(super) fn milliseconds<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
}

#[expect(
    clippy::ref_option,
    reason = "serde calls it with a reference to the field"
)]
fn optional_milliseconds<S: Serializer>(
    duration: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => milliseconds(duration, to),
        None => to.serialize_none(),
    }
}

/// What one request did in one of its parts, or several of one route: a candidate for a
/// [`Culprit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// The request's number on its worker, from 1; 0 for several requests of one route.
    pub(super) request: u64,
    /// The route's number on its worker.
    pub(super) route: NonZeroU32,
    pub(super) part: Part,
    pub(super) polls: u64,
    /// Nanoseconds.
    pub(super) busy: u64,
}

impl Entry {
    fn add_to(self, entries: &mut Vec<Self>) {
        let same = |other: &&mut Self| {
            (other.request, other.route, other.part) == (self.request, self.route, self.part)
        };
        match entries.iter_mut().find(same) {
            Some(same) => {
                same.polls += self.polls;
                same.busy += self.busy;
            }
            None => entries.push(self),
        }
    }

    fn of_its_route(self) -> Self {
        Self { request: 0, ..self }
    }
}

/// A stretch that a worker is in: from a piece of work that took its time to the loop's next turn.
/// All times are nanoseconds of one clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Stretch {
    /// When the first piece of work in it began.
    pub(super) start: u64,
    /// When the latest piece ended.
    pub(super) end: u64,
    entries: Vec<Entry>,
    /// What did not find room among the entries, by route.
    rest: Vec<Entry>,
    /// The time that its pieces took together.
    watched: u64,
    /// The most requests that were open in it at the end of a piece.
    open: usize,
}

impl Stretch {
    /// One of which nothing is known but when it was.
    pub(super) fn between(start: u64, end: u64) -> Self {
        Self {
            start,
            end,
            ..Self::default()
        }
    }

    /// Begins anew.
    pub(super) fn begin(&mut self, start: u64) {
        self.start = start;
        self.end = start;
        self.entries.clear();
        self.rest.clear();
        self.watched = 0;
        self.open = 0;
    }

    /// A piece of work that began at `since` ends.
    pub(super) fn add(
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
    pub(super) fn note_open(&mut self, open: usize) {
        self.open = self.open.max(open);
    }

    /// How many requests were open beside those of the culprits.
    pub(super) fn waiting(&self, culprits: &[Entry]) -> usize {
        let mut requests: Vec<_> = culprits.iter().map(|entry| entry.request).collect();
        requests.sort_unstable();
        requests.dedup();
        self.open.saturating_sub(requests.len())
    }

    /// Who is to blame for a hold as long as this stretch, the longest first. Nobody, when watched
    /// work was neither a hold by itself nor half of it.
    pub(super) fn culprits(&self, threshold: u64) -> Vec<Entry> {
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

    /// A stretch of pieces of (request, from ms, to ms).
    fn stretch(pieces: impl IntoIterator<Item = (u64, u64, u64)>) -> Stretch {
        let mut stretch = Stretch::default();
        let mut pieces = pieces.into_iter().peekable();
        stretch.begin(pieces.peek().expect("a piece").1 * MS);
        for (request, from, to) in pieces {
            stretch.add(request, NonZeroU32::MIN, Part::Future, from * MS, to * MS);
        }
        stretch
    }

    #[test]
    fn back_to_back_polls_are_one_culprit() {
        let stretch = stretch([(1, 10, 1010), (1, 1010, 2010), (1, 2010, 3010)]);
        assert_eq!((stretch.start, stretch.end), (10 * MS, 3010 * MS));
        let culprits = stretch.culprits(100 * MS);
        assert_eq!(culprits.len(), 1);
        assert_eq!((culprits[0].polls, culprits[0].busy), (3, 3000 * MS));
    }

    #[test]
    fn ten_requests_of_one_turn_are_ten_culprits_and_the_others_wait() {
        let mut stretch = stretch((0..10).map(|k| (k, 100 + 15 * k, 115 + 15 * k)));
        assert_eq!(stretch.end - stretch.start, 150 * MS);
        stretch.note_open(12);
        stretch.note_open(11);
        let culprits = stretch.culprits(100 * MS);
        assert_eq!((culprits.len(), stretch.waiting(&culprits)), (10, 2));
    }

    #[test]
    fn polls_of_one_request_between_others_are_counted_together_the_longest_first() {
        let culprits =
            stretch([(1, 0, 20), (2, 20, 80), (1, 80, 90), (3, 90, 90)]).culprits(100 * MS);
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
        let culprits = stretch(before.chain([(777, 100, 300)]).chain(after)).culprits(100 * MS);
        assert_eq!(culprits.len(), 1, "{culprits:?}");
        assert_eq!(culprits[0].request, 777);
    }

    #[test]
    fn many_small_requests_of_one_route_are_one_culprit() {
        let culprits =
            stretch((0..200).map(|k| (k + 1, 100 + 2 * k, 102 + 2 * k))).culprits(100 * MS);
        assert_eq!(culprits.len(), 1, "{culprits:?}");
        assert_eq!((culprits[0].polls, culprits[0].busy), (200, 400 * MS));
    }

    #[test]
    fn nobody_is_blamed_for_what_was_not_watched() {
        let mut kicked = stretch([(1, 100, 112)]);
        kicked.end = 412 * MS;
        assert_eq!(kicked.culprits(100 * MS), []);
        // A hold by itself, whatever came after it.
        let mut blocked = stretch([(1, 100, 212)]);
        blocked.end = 612 * MS;
        assert_eq!(blocked.culprits(100 * MS).len(), 1);
    }

    #[test]
    fn a_hold_reads_as_a_sentence() {
        let culprit = Culprit {
            method: "GET".to_owned(),
            route: "/report".to_owned(),
            part: Part::Future,
            polls: 1,
            busy: Duration::from_millis(3400),
        };
        let mut hold = Hold {
            worker: 2,
            started: Duration::from_secs(9),
            duration: Duration::from_millis(3401),
            cpu: Some(Duration::from_millis(12)),
            descheduled: Some(Duration::ZERO),
            culprits: vec![culprit.clone()],
            waiting: 4,
            ongoing: false,
        };
        assert_eq!(
            hold.to_string(),
            "GET /report (future, 1 poll, 3.40 s) held worker 2 for 3.40 s (12 ms of it computing), \
             4 other requests open"
        );
        hold.culprits.push(culprit);
        (hold.cpu, hold.ongoing, hold.waiting) = (None, true, 0);
        assert_eq!(
            hold.to_string(),
            "GET /report (future, 1 poll, 3.40 s) and 1 more together hold worker 2 for 3.40 s so far"
        );
        hold.culprits.clear();
        assert_eq!(
            hold.to_string(),
            "something outside the watched requests holds worker 2 for 3.40 s so far"
        );
    }
}
