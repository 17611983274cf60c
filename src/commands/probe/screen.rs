//! The terminal on which the lanes grow: stderr, with one write for each picture.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;
use rustix::termios::tcgetwinsize;

/// The size that is used when the terminal does not report its own.
const SIZE: (u16, u16) = (80, 24);

/// Collects a picture until it is complete, and leaves the cursor at the beginning of its row.
/// Behind the last column, the `^C` that a terminal echoes would begin another row, and clearing
/// the picture would then miss one.
#[derive(Debug, Default)]
pub(super) struct Screen(Mutex<String>);

impl Screen {
    fn drawing(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the sequence that moves the cursor, or nothing if the distance is zero.
    fn go(&self, cells: usize, to: char) -> io::Result<()> {
        if cells > 0 {
            write!(self.drawing(), "\x1b[{cells}{to}").map_err(io::Error::other)?;
        }
        Ok(())
    }
}

fn size() -> (u16, u16) {
    match tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => SIZE,
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        size().0
    }

    fn height(&self) -> u16 {
        size().1
    }

    fn move_cursor_up(&self, cells: usize) -> io::Result<()> {
        self.go(cells, 'A')
    }

    fn move_cursor_down(&self, cells: usize) -> io::Result<()> {
        self.go(cells, 'B')
    }

    fn move_cursor_right(&self, cells: usize) -> io::Result<()> {
        self.go(cells, 'C')
    }

    fn move_cursor_left(&self, cells: usize) -> io::Result<()> {
        self.go(cells, 'D')
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.write_str(line)?;
        self.write_str("\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.drawing().push_str(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let drawing = std::mem::take(&mut *self.drawing());
        io::stderr().write_all((drawing + "\r").as_bytes())
    }
}
