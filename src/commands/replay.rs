//! `holdup replay`: what a record has, on the console's page or as text.

use std::error::Error;
use std::process::ExitCode;

use actix_rt::System;
use holdup::serve::reachable;
use holdup_console::{Console, StartError};
use holdup_record::{Record, Summary, read};

use super::stop::stop_signal;
use super::with_sources;
use crate::cli::Replay;

/// The exit code for a path that is no record.
const EXIT_USAGE: u8 = 2;

pub(crate) fn run(options: &Replay) -> ExitCode {
    let record = match read(&options.path) {
        Ok(record) => record,
        Err(error) => {
            super::warn(with_sources(&error));
            return EXIT_USAGE.into();
        }
    };
    match show(options, record) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::warn(with_sources(&*error));
            ExitCode::FAILURE
        }
    }
}

fn show(options: &Replay, record: Record) -> Result<(), Box<dyn Error>> {
    let summary = Summary(&record).to_string();
    if options.summary {
        super::print(&summary)?;
        return Ok(());
    }
    // The first paragraph says what it is, and what is missing in it.
    let about = summary.split("\n\n").next().unwrap_or_default();
    let mut replay = Console::replay(record, options.address.to_string())
        .allow_host_advice("start with --allow-host {name}");
    for name in &options.allow_host {
        replay = replay.allow_host(name);
    }
    System::new().block_on(async {
        let stop = stop_signal()?;
        let console = replay.start().map_err(by_flag)?;
        super::print(&format!(
            "{}\n\nWatch it in a browser: http://{}/\nCtrl-C stops it. --summary prints what was recorded.\n",
            about.trim_end(),
            reachable(console.address())
        ))?;
        stop.await;
        Ok(())
    })
}

/// The error in terms of the flag that the user gave.
fn by_flag(error: StartError) -> Box<dyn Error> {
    match error {
        StartError::Bind { address, source } => format!(
            "cannot listen on {address} for the page: {source}; give another address with --address"
        )
        .into(),
        other => other.into(),
    }
}
