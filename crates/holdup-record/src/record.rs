//! Reads a record from its files.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdup_model::{Event, Hold};

use super::entry::{Entry, Header};
use super::error::ReadError;
use super::folder::segments;
use super::name;
use super::read::{LONGEST_HEADER, Segment, Unreadable, header, segment};
use super::stamp::Stamp;

/// What one run of a process has recorded, or one segment of it.
#[derive(Debug, Clone)]
pub struct Record {
    /// The header of its first segment.
    pub header: Header,
    /// Everything it tells, in the order of time.
    pub entries: Vec<Entry>,
    /// How many segments were read.
    pub segments: usize,
    /// The bytes of these segments, if they were read from files.
    pub bytes: u64,
    /// How many lines are damaged, and were left out.
    pub damaged: usize,
    /// Whether the last line is incomplete.
    pub is_torn: bool,
    /// Segments that could not be read at all, of this run or of later ones.
    pub unreadable: Vec<PathBuf>,
    /// How many earlier runs the folder has; 0 if a file was read.
    pub earlier_runs: usize,
    /// The requests whose ends are among the lines that could not be written, as far as is known, and when lines were
    /// written again.
    pub cut: HashMap<u64, Duration>,
}

/// What a record does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Lines that are damaged.
    pub damaged: u64,
    /// Lines that could not be written.
    pub missing: u64,
    /// Events that came too fast for the watch, and were lost.
    pub lost: u64,
    /// Requests that would have been worth a line, and were only counted.
    pub left_out: u64,
}

/// A record begins so long before its first hold: the first line of a segment may be about one.
const BEFORE: Duration = Duration::from_secs(1);

/// A time in a record, from when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it begins, on the clock of the watch.
    pub from: Duration,
    /// When it ends.
    pub to: Duration,
}

/// Reads a record: a segment, or the latest run of a folder of which something can be read.
///
/// # Errors
///
/// Returns an error when the path cannot be read, is no record or one of a newer format, or is a folder without
/// records.
pub fn read(path: &Path) -> Result<Record, ReadError> {
    let about = fs::metadata(path).map_err(|error| failed(path, error))?;
    if !about.is_dir() {
        // Opening a pipe would wait for its other end.
        if !about.is_file() {
            let path = path.to_owned();
            return Err(ReadError::NoFile { path });
        }
        let run = read_run(vec![path.to_owned()])?;
        return run.record.ok_or_else(|| no_record(run.unreadable, path));
    }
    let all = segments(path).map_err(|error| failed(path, error))?;
    let mut runs = runs(all.into_iter().map(|(path, _)| path));
    let mut unreadable = Vec::new();
    while let Some(files) = runs.pop() {
        let mut run = read_run(files)?;
        unreadable.append(&mut run.unreadable);
        if let Some(record) = run.record {
            return Ok(Record {
                unreadable: unreadable.into_iter().map(|(path, _)| path).collect(),
                earlier_runs: runs.len(),
                ..record
            });
        }
    }
    Err(no_record(unreadable, path))
}

/// What the files of a run have.
struct Run {
    /// `None` if no segment can be read.
    record: Option<Record>,
    /// The segments that cannot be read.
    unreadable: Vec<(PathBuf, Unreadable)>,
}

/// Reads the segments of a run. Those that were deleted meanwhile are left out, because a record that is being written
/// keeps to its bound.
fn read_run(files: Vec<PathBuf>) -> Result<Run, ReadError> {
    let (mut read, mut unreadable, mut bytes) = (Vec::new(), Vec::new(), 0);
    for file in files {
        let whole = match read_file(&file) {
            Ok(whole) => whole,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(&file, error)),
        };
        match whole.and_then(|text| Ok((segment(&text)?, text.len()))) {
            Ok((segment, length)) => {
                bytes += length as u64;
                read.push(segment);
            }
            Err(why) => unreadable.push((file, why)),
        }
    }
    let record = Record::of(read).map(|record| Record { bytes, ..record });
    Ok(Run { record, unreadable })
}

