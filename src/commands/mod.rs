//! A module for each subcommand: what it prints, and its exit code.

mod open_files;
pub(crate) mod probe;
pub(crate) mod ps;
pub(crate) mod replay;
pub(crate) mod serve;
mod stop;
mod terminal;

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};

/// Prints to stdout. It is not an error when the reader has closed the pipe.
fn print(text: &str) -> io::Result<()> {
    is_read(text).map(|_| ())
}

/// Prints to stderr. If nobody can read it, because the pipe is closed or the disk is full, there is nobody left to
/// tell, and the exit code still says how it ended.
fn say(text: &str) {
    io::stderr().write_all(text.as_bytes()).ok();
}

/// Prints a sentence to stderr, in a line of its own.
fn warn(sentence: impl Display) {
    say(&format!("holdup: {sentence}\n"));
}

/// Prints to stdout, and returns whether the reader of the pipe is still there.
fn is_read(text: &str) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// The error, and what caused it.
fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
