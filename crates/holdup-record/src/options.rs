//! Where a record is written, and how much of it is kept.

use std::path::{Path, PathBuf};

/// How many bytes are kept by default: 64 MiB.
pub const BYTES: u64 = 64 << 20;

/// The fewest bytes that may be kept: 1 MiB. A few holds with their stacks and requests have to fit.
pub const LEAST_BYTES: u64 = 1 << 20;

/// Where a record is written, and how much of it is kept.
///
/// ```
/// use holdup_record::Options;
///
/// let options = Options::new("/var/lib/shop/holdup").bytes(16 << 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the options are for a watch"]
pub struct Options {
    pub(crate) folder: PathBuf,
    pub(crate) bytes: u64,
}

impl Options {
    /// A record in this folder, which has to exist, of [`BYTES`] at most.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            bytes: BYTES,
        }
    }

    /// Sets how many bytes all files of the folder may have together, those of earlier runs included. When they
    /// reach it, the oldest file is deleted. [`LEAST_BYTES`] or more are allowed.
    pub fn bytes(mut self, most: u64) -> Self {
        self.bytes = most;
        self
    }
}

impl From<&str> for Options {
    fn from(folder: &str) -> Self {
        Self::new(folder)
    }
}

impl From<String> for Options {
    fn from(folder: String) -> Self {
        Self::new(folder)
    }
}

impl From<&Path> for Options {
    fn from(folder: &Path) -> Self {
        Self::new(folder)
    }
}

impl From<PathBuf> for Options {
    fn from(folder: PathBuf) -> Self {
        Self::new(folder)
    }
}

impl From<&PathBuf> for Options {
    fn from(folder: &PathBuf) -> Self {
        Self::new(folder)
    }
}
