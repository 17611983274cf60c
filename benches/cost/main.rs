//! The cost of `Watch` for a handler that does nothing: throughput, and the server's CPU time per
//! request, beside those of the same app without it.
//!
//! ```console
//! cargo bench --bench cost -- [--rounds N] [--slice MS] [--json FILE]
//! ```
//!
//! All servers stay up, and each round loads every one of them once, for a tenth of a second. A ratio
//! is taken within its round, because a core of a virtual machine can be a quarter slower from one
//! second to the next. The bare app is served twice: how far the second differs from the first is the
//! noise.
//!
//! `cost serve KIND ADDRESS` serves one of the apps, for a profiler.

#![expect(
    clippy::cast_precision_loss,
    reason = "counts and bytes of one run are small"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the bench may block: it serves nobody"
)]

mod apps;
mod client;
mod cores;
mod figures;
mod plan;
mod reader;
mod report;
mod rounds;
mod server;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use actix_web::rt;
use clap::{Parser, Subcommand};

use crate::plan::{MODES, Mode};
use crate::report::Report;

/// Measure what `Watch` costs a handler that does nothing.
#[derive(Debug, Parser)]
struct Options {
    /// How often every server is loaded
    #[arg(long, value_name = "N", default_value_t = 400)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,

    /// How long each time, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4000))]
    slice: u16,

    /// Only the first mode, or only the second [default: both]
    #[arg(long, value_name = "NAME", value_enum)]
    mode: Option<plan::Name>,

    /// Write all figures to this file too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// `cargo bench` adds it
    #[arg(long, hide = true)]
    bench: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve one of the apps until the process is ended
    Serve {
        #[arg(value_enum)]
        kind: plan::Kind,
        /// Where to listen, such as 127.0.0.1:0
        address: String,
        /// Number of worker threads
        #[arg(long, value_name = "N", default_value_t = 1)]
        workers: usize,
    },
}

fn main() -> ExitCode {
    let options = Options::parse();
    let ended = match &options.command {
        Some(Command::Serve {
            kind,
            address,
            workers,
        }) => rt::System::new().block_on(apps::serve(*kind, address, *workers)),
        None => compare(&options),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cost: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), Box<dyn Error>> {
    let chosen: Vec<&Mode> = MODES
        .iter()
        .filter(|mode| options.mode.is_none_or(|name| name == mode.name))
        .collect();
    let (mut modes, slice) = (Vec::new(), Duration::from_millis(options.slice.into()));
    for mode in chosen {
        let blocks = rounds::measure(mode, options.rounds, slice)?;
        modes.push(report::of_mode(mode, &blocks));
    }
    let report = Report {
        rounds: options.rounds,
        slice_ms: options.slice,
        modes,
    };
    print!("{report}");
    if let Some(file) = &options.json {
        let text = serde_json::to_string(&report)?;
        std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}
