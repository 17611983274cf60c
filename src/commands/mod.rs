//! One module a subcommand: what it prints, and the exit code it ends with.

mod open_files;
pub(crate) mod probe;
pub(crate) mod serve;

use std::io::{self, Write};

/// Prints to stdout. A reader that has seen enough and closed the pipe is no error.
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
