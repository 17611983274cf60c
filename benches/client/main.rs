//! What `holdup probe` itself adds to the times that it reports, with many requests at once.
//!
//! A server in this process streams chunks, and notes on the machine's monotonic clock when it sends each of them.
//! `holdup probe` runs in a process of its own, and draws on a terminal as it does for people. Its report says when
//! each chunk came.
//!
//! ```console
//! cargo bench --bench client -- [--requests N] [--runs N] [--json]
//! ```
//!
//! The two clocks tick alike, but the report's times count from the start of the probe. So the least difference of
//! all chunks of a run counts as zero: it is the time of a chunk that met a client with nothing else to do. What a
//! chunk's time exceeds it by is what the client added, and what the machine did (a server that is interrupted
//! between its note and the system call, for example). With 500 requests on two cores, a client that does nothing but
//! read has a p99 of 3 to 4 ms: the chunks are due together, and the last one waits until all others are read.

mod pty;
mod server;

use std::error::Error;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Parser;
use serde::{Deserialize, Serialize};

use crate::server::{Server, Stream};

/// Measure what `holdup probe` adds to the times of chunks, and how far apart its requests start.
#[derive(Debug, Parser)]
struct Options {
    /// How many requests at once
    #[arg(long, value_name = "N", default_value_t = 500)]
    #[arg(value_parser = clap::value_parser!(u32).range(2..))]
    requests: u32,

    /// How many probes, one after the other
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// The program that is measured, if not the one of this build
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_holdup"))]
    program: String,

    /// Run the program without a terminal, so that it draws nothing
    #[arg(long)]
    no_terminal: bool,

    /// Print the figures as one JSON document
    #[arg(long)]
    json: bool,

    /// `cargo bench` adds it
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is read of the report.
#[derive(Debug, Deserialize)]
struct Probed {
    verdict: String,
    phases: Vec<Phase>,
}

#[derive(Debug, Deserialize)]
struct Phase {
    name: String,
    lanes: Vec<Lane>,
}

#[derive(Debug, Deserialize)]
struct Lane {
    label: String,
    requested_ms: f64,
    chunks_ms: Vec<f64>,
}

/// The figures of one probe, or of all.
#[derive(Debug, Clone, Serialize)]
struct Figures {
    requests: u32,
    runs: u32,
    chunks: usize,
    added_ms: Quantiles,
    /// From the first to the last request, each as the client says that it sent it.
    sent_within_ms: f64,
    /// The same, as the server received them.
    received_within_ms: f64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Quantiles {
    p50: f64,
    p99: f64,
    max: f64,
}

impl Quantiles {
    /// A quantile is the smallest value that this share of all values does not exceed.
    fn of(values: &mut [f64]) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100);
            values.get(rank.saturating_sub(1)).copied()
        };
        Some(Self {
            p50: at(50)?,
            p99: at(99)?,
            max: at(100)?,
        })
    }
}

/// What one probe showed.
struct Run {
    added: Vec<f64>,
    sent_within: f64,
    received_within: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let server = Server::start()?;
    let mut runs = Vec::new();
    let mut out = io::stdout().lock();
    for _ in 0..options.runs {
        let run = measure(&server, &options)?;
        if !options.json {
            writeln!(out, "{}", figures(&options, std::slice::from_ref(&run))?)?;
        }
        runs.push(run);
    }
    let all = figures(&options, &runs)?;
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
    } else {
        writeln!(out, "all: {all}")?;
    }
    Ok(())
}

/// Runs the program once.
fn measure(server: &Server, options: &Options) -> Result<Run, Box<dyn Error>> {
    server.forget();
    let mut command = Command::new(&options.program);
    command.args(["probe", "--json", "-n", &options.requests.to_string()]);
    command.arg(format!("http://{}/", server.address));
    command.stdout(Stdio::piped()).stdin(Stdio::null());
    if options.no_terminal {
        command.stderr(Stdio::null());
    } else {
        command.stderr(pty::terminal()?);
    }
    let output = command.output()?;
    let probed: Probed = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{} printed no report: {error}", options.program))?;
    let unique = probed.phases.iter().find(|phase| phase.name == "unique");
    let lanes = unique
        .map(|phase| phase.lanes.as_slice())
        .unwrap_or_default();
    if lanes.len() != options.requests as usize || probed.verdict != "concurrent" {
        return Err(format!(
            "{} of {} requests were reported, and the verdict is {}",
            lanes.len(),
            options.requests,
            probed.verdict
        )
        .into());
    }
    compare(lanes, server)
}

/// Compares the times of the client with those of the server.
fn compare(lanes: &[Lane], server: &Server) -> Result<Run, Box<dyn Error>> {
    let mut added = Vec::new();
    let mut received = Vec::new();
    for lane in lanes {
        let Stream { asked, sent } = server
            .stream(&lane.label)
            .ok_or_else(|| format!("the server was not asked for {}", lane.label))?;
        if sent.len() != lane.chunks_ms.len() {
            return Err(format!(
                "{}: {} chunks were sent, and {} are reported",
                lane.label,
                sent.len(),
                lane.chunks_ms.len()
            )
            .into());
        }
        let times = lane.chunks_ms.iter().zip(&sent);
        added.extend(times.map(|(at, sent)| at - since(server.started, *sent)));
        received.push(since(server.started, asked));
    }
    let least = added.iter().copied().fold(f64::INFINITY, f64::min);
    for time in &mut added {
        *time -= least;
    }
    let sent: Vec<_> = lanes.iter().map(|lane| lane.requested_ms).collect();
    Ok(Run {
        added,
        sent_within: width(&sent),
        received_within: width(&received),
    })
}

fn since(start: Instant, at: Instant) -> f64 {
    at.saturating_duration_since(start).as_secs_f64() * 1e3
}

/// From the least to the greatest.
fn width(times: &[f64]) -> f64 {
    let least = times.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = times.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    greatest - least
}

/// The figures of these runs: the quantiles of all their chunks, and the widest starts.
fn figures(options: &Options, runs: &[Run]) -> Result<Figures, Box<dyn Error>> {
    let mut added: Vec<f64> = runs.iter().flat_map(|run| &run.added).copied().collect();
    let widest = |width: fn(&Run) -> f64| runs.iter().map(width).fold(0.0, f64::max);
    Ok(Figures {
        requests: options.requests,
        runs: u32::try_from(runs.len())?,
        chunks: added.len(),
        added_ms: Quantiles::of(&mut added).ok_or("no chunks")?,
        sent_within_ms: widest(|run| run.sent_within),
        received_within_ms: widest(|run| run.received_within),
    })
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Quantiles { p50, p99, max } = self.added_ms;
        write!(
            f,
            "added to a chunk's time: p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms ({} chunks); \
             {} requests sent within {:.2} ms, received within {:.2} ms",
            self.chunks, self.requests, self.sent_within_ms, self.received_within_ms
        )
    }
}
