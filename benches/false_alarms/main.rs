//! How often a check in CI is wrong: red for a healthy server (a false alarm), or green for one that serializes
//! its requests (a miss). `holdup probe --expect concurrent` and the test assertions are counted beside two rules
//! that people write by hand.
//!
//! ```console
//! cargo bench --bench false_alarms -- [--runs N] [--at-once N] [--busy 0,2,8] [--rows TEXT] [--file FILE] [--table]
//! ```
//!
//! Healthy servers are checked beside so many processes that compute. Servers that block are checked without them.
//! All rows take turns, 20 runs at a time, so that a disturbance of the machine meets all of them alike. By itself,
//! one check runs at a time. With `--at-once`, several runs of a row disturb each other a little, which makes a wrong
//! answer more likely, and the bench takes less time.
//!
//! Each outcome is appended to the file at once. If the bench is interrupted, the same command goes on where it was.

mod asserted;
mod busy;
mod lab;
mod outcome;
mod record;
mod rows;
mod rules;
mod table;

use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use holdup_model::HumanDuration;

use crate::busy::Busy;
use crate::lab::Lab;
use crate::record::{Record, Run};
use crate::rows::{ROWS, Row};

/// How many runs of a row follow each other before the next row has its turn.
const TURN: usize = 20;

/// Count how often checks of concurrency are wrong.
#[derive(Debug, Parser)]
struct Options {
    /// How many runs of each row
    #[arg(long, value_name = "N", default_value_t = 1000)]
    runs: usize,

    /// How many checks run at the same time
    #[arg(long, value_name = "N", default_value = "1")]
    at_once: NonZeroUsize,

    /// Beside how many computing processes the healthy servers are checked, separated by commas
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "0,2,8"
    )]
    busy: Vec<usize>,

    /// Only the rows whose names contain this text
    #[arg(long, value_name = "TEXT", default_value = "")]
    rows: String,

    /// The file to which each outcome is appended
    #[arg(long, value_name = "FILE", default_value = "target/false_alarms.jsonl")]
    file: PathBuf,

    /// Run nothing, and print the table of what is in the file
    #[arg(long)]
    table: bool,

    /// The program that is checked, if not the one of this build
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_holdup"))]
    program: String,

    /// `cargo bench` adds it
    #[arg(long, hide = true)]
    bench: bool,
}

/// A row at one load, which has turns until all its runs are made.
struct Task {
    row: &'static Row,
    busy: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut record = Record::open(&options.file)?;
    if !options.table {
        // Failures are recorded and counted, so the panic hook stays silent.
        std::panic::set_hook(Box::new(|_| {}));
        measure(&options, &mut record)?;
    }
    print!("{}", table::markdown(record.runs()));
    Ok(())
}

fn measure(options: &Options, record: &mut Record) -> Result<(), Box<dyn Error>> {
    // So that an end from outside ends the processes, too.
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let chosen = || ROWS.iter().filter(|row| row.name.contains(&options.rows));
    if chosen().next().is_none() {
        let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        let (text, names) = (&options.rows, names.join("; "));
        return Err(format!("--rows is {text:?}, which is in no name of a row: {names}").into());
    }
    for later in [false, true] {
        let mut tasks = Vec::new();
        for busy in &options.busy {
            let healthy = chosen().filter(|row| !row.blocks && row.later == later);
            tasks.extend(healthy.map(|row| Task { row, busy: *busy }));
        }
        let blocking = chosen().filter(|row| row.blocks && row.later == later);
        tasks.extend(blocking.map(|row| Task { row, busy: 0 }));
        while !tasks.is_empty() {
            for task in &tasks {
                turn(task, options, record, &stop)?;
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
            }
            tasks.retain(|task| record.made(task.row.name, task.busy) < options.runs);
        }
    }
    Ok(())
}

/// Makes some runs of a row.
fn turn(
    task: &Task,
    options: &Options,
    record: &mut Record,
    stop: &AtomicBool,
) -> Result<(), Box<dyn Error>> {
    let Task { row, busy } = *task;
    let made = record.made(row.name, busy);
    let runs = options.runs.saturating_sub(made).min(TURN);
    // A lab for each check that runs at the same time, so that one does not wait for another's requests.
    let labs = (0..options.at_once.get()).map(|_| Lab::start(&options.program, row.workers));
    let labs = labs.collect::<Result<Vec<_>, _>>()?;
    let processes = Busy::start(busy)?;
    let begun = Instant::now();
    let started = AtomicUsize::new(0);
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        for lab in &labs {
            let (started, tell) = (&started, tell.clone());
            scope.spawn(move || check_in_turn(task, lab, runs, started, stop, &tell));
        }
        drop(tell);
        // Each outcome is in the file before the next one is taken.
        told.into_iter().try_for_each(|run| record.append(run))
    })?;
    drop(processes);
    let took = begun.elapsed() / u32::try_from(runs.max(1)).unwrap_or(1);
    progress(row.name, busy, record.made(row.name, busy), took);
    Ok(())
}

/// Checks until so many runs have been started, by this thread and the others.
fn check_in_turn(
    task: &Task,
    lab: &Lab,
    runs: usize,
    started: &AtomicUsize,
    stop: &AtomicBool,
    tell: &mpsc::Sender<Run>,
) {
    while started.fetch_add(1, Ordering::Relaxed) < runs {
        let begun = Instant::now();
        let (outcome, note) = (task.row.check)(lab);
        // A signal may have ended the lab, too.
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let run = Run {
            row: task.row.name.to_owned(),
            busy: task.busy,
            outcome,
            ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            load: load_average(),
            note,
        };
        if tell.send(run).is_err() {
            return;
        }
    }
}

fn load_average() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok()
}

fn progress(name: &str, busy: usize, made: usize, each: Duration) {
    eprintln!(
        "{name}, {busy} busy: {made} runs, {} each",
        HumanDuration(each)
    );
}
