//! Writes segments into a folder, and keeps to its bound.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::entry::Header;
use super::error::FolderError;
use super::name::{self, LOCK};
use super::options::{LEAST_BYTES, Options};
use super::stamp::Stamp;

/// A record has so many segments: what is deleted at a time is one of them.
const SEGMENTS: u64 = 8;

/// A folder that this process records into. No other process can, until this value is dropped or the process ends.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    most: u64,
    /// Locked, and never read by this process.
    _lock: File,
    /// The segments that are complete, the oldest first, with their sizes.
    complete: Vec<(PathBuf, u64)>,
    /// The name of the run that was begun. It sorts after those of all earlier runs.
    run: String,
    current: Option<Current>,
}

/// The segment that is being written.
#[derive(Debug)]
struct Current {
    file: File,
    path: PathBuf,
    header: Header,
    size: u64,
    /// Whether the last line may be incomplete, because writing it failed.
    is_torn: bool,
}

impl Folder {
    /// Opens a folder to record into, and locks it.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder does not exist, is not writable or has no room, when another process records
    /// into it, and when [`Options::bytes`] is too small.
    pub fn open(options: Options) -> Result<Self, FolderError> {
        let Options { folder, bytes } = options;
        if bytes < LEAST_BYTES {
            return Err(FolderError::Bytes { given: bytes });
        }
        let failed = |source| FolderError::Io {
            folder: folder.clone(),
            source,
        };
        match fs::metadata(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(FolderError::Missing { folder });
            }
            Err(error) => return Err(failed(error)),
            Ok(about) if !about.is_dir() => return Err(FolderError::NoFolder { folder }),
            Ok(_) => {}
        }
        let lock = lock(&folder).map_err(|error| match error {
            Refused::Used(pid) => FolderError::Used {
                folder: folder.clone(),
                pid,
            },
            Refused::Io(error) => failed(error),
        })?;
        let complete = segments(&folder).map_err(failed)?;
        Ok(Self {
            path: folder,
            most: bytes,
            _lock: lock,
            complete,
            run: String::new(),
            current: None,
        })
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a run with this header, unless one was begun. Its segment's number is set here.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub fn begin(&mut self, header: Header) -> io::Result<()> {
        if self.current.is_none() {
            self.run = self.name_after_others(&header);
            self.next(Header {
                segment: 1,
                ..header
            })?;
        }
        Ok(())
    }

    /// A name for the run of this header: when it began. If the clock was set back since an earlier run, it is the
    /// first moment after that one.
    fn name_after_others(&self, header: &Header) -> String {
        let latest = self.complete.last();
        let latest = latest.and_then(|(path, _)| name::parse(path.file_name()?.to_str()?));
        let is_later = |&began: &u64| {
            let name = name::run(Stamp(began), header.pid);
            latest.is_none_or(|(latest, _)| *name > *latest)
        };
        // Names sort as times do, so the time is found by halving.
        let (mut began, mut end) = (header.origin_unix_ms, Stamp::LAST.0);
        while !is_later(&began) && began < end {
            let middle = began + (end - began) / 2;
            if is_later(&middle) {
                end = middle;
            } else {
                began = middle + 1;
            }
        }
        name::run(Stamp(began), header.pid)
    }

    /// Appends lines, each with its line break, at a time on the clock of the record. Returns whether a new segment
    /// was begun for them.
    ///
    /// # Errors
    ///
    /// Returns the system's error, and an error if no run was [begun](Self::begin). Some of the lines may be written.
    pub fn append(&mut self, lines: &str, at: Duration) -> io::Result<bool> {
        let mut is_new = false;
        let each = usize::try_from(self.most / SEGMENTS).unwrap_or(usize::MAX);
        for part in parts(lines, each) {
            let Some(current) = &self.current else {
                return Err(io::Error::other("no run was begun"));
            };
            let is_full = current.size + part.len() as u64 > self.most / SEGMENTS
                && current.size > current.header.to_line().len() as u64;
            if is_full || current.is_gone() {
                self.next(Header {
                    segment: current.header.segment + 1,
                    at,
                    ..current.header.clone()
                })?;
                is_new = true;
            }
            // One more, for the line break after a torn line.
            self.make_room(part.len() as u64 + 1)?;
            if let Some(current) = &mut self.current {
                current.write(part)?;
            }
        }
        Ok(is_new)
    }

    /// Begins the next segment.
    fn next(&mut self, header: Header) -> io::Result<()> {
        let line = header.to_line();
        self.make_room(line.len() as u64)?;
        let path = self.path.join(name::of(&self.run, header.segment));
        let file = create(&path)?;
        let mut next = Current {
            file,
            path,
            header,
            size: 0,
            is_torn: false,
        };
        if let Err(error) = next.write(&line) {
            // Without its header, it is no segment.
            fs::remove_file(&next.path).ok();
            return Err(error);
        }
        if let Some(before) = self.current.replace(next) {
            self.complete.push((before.path, before.size));
        }
        Ok(())
    }

    /// Deletes the oldest segments until there is room for so many bytes more. The current one is kept.
    fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        let current = self.current.as_ref().map_or(0, |current| current.size);
        let mut sum: u64 = current + self.complete.iter().map(|(_, size)| size).sum::<u64>();
        while sum + bytes > self.most && !self.complete.is_empty() {
            let (path, size) = &self.complete[0];
            match fs::remove_file(path) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            sum -= size;
            self.complete.remove(0);
        }
        Ok(())
    }
}

