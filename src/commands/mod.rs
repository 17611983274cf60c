//! One module a subcommand: what it prints, and the exit code it ends with.

pub(crate) mod probe;
pub(crate) mod serve;

use std::io::{self, Write};

use holdup::limits::TooMany;

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

/// A number that was given with a flag, of things that are more than files may be open.
fn too_many(flag: &str, error: &TooMany) -> String {
    format!(
        "{flag} is {}, but with {} open files allowed there is room for {}; raise the limit (ulimit -n) \
         or ask for fewer",
        error.asked(),
        error.open_files(),
        error.possible(),
    )
}
