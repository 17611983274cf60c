//! The result of a run, in numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::late::{Late, Quantiles};
use crate::ourselves::Ourselves;
use crate::stream::{Fault, Observed, ms};
use crate::target::Target;
use crate::window::{Window, windows};

/// The report.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    url: String,
    sources: String,
    streams: Streams,
    ticks: Ticks,
    opening: Opening,
    /// The time from the start to the end of the last stream.
    makespan_s: f64,
    steady: Option<Steady>,
    late_ms: Late,
    /// The periods of the run, one after the other; none if they were not asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    windows: Vec<Window>,
    client: Client,
}

#[derive(Debug, Serialize)]
struct Streams {
    asked: usize,
    /// Streams that received the tick with 0 remaining, and then the zero chunk.
    completed: usize,
    /// Streams that were answered with 503.
    refused: usize,
    failed: usize,
    /// The number of failures for each reason.
    failures: BTreeMap<String, usize>,
}

#[derive(Debug, Serialize)]
struct Ticks {
    seen: usize,
    /// The figures of all streams that were not refused.
    expected: usize,
}

#[derive(Debug, Serialize)]
struct Opening {
    /// The time from the start until every served stream had its first tick.
    seconds: Option<f64>,
    streams_per_second: Option<f64>,
    connect_ms: Option<Quantiles>,
}

/// The time from the last stream's first tick to the first stream's end. All streams count down,
/// and the server does nothing else.
#[derive(Debug, Serialize)]
struct Steady {
    /// Times on this machine's monotonic clock, for tools that measure the server in the same
    /// period.
    from_s: f64,
    to_s: f64,
    ticks: usize,
}

/// How well this client kept up.
#[derive(Debug, Serialize)]
struct Client {
    /// How late the client's timers fired until the last stream was open.
    gap_opening_ms: Option<Quantiles>,
    /// How late the client's timers fired after that.
    gap_counting_ms: Option<Quantiles>,
    cpu_s: f64,
    /// The share of one core that the client used over the makespan.
    cpu_percent: f64,
}

impl Report {
    pub(crate) fn new(
        target: &Target,
        sources: &str,
        observed: &[Observed],
        ourselves: &Ourselves,
        window: Option<Duration>,
    ) -> Self {
        let streams = Streams::count(observed);
        let makespan_ms = observed
            .iter()
            .map(|seen| seen.ended_ms)
            .fold(0.0, f64::max);

        let first_ticks = observed.iter().filter_map(|seen| seen.ticks.first());
        let opened = first_ticks.clone().count();
        let opened_ms = first_ticks.map(|tick| tick.at_ms).max_by(f64::total_cmp);
        let per_second = |ms| f64::from(u32::try_from(opened).unwrap_or(u32::MAX)) / ms * 1e3;

        let gaps = |opening: bool| {
            let gaps = ourselves.gaps.iter();
            let gaps =
                gaps.filter(move |gap| opened_ms.is_some_and(|end| gap.at_ms <= end) == opening);
            Quantiles::of(gaps.map(|gap| gap.late_ms))
        };
        Self {
            url: target.url.clone(),
            sources: sources.to_owned(),
            ticks: Ticks {
                seen: observed.iter().map(|seen| seen.ticks.len()).sum(),
                expected: (streams.asked - streams.refused) * target.ticks(),
            },
            steady: opened_ms.and_then(|from| Steady::of(from, observed, ourselves)),
            streams,
            opening: Opening {
                seconds: opened_ms.map(|ms| ms / 1e3),
                streams_per_second: opened_ms.map(per_second),
                connect_ms: Quantiles::of(observed.iter().filter_map(|seen| seen.connect_ms)),
            },
            makespan_s: makespan_ms / 1e3,
            late_ms: Late::of(target, observed),
            windows: window.map_or_else(Vec::new, |length| {
                windows(ms(length), makespan_ms, target, observed, ourselves)
            }),
            client: Client {
                gap_opening_ms: gaps(true),
                gap_counting_ms: gaps(false),
                cpu_s: ourselves.cpu.as_secs_f64(),
                cpu_percent: ms(ourselves.cpu) / makespan_ms * 100.0,
            },
        }
    }

