//! What a hold is, as it is told.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::activity::Activity;
use super::seen::{Line, Lines};

/// A hold lasts at least this long, unless [`Watch::threshold`] says otherwise.
///
/// Long enough that scheduling noise on a busy machine rarely reaches it (50 ms thresholds gave
/// false alarms of 58 to 71 ms in other projects' CI), and as long as a person takes for "at once"
/// (J. Nielsen, *Usability Engineering*, 1993). Python's asyncio warns at the same 100 ms.
///
/// [`Watch::threshold`]: super::Watch::threshold
pub const THRESHOLD: Duration = Duration::from_millis(100);

/// A stretch in which one worker never got back to its other work.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Hold {
    /// What its other work was kept from. Serialized as `kind`, and `turns` beside it.
    #[serde(flatten)]
    pub kind: HoldKind,
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
    /// What its thread is doing; of a hold that is over, what it was doing at most of the looks.
    /// `None` where the system does not tell (it does on Linux), and when nobody looked in time.
    pub activity: Option<Activity>,
    /// Where in the app's own code it was, the most frequent line first; where none of that was on the
    /// stack, in which [`library`](Line::library). Empty without the feature
    /// `lines`, and when no stack was taken; see the [module](super) for what it needs.
    pub lines: Vec<Line>,
    /// One stack of those that were taken, of the most frequent line: functions, the innermost first,
    /// without the server around the app.
    pub stack: Vec<String>,
    /// The most of it that may have been taken from the worker by the system; `None` while that is not
    /// known.
    #[serde(skip)]
    pub(super) lost: Option<Duration>,
    /// How much of it went on outside the watched requests while one of them waited for something.
    #[serde(skip)]
    pub(super) outside: Duration,
}

/// What a worker did not get back to in a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum HoldKind {
    /// To anything: its event loop did not turn, so nobody else had a turn.
    Blocked,
    /// To its sockets and timers: its loop turned, so what was ready had its turn, but no request was
    /// read and no timer fired.
    ///
    /// tokio's loop looks at them when nothing is ready to run, and otherwise once in 61 polls. A
    /// handler that wakes itself after each piece of its work is always ready. An upload that is
    /// written to a slow disk as its chunks come is such a handler: each poll is short, and
    /// together they hold up everybody else.
    ///
    /// Seen on Unix only. Polls that end within a tick of the system's clock are missing among the
    /// culprits' polls. Where the machine ran something else for so long that less than the
    /// threshold is left, it is no hold.
    Starved {
        /// How many turns of the loop were seen in it. There may have been more.
        turns: u64,
    },
}

impl HoldKind {
    /// The lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Starved { .. } => "starved",
        }
    }
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