/// The bytes of a file that begins as a segment does. Of any other file, which may be huge or have no end, no more than
/// the beginning is read.
fn read_file(path: &Path) -> io::Result<Result<Vec<u8>, Unreadable>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut text = Vec::new();
    let mut beginning = file.by_ref().take(LONGEST_HEADER as u64 + 1);
    beginning.read_until(b'\n', &mut text)?;
    if let Err(why) = header(&text) {
        return Ok(Err(why));
    }
    file.read_to_end(&mut text)?;
    Ok(Ok(text))
}

fn failed(path: &Path, source: io::Error) -> ReadError {
    let path = path.to_owned();
    ReadError::Io { path, source }
}

/// Why there is no record at that path, of which these segments cannot be read.
fn no_record(unreadable: Vec<(PathBuf, Unreadable)>, path: &Path) -> ReadError {
    match unreadable.into_iter().next() {
        None => ReadError::Empty {
            path: path.to_owned(),
        },
        Some((path, Unreadable::NoHeader)) => ReadError::NoRecord { path },
        Some((path, Unreadable::Newer(version))) => ReadError::Newer { path, version },
    }
}

/// The segments of each run, the earliest run first, of all segments of a folder in their order.
fn runs(all: impl Iterator<Item = PathBuf>) -> Vec<Vec<PathBuf>> {
    let mut runs: Vec<(String, Vec<PathBuf>)> = Vec::new();
    for path in all {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some((run, _)) = name.and_then(name::parse) else {
            continue;
        };
        match runs.last_mut() {
            Some((latest, files)) if latest == run => files.push(path),
            _ => runs.push((run.to_owned(), vec![path])),
        }
    }
    runs.into_iter().map(|(_, files)| files).collect()
}

/// The requests of which nothing is written after lines were lost. Those that were open then, and still are, are
/// written again.
fn cut(read: &[Segment]) -> HashMap<u64, Duration> {
    let (mut open, mut cut) = (HashSet::new(), HashMap::new());
    for entry in read.iter().flat_map(|segment| &segment.entries) {
        match entry {
            Entry::Event(Event::Opened { lane, .. } | Event::Answered { lane, .. }) => {
                open.insert(*lane);
                cut.remove(lane);
            }
            Entry::Event(Event::Ended { lane, .. }) => {
                open.remove(lane);
                cut.remove(lane);
            }
            Entry::Missing(missing) => cut.extend(open.drain().map(|lane| (lane, missing.at))),
            _ => {}
        }
    }
    cut
}

/// All entries in the order of time. Requests are written when it is known that they matter, so that their beginnings
/// come late, and again in each segment. Lost events are as late as the latest entry before them.
fn in_order(read: Vec<Segment>) -> Vec<Entry> {
    let mut opened = HashSet::new();
    let mut latest = Duration::ZERO;
    let mut all = Vec::new();
    for entry in read.into_iter().flat_map(|segment| segment.entries) {
        if let Entry::Event(Event::Opened { lane, .. }) = &entry
            && !opened.insert(*lane)
        {
            continue;
        }
        let time = entry.at().unwrap_or(latest);
        latest = latest.max(time);
        all.push((time, entry));
    }
    all.sort_by_key(|(time, _)| *time);
    all.into_iter().map(|(_, entry)| entry).collect()
}

impl Record {
    /// The record of these segments of one run, in their order. `None` if there are none.
    pub fn of(segments: Vec<Segment>) -> Option<Self> {
        let is_torn = segments.last()?.is_torn;
        // A torn line in the middle is a damaged one.
        let torn = segments.iter().filter(|segment| segment.is_torn).count();
        let damaged: usize = segments.iter().map(|segment| segment.damaged).sum();
        Some(Self {
            header: segments[0].header.clone(),
            segments: segments.len(),
            bytes: 0,
            damaged: damaged + torn - usize::from(is_torn),
            is_torn,
            unreadable: Vec::new(),
            earlier_runs: 0,
            cut: cut(&segments),
            entries: in_order(segments),
        })
    }

