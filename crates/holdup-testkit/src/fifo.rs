//! A named pipe (FIFO): opening or reading it blocks until another thread or process opens it too.

use std::env::temp_dir;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, Mode, mkfifoat};

/// A FIFO that is removed when it is dropped.
pub struct Fifo(PathBuf);

impl Fifo {
    pub fn new() -> Self {
        static FIFOS: AtomicU32 = AtomicU32::new(0);
        let number = FIFOS.fetch_add(1, Ordering::Relaxed);
        let path = temp_dir().join(format!("holdup-fifo-{}-{number}", process::id()));
        // A test that was killed may have left its FIFO, and process ids are reused.
        fs::remove_file(&path).ok();
        mkfifoat(CWD, &path, Mode::from_raw_mode(0o600)).expect("a FIFO");
        Self(path)
    }
}

impl Deref for Fifo {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}
