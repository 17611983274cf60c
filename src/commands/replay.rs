//! `holdup replay`: what a record has, on the console's page or as text.

use std::process::ExitCode;

use holdup_record::{Record, Summary, read};

use super::with_sources;
use crate::cli::Replay;

/// The exit code for a path that is no record.
const EXIT_USAGE: u8 = 2;

pub(crate) fn run(options: &Replay) -> ExitCode {
    let record = match read(&options.path) {
        Ok(record) => record,
        Err(error) => {
            eprintln!("holdup: {}", with_sources(&error));
            return EXIT_USAGE.into();
        }
    };
    let shown = summary(&record);
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("holdup: {error}");
            ExitCode::FAILURE
        }
    }
}

fn summary(record: &Record) -> std::io::Result<()> {
    super::print(&Summary(record).to_string())
}
