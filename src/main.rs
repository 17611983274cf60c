//! The `holdup` program: reads the command line, runs the command, and returns its exit code.

mod cli;
mod commands;
mod logs;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

/// Most of a stream's memory is its connection's two buffers, of which only the first bytes are
/// ever used. This allocator keeps other things out of the rest of them, so that it stays unused,
/// and gives back what has been free for a while; glibc's does neither.
#[cfg(all(feature = "jemalloc", target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Probe(options) => commands::probe::run(&options),
        Command::Serve(options) => commands::serve::run(&options),
    }
}
