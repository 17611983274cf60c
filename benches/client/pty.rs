//! A terminal that nobody looks at.

use std::fs::File;
use std::io::{self, Read as _};
use std::process::Stdio;
use std::thread;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// The size of a terminal that fills a screen.
const SIZE: Winsize = Winsize {
    ws_row: 50,
    ws_col: 160,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// One end for a program's output. A thread reads and drops what arrives at the other.
pub(crate) fn terminal() -> io::Result<Stdio> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let name = ptsname(&ours, Vec::new())?;
    let theirs = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
    tcsetwinsize(&theirs, SIZE)?;
    let mut ours = File::from(ours);
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        // Once the program has ended, reading fails.
        while ours.read(&mut buffer).is_ok_and(|read| read > 0) {}
    });
    Ok(theirs.into())
}