    /// Whether no stream was refused and none failed.
    pub(crate) fn all_completed(&self) -> bool {
        self.streams.completed == self.streams.asked
    }
}

impl Steady {
    /// `None` when the first stream ended before the last one was open.
    fn of(from_ms: f64, observed: &[Observed], ourselves: &Ourselves) -> Option<Self> {
        let ends = observed.iter().map(|seen| seen.ended_ms);
        let to_ms = ends.min_by(f64::total_cmp).filter(|to| *to > from_ms)?;
        let all = observed.iter().flat_map(|seen| &seen.ticks);
        let within = all.filter(|tick| from_ms < tick.at_ms && tick.at_ms <= to_ms);
        let start_ms = ms(ourselves.started);
        Some(Self {
            from_s: (start_ms + from_ms) / 1e3,
            to_s: (start_ms + to_ms) / 1e3,
            ticks: within.count(),
        })
    }
}

impl Streams {
    fn count(observed: &[Observed]) -> Self {
        let mut count = Self {
            asked: observed.len(),
            completed: 0,
            refused: 0,
            failed: 0,
            failures: BTreeMap::new(),
        };
        for seen in observed {
            match &seen.fault {
                None => count.completed += 1,
                Some(Fault::Refused) => count.refused += 1,
                Some(fault) => {
                    count.failed += 1;
                    *count.failures.entry(fault.to_string()).or_default() += 1;
                }
            }
        }
        count
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            streams,
            ticks,
            opening,
            late_ms,
            client,
            ..
        } = self;
        writeln!(f, "{} from {}", self.url, self.sources)?;
        writeln!(
            f,
            "streams   {} asked, {} completed, {} refused, {} failed",
            streams.asked, streams.completed, streams.refused, streams.failed
        )?;
        for (reason, count) in &streams.failures {
            writeln!(f, "          {count} failed: {reason}")?;
        }
        writeln!(f, "ticks     {} of {}", ticks.seen, ticks.expected)?;
        if let (Some(seconds), Some(rate)) = (opening.seconds, opening.streams_per_second) {
            writeln!(
                f,
                "opening   {seconds:.2} s to the last first tick, {rate:.0} streams/s"
            )?;
        }
        writeln!(f, "makespan  {:.2} s", self.makespan_s)?;
        writeln!(
            f,
            "client    {:.2} s of CPU time, {:.0} % of one core",
            client.cpu_s, client.cpu_percent
        )?;
        writeln!(f)?;
        writeln!(
            f,
            "ms                              p50       p99     p99.9       max"
        )?;
        let worst = late_ms.worst_tick.as_ref();
        let worst_name = worst.map(|tick| format!("late, tick {} (worst)", tick.k));
        let rows = [
            ("late, after first tick", late_ms.after_first_tick),
            ("late, after best tick", late_ms.after_best_tick),
            (
                worst_name.as_deref().unwrap_or("late, worst tick"),
                worst.map(|tick| tick.after_best_tick),
            ),
            ("late, server says", late_ms.server_says),
            ("connect", opening.connect_ms),
            ("client's gaps, opening", client.gap_opening_ms),
            ("client's gaps, counting", client.gap_counting_ms),
        ];
        for (index, (name, row)) in rows.into_iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{name:<25}")?;
            match row {
                Some(Quantiles {
                    p50,
                    p99,
                    p999,
                    max,
                }) => write!(f, "{p50:>10.2}{p99:>10.2}{p999:>10.2}{max:>10.2}")?,
                None => write!(f, "{:>10}", "none")?,
            }
        }
        Ok(())
    }
}
