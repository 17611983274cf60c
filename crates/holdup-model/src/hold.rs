//! What a hold is.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Activity, Culprit, HumanDuration, Line, LineSummary, millis};

/// A period in which one worker never got back to its other work.
///
/// As JSON, every time is in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Hold {
    /// What its other work was kept from. Serialized as `kind`, and `turns` beside it.
    #[serde(flatten)]
    pub kind: HoldKind,
    /// The worker, counted from 0.
    pub worker: usize,
    /// When it began, on the clock of the watch that recorded it.
    #[serde(rename = "started_ms", serialize_with = "millis::serialize")]
    pub started: Duration,
    /// How long the worker was held; for an ongoing hold, so far. Up to a tick of the system's
    /// clock too short, which is 1 to 10 ms.
    #[serde(rename = "duration_ms", serialize_with = "millis::serialize")]
    pub duration: Duration,
    /// How much of it the worker's thread was computing. Close to `duration`: a long computation.
    /// Close to nothing: it waited for something, such as a file, a lock or a sleep, or it was
    /// [`descheduled`](Self::descheduled). `None` where the system does not provide it, and while
    /// the hold lasts.
    #[serde(rename = "cpu_ms", serialize_with = "millis::serialize_option")]
    pub cpu: Option<Duration>,
    /// How much of it the thread was ready to run, but the system ran something else: no
    /// handler's fault. `None` where the system does not provide it (Linux does), and while the
    /// hold lasts.
    #[serde(rename = "descheduled_ms", serialize_with = "millis::serialize_option")]
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
    /// What its thread is doing; of a hold that is over, what it was doing in most of the samples.
    /// `None` where the system does not provide it (Linux does), and when no sample was taken in
    /// time.
    pub activity: Option<Activity>,
    /// Where in the app's own code it was, the most frequent line first; where none of that was on the
    /// stack, in which [`library`](Line::library). Empty when no stack was taken.
    pub lines: Vec<Line>,
    /// One of the stacks that were taken, of the most frequent line: functions, the innermost first,
    /// without the server around the app.
    pub stack: Vec<String>,
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
    /// Recorded on Unix only. Polls that end within a tick of the system's clock are missing among
    /// the culprits' polls. Where the machine ran something else for so long that less than the
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

impl Hold {
    /// A hold of a worker that began at `started` and has lasted for `duration` so far, of which
    /// nothing else is known yet.
    pub fn new(kind: HoldKind, worker: usize, started: Duration, duration: Duration) -> Self {
        Self {
            kind,
            worker,
            started,
            duration,
            cpu: None,
            descheduled: None,
            culprits: Vec::new(),
            waiting: 0,
            ongoing: true,
            activity: None,
            lines: Vec::new(),
            stack: Vec::new(),
        }
    }

    /// What is left of it when the time in which the system ran something else is taken away, where that
    /// is known.
    #[must_use]
    pub fn own_duration(&self) -> Duration {
        self.duration
            .saturating_sub(self.descheduled.unwrap_or_default())
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (worker, duration) = (self.worker, HumanDuration(self.duration));
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
            write!(f, " ({} of it computing", HumanDuration(cpu))?;
            match self.descheduled {
                Some(descheduled) if descheduled * 10 >= self.duration => {
                    write!(f, ", {} not scheduled)", HumanDuration(descheduled))?;
                }
                _ => f.write_str(")")?,
            }
        }
        if let Some(activity) = self.activity.as_ref().filter(|_| self.ongoing) {
            write!(f, ", {activity}")?;
        }
        if !self.lines.is_empty() {
            write!(f, ", {}", LineSummary(&self.lines))?;
        }
        match self.waiting {
            0 => Ok(()),
            1 => f.write_str(", 1 other request open"),
            n => write!(f, ", {n} other requests open"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Part;

    #[test]
    fn a_hold_reads_as_a_sentence() {
        let ms = Duration::from_millis;
        let culprit = Culprit::new("GET", "/report", Part::Future, ms(3400));
        let mut hold = Hold {
            cpu: Some(ms(12)),
            descheduled: Some(Duration::ZERO),
            culprits: vec![culprit.clone()],
            waiting: 4,
            ongoing: false,
            activity: Some(Activity::Sleeping),
            ..Hold::new(HoldKind::Blocked, 2, ms(9000), ms(3401))
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
    fn its_durations_are_written_as_all_others_are() {
        let long = Duration::from_millis(61_500);
        let hold = Hold::new(HoldKind::Blocked, 0, Duration::ZERO, long);
        let duration = HumanDuration(long).to_string();
        assert_eq!(duration, "61.5 s");
        assert!(hold.to_string().contains(&format!(" for {duration} ")));
    }
}