    /// From when the record was written, or from a little before its first hold, to its last entry.
    pub fn span(&self) -> Span {
        let started = |entry: &Entry| match entry {
            Entry::Event(Event::Held(hold) | Event::Updated(hold) | Event::Released(hold)) => {
                Some(hold.started.saturating_sub(BEFORE))
            }
            _ => None,
        };
        let first = self.entries.iter().filter_map(started).min();
        let from = first.map_or(self.header.at, |first| first.min(self.header.at));
        let last = self.entries.iter().rev().find_map(Entry::at);
        let to = last.unwrap_or(from).max(from);
        Span { from, to }
    }

    /// What it does not have.
    pub fn gaps(&self) -> Gaps {
        let mut gaps = Gaps {
            damaged: self.damaged as u64,
            ..Gaps::default()
        };
        for entry in &self.entries {
            match entry {
                Entry::Missing(missing) => {
                    gaps.missing = gaps.missing.saturating_add(missing.lines);
                }
                Entry::Event(Event::Lost { events }) => {
                    gaps.lost = gaps.lost.saturating_add(*events);
                }
                Entry::Load(load) => gaps.left_out = load.left_out,
                _ => {}
            }
        }
        gaps
    }

    /// A time of the record on the calendar.
    pub fn stamp(&self, at: Duration) -> Stamp {
        Stamp::after(self.header.origin_unix_ms, at)
    }

    /// All holds, each in its latest state, in the order of their ends. Those that were withdrawn are left out.
    pub fn holds(&self) -> Vec<Hold> {
        let key = |hold: &Hold| (hold.worker, hold.started);
        let (mut lasting, mut over): (Vec<Hold>, Vec<Hold>) = (Vec::new(), Vec::new());
        for entry in &self.entries {
            let Entry::Event(event) = entry else { continue };
            match event {
                Event::Held(hold) | Event::Updated(hold) => {
                    lasting.retain(|other| key(other) != key(hold));
                    lasting.push(hold.clone());
                }
                Event::Released(hold) => {
                    lasting.retain(|other| key(other) != key(hold));
                    over.push(hold.clone());
                }
                Event::Withdrawn(hold) => lasting.retain(|other| key(other) != key(hold)),
                _ => {}
            }
        }
        over.append(&mut lasting);
        over
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Missing;
    use super::super::fixture::{self, ms, segment};
    use super::*;

    fn opened(lane: u64, at: u64) -> Entry {
        Entry::Event(fixture::opened(lane, at))
    }

    fn ended(lane: u64, at: u64) -> Entry {
        Entry::Event(Event::Ended {
            lane,
            at: ms(at),
            finished: true,
            spent: holdup_model::Spent::default(),
        })
    }

    fn record(entries: Vec<Entry>) -> Record {
        Record::of(vec![segment(0, entries)]).expect("a segment")
    }

    #[test]
    fn lost_events_are_as_late_as_the_latest_entry_before_them() {
        let record = record(vec![
            opened(1, 900),
            ended(1, 2000),
            // Written late, because only now it is known that it matters.
            opened(2, 500),
            Entry::Event(Event::Lost { events: 1 }),
            ended(3, 2500),
        ]);
        let place = record
            .entries
            .iter()
            .position(|entry| matches!(entry, Entry::Event(Event::Lost { .. })));
        assert_eq!(place, Some(3));
    }

    #[test]
    fn requests_of_which_nothing_is_written_after_lost_lines_are_cut() {
        let missing = |at| {
            Entry::Missing(Missing {
                at: ms(at),
                lines: 2,
            })
        };
        let record = record(vec![
            opened(1, 0),
            opened(2, 10),
            opened(3, 20),
            ended(3, 50),
            opened(4, 30),
            missing(1000),
            // It is still open, and written again.
            opened(2, 10),
            ended(4, 1100),
            opened(5, 1200),
            missing(2000),
            opened(5, 1200),
        ]);
        let expected = HashMap::from([(1, ms(1000)), (2, ms(2000))]);
        assert_eq!(record.cut, expected);
    }
}
