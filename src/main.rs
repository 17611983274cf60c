//! The `holdup` program: reads the command line, runs the command, and returns its exit code.

// They panic if the output cannot be written. `commands` has functions that do not.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod cli;
mod commands;
mod logs;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

/// The memory of a stream is mostly the two buffers of its connection, of which only the first
/// bytes are ever used. Unlike glibc's allocator, this one places nothing else in the rest, so the
/// system never has to provide it, and returns memory that has been free for a while.
#[cfg(all(feature = "jemalloc", target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Probe(options) => commands::probe::run(&options),
        Command::Ps(options) => commands::ps::run(&options),
        Command::Replay(options) => commands::replay::run(&options),
        Command::Serve(options) => commands::serve::run(&options),
    }
}
