//! Writes the log, at most a few lines a second for each route.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use holdup_model::millis::Millis;
use holdup_model::{Hold, LineSummary};
use tracing::{debug, error, info, trace, warn};

use super::limit::Limit;
use super::spans;
use crate::outlets::{Inlet, LogEntry, NoThreads};
use crate::record::HoldId;
use crate::settings::LogLevel;
use crate::threads::COLLECTOR;

/// Writes the log until the watch is gone. `elapsed` returns the time since the detector was created.
pub(crate) fn run(entries: &Inlet<LogEntry>, log: &mut Log, elapsed: impl Fn() -> Duration) {
    loop {
        let next = log.limit.next_summary(elapsed());
        let entry = match next {
            None => match entries.recv() {
                Ok(entry) => Some(entry),
                Err(_) => return,
            },
            Some(pause) => match entries.recv_timeout(pause) {
                Ok(entry) => Some(entry),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            },
        };
        if let Some(entry) = entry {
            log.write(entry, elapsed());
        }
        log.write_counts(entries.take_lost(), elapsed());
    }
}

#[derive(Debug)]
pub(crate) struct Log {
    level: LogLevel,
    limit: Limit,
}

/// Writes a log line about holds at the watch's level.
macro_rules! line {
    ($level:expr, $($line:tt)+) => {
        match $level {
            LogLevel::Error => error!(target: "holdup", $($line)+),
            LogLevel::Warn => warn!(target: "holdup", $($line)+),
            LogLevel::Info => info!(target: "holdup", $($line)+),
            LogLevel::Debug => debug!(target: "holdup", $($line)+),
            LogLevel::Trace => trace!(target: "holdup", $($line)+),
        }
    };
}

impl Log {
    pub(crate) fn new(level: LogLevel) -> Self {
        Self {
            level,
            limit: Limit::default(),
        }
    }

    pub(crate) fn write(&mut self, entry: LogEntry, now: Duration) {
        match entry {
            LogEntry::Held { hold, lock_holder } => {
                if self.admits(&hold, now) {
                    let holder = perhaps(lock_holder);
                    line!(self.level, worker = hold.worker, "{hold}{holder}");
                }
            }
            LogEntry::Named {
                hold,
                who,
                lock_holder,
            } => {
                if self.admits(&hold, now) {
                    let (worker, lines) = (hold.worker, LineSummary(&hold.lines));
                    let holder = perhaps(lock_holder);
                    line!(
                        self.level,
                        worker,
                        "worker {worker}, held by {who}, is {lines}{holder}"
                    );
                }
            }
            LogEntry::Released { hold } => {
                let is_admitted = self.admits(&hold, now);
                self.limit.forget(HoldId::of(&hold));
                if is_admitted {
                    line!(
                        self.level,
                        worker = hold.worker,
                        duration_ms = Millis(hold.duration).number(),
                        "{hold}"
                    );
                }
            }
            LogEntry::HeldUp { span, route, spent } => spans::held_up(&span, &route, &spent),
            LogEntry::Culprit {
                span,
                hold,
                culprit,
            } => spans::held(&span, &hold, culprit),
            LogEntry::Link { span, by } => spans::link(&span, &by),
            LogEntry::Unused { spans } => drop(spans),
            LogEntry::MoreHeldUp { requests } => {
                let more = if requests == 1 {
                    "request was"
                } else {
                    "requests were"
                };
                info!(target: "holdup", "…and {requests} more {more} held up");
            }
            LogEntry::Uncounted { requests } => warn!(
                target: "holdup",
                "what {requests} requests were held up for is in no figure, because too many ended at the same time"
            ),
            LogEntry::Withdrawn { id } => self.limit.withdraw(id),
            LogEntry::Stacks(Ok(())) => info!(target: "holdup", "lines: on"),
            LogEntry::Stacks(Err(why)) => info!(target: "holdup", "lines: off: {why}"),
            LogEntry::SignalTaken => {
                warn!(target: "holdup", "lines: off: the program has taken SIGURG");
            }
            LogEntry::NotRecorded {
                folder,
                lines,
                error,
            } => warn!(
                target: "holdup",
                "the record in {} cannot be written ({error}), so {lines} lines about holds and requests are lost so \
                 far; make room there",
                folder.display()
            ),
            LogEntry::FiguresLost { figures } => warn!(
                target: "holdup",
                "{figures} changes of the metrics were lost, because the app's recorder of metrics took them too slowly, \
                 so some figures of holds stay too low"
            ),
            LogEntry::RecordedAgain { folder, lines } => warn!(
                target: "holdup",
                "the record in {} is written again; {lines} lines are missing in it",
                folder.display()
            ),
            LogEntry::Restarted { thread } => {
                warn!(target: "holdup", "the thread {thread} panicked and was started again");
            }
            LogEntry::NoThreads(failed) => no_threads(&failed),
        }
    }

    /// Writes how many holds were left out, and how many lines were lost.
    pub(crate) fn write_counts(&mut self, lost: u64, now: Duration) {
        if lost > 0 {
            line!(
                self.level,
                "{lost} lines about holds were lost, because the log took them too slowly"
            );
        }
        for summary in self.limit.summaries(now) {
            let (holds, route) = (summary.holds, summary.route);
            let seconds = summary.within.as_secs();
            let more = if holds == 1 { "hold" } else { "holds" };
            line!(
                self.level,
                "…and {holds} more {more} by {route} in the last {seconds} s"
            );
        }
    }

    fn admits(&mut self, hold: &Hold, now: Duration) -> bool {
        let route = hold.culprits.first().map_or_else(
            || "something outside the watched requests".to_owned(),
            |culprit| format!("{} {}", culprit.method, culprit.route),
        );
        self.limit.admits(&route, HoldId::of(hold), now)
    }
}

/// Logs that threads could not be started, and what that means.
pub(crate) fn no_threads(failed: &NoThreads) {
    let NoThreads { names, error } = failed;
    let threads = names.join(", ");
    let effect = if names.contains(&COLLECTOR) {
        "holds are neither logged nor published"
    } else {
        "part of the watch does not work"
    };
    warn!(
        target: "holdup",
        "the app is served, but {effect}: no thread could be started for {threads} ({error})"
    );
}

/// The end of a log line that names the worker that may hold the lock.
fn perhaps(lock_holder: Option<String>) -> String {
    lock_holder.map_or_else(String::new, |holder| {
        format!("; the lock is perhaps held by {holder}")
    })
}
