//! The `holdup` program: reads the command line, runs what it asks for, and says how it went.

mod cli;
mod commands;
mod logs;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Probe(options) => commands::probe::run(&options),
        Command::Serve(options) => commands::serve::run(&options),
    }
}