/// A worker, and what it has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Load {
    /// The worker, counted from 0.
    pub worker: usize,
    /// Its requests that are open: come, and not yet answered to the end.
    pub open: usize,
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
    /// Who holds the worker, in a few words.
    #[cfg(feature = "stacks")]
    pub(super) fn who(&self) -> String {
        let name = |culprit: &Culprit| format!("{} {}", culprit.method, culprit.route);
        match self.culprits.as_slice() {
            [] => "something outside the watched requests".to_owned(),
            [only] => name(only),
            [first, rest @ ..] => format!("{} and {} more", name(first), rest.len()),
        }
    }

    /// What is left of it when the time in which the system ran something else is taken away, where that
    /// is known.
    #[must_use]
    pub fn own_duration(&self) -> Duration {
        self.duration
            .saturating_sub(self.descheduled.unwrap_or_default())
    }

    /// The longest that one request took in it, or what was outside of them while one waited. On a
    /// test's own thread it is the test that lets requests follow each other, and it may block in between.
    pub(super) fn longest_alone(&self) -> Duration {
        let busy = self.culprits.iter().map(|culprit| culprit.busy).max();
        busy.unwrap_or_default().max(self.outside)
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
        match self.kind {
            HoldKind::Blocked => {}
            HoldKind::Starved { turns: 1 } => {
                f.write_str(": its loop turned once without looking at its sockets")?;
            }
            HoldKind::Starved { turns } => {
                write!(
                    f,
                    ": its loop turned {turns} times without looking at its sockets"
                )?;
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
        if let Some(activity) = self.activity.as_ref().filter(|_| self.ongoing) {
            write!(f, ", {activity}")?;
        }
        if !self.lines.is_empty() {
            write!(f, ", {}", Lines(&self.lines))?;
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

/// In milliseconds, to the microsecond: as a number it is written with three decimals at most.
pub(super) fn as_milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

pub(super) fn milliseconds<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(as_milliseconds(*duration))
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

#[cfg(test)]
mod tests {
    use super::*;

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
            kind: HoldKind::Blocked,
            worker: 2,
            started: Duration::from_secs(9),
            duration: Duration::from_millis(3401),
            cpu: Some(Duration::from_millis(12)),
            descheduled: Some(Duration::ZERO),
            culprits: vec![culprit.clone()],
            waiting: 4,
            ongoing: false,
            activity: Some(Activity::Sleeping),
            lines: Vec::new(),
            stack: Vec::new(),
            lost: None,
            outside: Duration::ZERO,
        };
        assert_eq!(
            hold.to_string(),
            "GET /report (future, 1 poll, 3.40 s) held worker 2 for 3.40 s (12 ms of it computing), \
             4 other requests open"
        );
        hold.kind = HoldKind::Starved { turns: 84 };
        assert_eq!(
            hold.to_string(),
            "GET /report (future, 1 poll, 3.40 s) held worker 2: its loop turned 84 times without \
             looking at its sockets for 3.40 s (12 ms of it computing), 4 other requests open"
        );
        hold.kind = HoldKind::Blocked;
        hold.culprits.push(culprit);
        (hold.cpu, hold.ongoing, hold.waiting) = (None, true, 0);
        assert_eq!(
            hold.to_string(),
            "GET /report (future, 1 poll, 3.40 s) and 1 more together hold worker 2 for 3.40 s so \
             far, sleeping"
        );
        hold.activity = None;
        hold.culprits.clear();
        assert_eq!(
            hold.to_string(),
            "something outside the watched requests holds worker 2 for 3.40 s so far"
        );
    }

    #[test]
    fn milliseconds_have_three_decimals_at_most() {
        for (nanoseconds, text) in [
            (702_706_607, "702.707"),
            (100_000_499, "100.0"),
            (3_401_234_567, "3401.235"),
            (1, "0.0"),
        ] {
            let duration = as_milliseconds(Duration::from_nanos(nanoseconds));
            assert_eq!(format!("{duration:?}"), text);
        }
    }

    #[test]
    fn a_holds_lines_are_named_by_share() {
        let line = |function: &str, line, called: Option<&str>, samples| Line {
            function: function.to_owned(),
            file: Some("src/main.rs".to_owned()),
            line: Some(line),
            called: called.map(str::to_owned),
            library: false,
            samples,
        };
        let one = line("app::render", 4, Some("std::thread::sleep"), 3);
        assert_eq!(
            Lines(std::slice::from_ref(&one)).to_string(),
            "at app::render (src/main.rs:4), in std::thread::sleep"
        );
        let several = [
            line("app::sum", 9, None, 4),
            line("app::sort", 7, Some("core::slice::sort"), 3),
            line("app::sort", 8, None, 3),
            one,
            line("app::last", 20, None, 1),
        ];
        assert_eq!(
            Lines(&several).to_string(),
            "at app::sort (src/main.rs:7) 43 %, app::sum (src/main.rs:9) 29 %, \
             app::render (src/main.rs:4) 21 % and 1 more"
        );
        let unknown = Line {
            file: None,
            line: None,
            ..several[0].clone()
        };
        let library = Line {
            function: "actix_files::NamedFile::open".to_owned(),
            file: Some("actix-files-0.6.10/src/named.rs".to_owned()),
            library: true,
            called: Some("std::fs::File::open".to_owned()),
            ..several[0].clone()
        };
        assert_eq!(
            Lines(&[library]).to_string(),
            "at actix_files::NamedFile::open (actix-files-0.6.10/src/named.rs:9), in \
             std::fs::File::open, with no code of the app's own on the stack"
        );
        assert_eq!(
            Lines(&[unknown]).to_string(),
            "at app::sum (no line tables)"
        );
    }
}
