//! A module for each subcommand: what it prints, and its exit code.

mod open_files;
pub(crate) mod probe;
pub(crate) mod serve;

use std::io::{self, Write};

/// Prints to stdout. It is not an error when the reader has closed the pipe.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
