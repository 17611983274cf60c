//! Why a record cannot be written or read.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::entry::VERSION;
use super::options::LEAST_BYTES;

/// Why a folder cannot be recorded into.
#[derive(Debug)]
#[non_exhaustive]
pub enum FolderError {
    /// The folder does not exist.
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// The path leads to something other than a folder.
    NoFolder {
        /// The path.
        folder: PathBuf,
    },
    /// Another process that runs, or another watch of this one, records into it.
    Used {
        /// The folder.
        folder: PathBuf,
        /// The process, if it has said so.
        pid: Option<u32>,
    },
    /// The number of bytes is too small.
    Bytes {
        /// The number.
        given: u64,
    },
    /// The system refuses to read or write there.
    Io {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { folder } => {
                write!(
                    f,
                    "the folder {} for the record does not exist; create it",
                    folder.display()
                )
            }
            Self::NoFolder { folder } => {
                write!(
                    f,
                    "{} is not a folder; a record needs a folder",
                    folder.display()
                )
            }
            Self::Used {
                folder,
                pid: Some(pid),
            } if *pid == std::process::id() => write!(
                f,
                "another watch of this process already records into {}; give this watch another folder",
                folder.display()
            ),
            Self::Used { folder, pid } => {
                let by = pid.map_or_else(
                    || "another process".to_owned(),
                    |pid| format!("process {pid}"),
                );
                write!(
                    f,
                    "{by} already records into {}; give this process another folder",
                    folder.display()
                )
            }
            Self::Bytes { given } => write!(
                f,
                "a record may have {given} bytes; allowed: {LEAST_BYTES} (1 MiB) or more"
            ),
            Self::Io { folder, .. } => write!(f, "cannot record into {}", folder.display()),
        }
    }
}

impl Error for FolderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why a record cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refuses to read it.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The path leads to something other than a file or a folder.
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// The file has no header of a record.
    NoRecord {
        /// The file.
        path: PathBuf,
    },
    /// The file is of a newer format.
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The folder has no records.
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, .. } => write!(f, "cannot read {}", path.display()),
            Self::NoFile { path } => write!(
                f,
                "{} is neither a file nor a folder; give the folder of a record, or one of its files",
                path.display()
            ),
            Self::NoRecord { path } => write!(
                f,
                "{} is not a record of holdup: its first line is not the header of one",
                path.display()
            ),
            Self::Newer { path, version } => write!(
                f,
                "{} has version {version} of the format, but this program knows versions up to {VERSION}; use the \
                 program that wrote it, or a newer one",
                path.display()
            ),
            Self::Empty { path } => write!(
                f,
                "the folder {} has no record: no file with a name such as \
                 holdup-20261130T011107.123Z-4711-000001.jsonl",
                path.display()
            ),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
