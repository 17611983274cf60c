//! What a hold is.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Activity, Culprit, HumanDuration, Line, LineSummary, millis};

/// A period in which one worker never got back to its other work.
///
/// As JSON, every time is in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hold {
    /// What the worker could not do meanwhile. It is serialized as `kind`, with `turns` beside it.
    #[serde(flatten)]
    pub kind: HoldKind,
    /// The worker, counted from 0.
    pub worker: usize,
    /// When it began, on the clock of the watch that recorded it.
    #[serde(rename = "started_ms", with = "millis")]
    pub started: Duration,
    /// How long the worker was held; for an ongoing hold, so far. Up to a tick of the system's
    /// clock too short, which is 1 to 10 ms.
    #[serde(rename = "duration_ms", with = "millis")]
    pub duration: Duration,
    /// How much of it the worker's thread was computing. Close to `duration`: a long computation. Close to
    /// zero: the thread waited for something, such as a file, a lock or a sleep, or it was
    /// [`descheduled`](Self::descheduled). `None` where the system does not provide it, and while the hold
    /// lasts.
    #[serde(rename = "cpu_ms", with = "millis::option")]
    pub cpu: Option<Duration>,
    /// For how much of it the thread was ready to run while the system ran something else. No handler is at
    /// fault for that time. `None` where the system does not provide it (Linux does), and while the hold
    /// lasts.
    #[serde(rename = "descheduled_ms", with = "millis::option")]
    pub descheduled: Option<Duration>,
    /// The requests that held the worker, the longest first; requests that took less than a hundredth of it
    /// are summed up by route. Empty if something outside the watched requests held it, such as a task that
    /// was spawned on the worker: then nobody is blamed.
    pub culprits: Vec<Culprit>,
    /// The other requests of this worker that were open meanwhile. Requests that it had no chance to read are
    /// unknown, and are not counted.
    pub waiting: usize,
    /// Whether the worker is still held.
    pub ongoing: bool,
    /// What its thread is doing; for a hold that is over, what it was doing in most of the samples. `None`
    /// where the system does not provide it (Linux does), and if the hold ended before a sample was taken.
    pub activity: Option<Activity>,
    /// The lines of the app's own code that the worker was at, the most frequent line first. If no code of
    /// the app was on the stack, the line is in a [`library`](Line::library). Empty if no stack was taken.
    pub lines: Vec<Line>,
    /// One of the sampled stacks with the most frequent line: its functions, the innermost first, without the
    /// server around the app.
    pub stack: Vec<String>,
}

/// What a worker could not do during a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum HoldKind {
    /// It could do nothing else: its event loop made no iteration.
    Blocked,
    /// It could not serve its sockets and timers: its event loop ran the tasks that were ready, but read no
    /// request and fired no timer.
    ///
    /// tokio's event loop checks sockets and timers when nothing is ready to run, and otherwise once in 61
    /// polls. A handler that wakes itself after each slice of its work is always ready. So is an upload that
    /// writes its chunks to a slow disk as they arrive: each poll is short, but together they hold up all
    /// other requests.
    ///
    /// Recorded on Unix only. The culprits' counts leave out polls that end within one tick of the system's
    /// clock. Time in which the machine ran something else does not count: if less than the threshold is
    /// left, there is no hold.
    Starved {
        /// How many loop iterations were counted in it. There may have been more.
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

    /// The duration without the time in which the system ran something else, where that time is known.
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
    fn its_durations_are_formatted_like_all_others() {
        let long = Duration::from_millis(61_500);
        let hold = Hold::new(HoldKind::Blocked, 0, Duration::ZERO, long);
        let duration = HumanDuration(long).to_string();
        assert_eq!(duration, "61.5 s");
        assert!(hold.to_string().contains(&format!(" for {duration} ")));
    }
}
