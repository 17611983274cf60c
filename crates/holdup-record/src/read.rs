//! Reads a segment. What is damaged is left out and counted. No I/O.

use serde::Deserialize;

use super::entry::{Entry, Header, VERSION, is_of_later_kind};

/// A longer first line is no header.
pub(crate) const LONGEST_HEADER: usize = 64 << 10;

/// A longer line is damaged: no entry is that long.
const LONGEST: usize = 4 << 20;

/// What a segment has.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Its first line.
    pub header: Header,
    /// Its other lines, in the order in which they were written, without those of kinds that this version does not
    /// know.
    pub entries: Vec<Entry>,
    /// How many lines could not be read, without a last one that is incomplete.
    pub damaged: usize,
    /// Whether its last line is incomplete: the process ended while it was writing, or is writing just now.
    pub is_torn: bool,
}

/// Why a segment cannot be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Its first line is no header.
    NoHeader,
    /// It is of a newer version of the format.
    Newer(u32),
}

/// What the headers of all versions have.
#[derive(Deserialize)]
struct AnyHeader {
    event: String,
    version: u32,
}

/// Reads the bytes of a segment.
///
/// # Errors
///
/// Returns an error when the first line is no header, or one of a newer version.
pub fn segment(bytes: &[u8]) -> Result<Segment, Unreadable> {
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let mut segment = Segment {
        header: header(lines.next().unwrap_or_default())?,
        entries: Vec::new(),
        damaged: 0,
        is_torn: false,
    };
    for line in lines {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let entry = (line.len() <= LONGEST)
            .then(|| Entry::parse(line))
            .flatten();
        match entry {
            Some(entry) => segment.entries.push(entry),
            // Of the same version of the format, which more kinds of lines do not change.
            None if line.len() <= LONGEST && is_of_later_kind(line) => {}
            None if line.ends_with(b"\n") => segment.damaged += 1,
            None => segment.is_torn = true,
        }
    }
    Ok(segment)
}

/// Reads the first line of a segment.
///
/// # Errors
///
/// Returns an error when it is no header, or one of a newer version.
pub(crate) fn header(first: &[u8]) -> Result<Header, Unreadable> {
    if first.len() > LONGEST_HEADER {
        return Err(Unreadable::NoHeader);
    }
    let any: AnyHeader = serde_json::from_slice(first).map_err(|_| Unreadable::NoHeader)?;
    if any.event != "record" {
        return Err(Unreadable::NoHeader);
    }
    if any.version > VERSION {
        return Err(Unreadable::Newer(any.version));
    }
    serde_json::from_slice(first).map_err(|_| Unreadable::NoHeader)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"event":"record","version":1,"holdup":"0.1.0","pid":1,"segment":1,"origin_unix_ms":0,"at_ms":0,"threshold_ms":100,"why_no_lines":null}"#;
    const LOST: &str = r#"{"event":"lost","events":1}"#;

    #[test]
    fn damaged_lines_are_left_out_and_counted() {
        let text = format!(
            "{HEADER}\n{LOST}\n{{\"event\":\"lo\n\n\0\0\0\n{LOST}\n{{\"event\":\"lost\",\"ev"
        );
        let segment = segment(text.as_bytes()).expect("a segment");
        assert_eq!((segment.entries.len(), segment.damaged), (2, 2));
        assert!(segment.is_torn);
    }

    #[test]
    fn lines_of_kinds_that_are_not_known_are_passed_over() {
        let later = r#"{"event":"weather","at_ms":1,"wind":[3]}"#;
        let known = r#"{"event":"load","at_ms":1}"#;
        let text = format!("{HEADER}\n{later}\n{LOST}\n{known}\n{HEADER}\n{later}");
        let read = segment(text.as_bytes()).expect("a segment");
        assert_eq!((read.entries.len(), read.damaged), (1, 2));
        assert!(!read.is_torn);
        for damaged in ["{\"event\":\"weather\"", "{\"event\":\"\"}", "{}", "[]"] {
            let text = format!("{HEADER}\n{damaged}\n");
            let read = segment(text.as_bytes()).expect("a segment");
            assert_eq!(read.damaged, 1, "{damaged}");
        }
    }

    #[test]
    fn a_last_line_without_its_line_break_is_whole_if_it_can_be_read() {
        let segment = segment(format!("{HEADER}\n{LOST}").as_bytes()).expect("a segment");
        assert_eq!((segment.entries.len(), segment.is_torn), (1, false));
    }

    #[test]
    fn what_is_no_record_or_a_newer_one_is_refused() {
        for text in [
            "",
            "\n",
            LOST,
            "{\"event\":\"record\"}\n",
            "PK\x03\x04",
            "{\"version\":1}",
            &HEADER.replace("0.1.0", &"0".repeat(LONGEST_HEADER)),
        ] {
            let refused = segment(text.as_bytes()).err();
            assert_eq!(refused, Some(Unreadable::NoHeader), "{text}");
        }
        let newer = "{\"event\":\"record\",\"version\":2,\"what\":[]}\n";
        assert_eq!(segment(newer.as_bytes()).err(), Some(Unreadable::Newer(2)));
    }
}