impl Current {
    /// Whether somebody has deleted, moved or replaced the file.
    #[cfg(unix)]
    fn is_gone(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;

        let place = |about: fs::Metadata| (about.dev(), about.ino());
        match (fs::metadata(&self.path), self.file.metadata()) {
            (Ok(there), Ok(written)) => place(there) != place(written),
            (Err(error), _) => error.kind() == ErrorKind::NotFound,
            (Ok(_), Err(_)) => false,
        }
    }

    /// Whether somebody has deleted or moved the file.
    #[cfg(not(unix))]
    fn is_gone(&self) -> bool {
        fs::metadata(&self.path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }

    fn write(&mut self, lines: &str) -> io::Result<()> {
        let lines = if self.is_torn {
            // What follows the torn line must not become a part of it.
            Cow::from(format!("\n{lines}"))
        } else {
            Cow::from(lines)
        };
        let written = self.file.write_all(lines.as_bytes());
        self.is_torn = written.is_err();
        self.size = if self.is_torn {
            let about = self.file.metadata();
            about.map_or(self.size, |about| about.len())
        } else {
            self.size + lines.len() as u64
        };
        written
    }
}

/// Splits lines into parts of at most so many bytes. A longer line is a part by itself.
fn parts(lines: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut to) = (0, 0);
    for line in lines.split_inclusive('\n') {
        if to > from && to + line.len() - from > most {
            parts.push(&lines[from..to]);
            from = to;
        }
        to += line.len();
    }
    if to > from {
        parts.push(&lines[from..to]);
    }
    parts
}

/// Creates a file that only its owner can read: paths of requests may contain secrets.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Why a folder could not be locked.
enum Refused {
    Used(Option<u32>),
    Io(io::Error),
}

/// Locks a folder, and notes the process in its lock file. The lock ends with the process, however that ends.
fn lock(folder: &Path) -> Result<File, Refused> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(folder.join(LOCK)).map_err(Refused::Io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.take(32).read_to_string(&mut text).ok();
            return Err(Refused::Used(text.trim().parse().ok()));
        }
        Err(TryLockError::Error(error)) => return Err(Refused::Io(error)),
    }
    let text = format!("{}\n", std::process::id());
    let written = file
        .set_len(0)
        .and_then(|()| file.write_all(text.as_bytes()));
    written.map_err(Refused::Io)?;
    Ok(file)
}

/// The segments in a folder, the oldest first, with their sizes.
pub(crate) fn segments(folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().and_then(name::parse).is_none() {
            continue;
        }
        match entry.metadata() {
            Ok(about) if about.is_file() => found.push((entry.path(), about.len())),
            Ok(_) => {}
            // Whoever records into the folder has deleted it meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::entry::{Entry, Missing};
    use super::super::fixture::header;
    use super::super::read::segment;
    use super::*;

    fn missing(at: u64) -> Entry {
        let at = Duration::from_secs(at);
        Entry::Missing(Missing { at, lines: 1 })
    }

    #[test]
    fn what_is_written_after_a_failure_can_be_read() {
        let path = std::env::temp_dir().join(format!("holdup-record-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        let mut folder = Folder::open(Options::new(&path)).expect("it can be written");
        let begun = folder.begin(header(0));
        begun.expect("room");
        let append = |folder: &mut Folder, at: u64| {
            folder.append(&missing(at).to_line(), Duration::from_secs(at))
        };
        append(&mut folder, 1).expect("room");
        // The system takes a part of the line, and refuses the rest.
        let current = folder.current.as_mut().expect("a segment");
        current.file.write_all(b"{\"event\":\"mis").expect("room");
        let unwritable = File::open(&current.path).expect("a segment");
        let writable = std::mem::replace(&mut current.file, unwritable);
        append(&mut folder, 2).expect_err("it is opened for reading only");
        folder.current.as_mut().expect("a segment").file = writable;
        append(&mut folder, 3).expect("room");
        append(&mut folder, 4).expect("room");
        let text = fs::read(&folder.current.as_ref().expect("a segment").path).expect("a file");
        let read = segment(&text).expect("a segment");
        let size = folder.current.as_ref().map(|current| current.size);
        fs::remove_dir_all(&path).expect("a folder");
        let at: Vec<_> = read.entries.iter().filter_map(Entry::at).collect();
        assert_eq!(at, [1, 3, 4].map(Duration::from_secs));
        assert_eq!((read.damaged, read.is_torn), (1, false));
        assert_eq!(size, Some(text.len() as u64));
    }
}
