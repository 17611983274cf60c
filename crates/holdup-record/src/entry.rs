//! The lines of a segment.

use std::borrow::Cow;
use std::time::Duration;

use holdup_model::{Event, OpenRequest, Victim, Wait, WorkerStatus, millis};
use serde::{Deserialize, Serialize};

/// The version of the format. A reader refuses a newer one. Adding a field or a kind of entry does not change it.
pub const VERSION: u32 = 1;

/// The first line of a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "record")]
pub struct Header {
    /// The format's [version](VERSION).
    pub version: u32,
    /// The version of holdup that wrote it.
    pub holdup: String,
    /// The process that wrote it.
    pub pid: u32,
    /// The segment's number in its run, from 1. The first ones may have been deleted.
    pub segment: u64,
    /// When the watch was made, which is time zero of all entries: milliseconds since 1970 in UTC.
    pub origin_unix_ms: u64,
    /// When the segment was begun.
    #[serde(rename = "at_ms", with = "millis")]
    pub at: Duration,
    /// The least duration of a hold.
    #[serde(rename = "threshold_ms", with = "millis")]
    pub threshold: Duration,
    /// Why lines of code are not known, if they are not.
    pub why_no_lines: Option<String>,
}

/// A line of a segment that is not its header.
#[derive(Debug, Clone)]
pub enum Entry {
    /// What the watch has published, as it is in `/events`.
    Event(Event),
    /// The workers and the counts.
    Load(Load),
    /// Where requests wait.
    Survey(Survey),
    /// Who lost how much time to whom.
    Victims(Victims),
    /// Lines that could not be written.
    Missing(Missing),
}

/// The workers and the counts at a time: once a second, if they have changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "load")]
pub struct Load {
    /// When it was read.
    #[serde(rename = "at_ms", with = "millis")]
    pub at: Duration,
    /// The workers, ordered by number.
    pub workers: Vec<WorkerStatus>,
    /// The requests that came since the recording began.
    pub requests: u64,
    /// Those that were answered completely.
    pub finished: u64,
    /// Those that were cut off.
    pub unfinished: u64,
    /// The requests that were held up or slow and are not recorded, because there were too many; and those that came
    /// while too many others were open.
    pub left_out: u64,
}

/// Where requests wait that have waited for at least the threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "survey")]
pub struct Survey {
    /// When the requests were asked.
    #[serde(rename = "at_ms", with = "millis")]
    pub at: Duration,
    /// The places, where most wait first. The counts are of all requests.
    pub waits: Vec<Wait>,
    /// How many more places there are.
    pub more: usize,
    /// Some of the open requests, without their stacks, which are in `waits`.
    pub requests: Vec<OpenRequest>,
    /// How many more requests are open.
    pub more_requests: usize,
}

/// Who lost how much time to whom, since the watch was made. It is written when it has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "victims")]
pub struct Victims {
    /// When the sums were read.
    #[serde(rename = "at_ms", with = "millis")]
    pub at: Duration,
    /// The pairs of routes that lost most.
    pub victims: Vec<Victim>,
}

/// Lines that could not be written, because the disk was full or failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "missing")]
pub struct Missing {
    /// When writing worked again.
    #[serde(rename = "at_ms", with = "millis")]
    pub at: Duration,
    /// How many lines.
    pub lines: u64,
}

/// The kinds of lines of this version, the header included. Lines of other kinds are those of a later one.
const KINDS: [&str; 14] = [
    "record",
    "load",
    "survey",
    "victims",
    "missing",
    "opened",
    "answered",
    "chunk",
    "ended",
    "held",
    "updated",
    "released",
    "withdrawn",
    "lost",
];

/// The name of a line's kind.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
}

impl Header {
    /// The header as a line, with its line break.
    pub fn to_line(&self) -> String {
        line(self)
    }
}

impl Entry {
    /// The entry as a line, with its line break.
    pub fn to_line(&self) -> String {
        match self {
            Self::Event(event) => line(event),
            Self::Load(load) => line(load),
            Self::Survey(survey) => line(survey),
            Self::Victims(victims) => line(victims),
            Self::Missing(missing) => line(missing),
        }
    }

    /// Reads a line. `None` if it is damaged, or of a kind that this version does not know.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let Kind { event } = serde_json::from_str(line).ok()?;
        match &*event {
            "load" => serde_json::from_str(line).map(Self::Load).ok(),
            "survey" => serde_json::from_str(line).map(Self::Survey).ok(),
            "victims" => serde_json::from_str(line).map(Self::Victims).ok(),
            "missing" => serde_json::from_str(line).map(Self::Missing).ok(),
            _ => serde_json::from_str(line).map(Self::Event).ok(),
        }
    }

    /// The time of what the entry tells. `None` for events that were lost, which nobody knows the time of.
    pub fn at(&self) -> Option<Duration> {
        match self {
            Self::Load(load) => Some(load.at),
            Self::Survey(survey) => Some(survey.at),
            Self::Victims(victims) => Some(victims.at),
            Self::Missing(missing) => Some(missing.at),
            Self::Event(event) => match event {
                Event::Opened { at, .. }
                | Event::Answered { at, .. }
                | Event::Chunk { at, .. }
                | Event::Ended { at, .. } => Some(*at),
                Event::Held(hold)
                | Event::Updated(hold)
                | Event::Released(hold)
                | Event::Withdrawn(hold) => Some(hold.started + hold.duration),
                _ => None,
            },
        }
    }
}

/// Whether a line is whole, and of a kind that only a later version knows.
pub(crate) fn is_of_later_kind(line: &[u8]) -> bool {
    let kind: Option<Kind<'_>> = serde_json::from_slice(line).ok();
    kind.is_some_and(|Kind { event }| {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        !event.is_empty() && event.bytes().all(is_name) && !KINDS.contains(&&*event)
    })
}

/// Serializing strings and numbers cannot fail.
fn line(of: &impl Serialize) -> String {
    let mut line = serde_json::to_string(of).unwrap_or_default();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use holdup_model::{Blame, Culprit, Hold, HoldKind, Line, Part, RouteName, Spent};

    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Reads what is written, and writes it again.
    fn again(entry: &Entry) -> String {
        let line = entry.to_line();
        let read = Entry::parse(line.trim_end().as_bytes());
        let read = read.unwrap_or_else(|| panic!("cannot be read: {line}"));
        assert_eq!(read.at(), entry.at(), "{line}");
        assert_eq!(read.to_line(), line);
        line
    }

    #[test]
    fn every_entry_is_read_as_it_was_written() {
        let mut hold = Hold::new(HoldKind::Starved { turns: 3 }, 1, ms(900), ms(450));
        let mut culprit = Culprit::new("GET", "/users/{id}", Part::Body, ms(440));
        culprit.lane = Some(7);
        hold.culprits = vec![culprit];
        hold.lines = vec![Line::new("app::report")];
        hold.cpu = Some(ms(3));
        hold.activity = Some(holdup_model::Activity::Other(
            "reading from a socket".to_owned(),
        ));
        let mut blocked = hold.clone();
        blocked.kind = HoldKind::Blocked;
        let blame = Blame::new(Some(RouteName::new("GET", "/a b")), ms(30));
        let opened = Event::Opened {
            lane: 7,
            at: ms(890),
            worker: 1,
            method: "GET".to_owned(),
            route: "/users/{id}".to_owned(),
            path: "/users/\u{1f600}\"\n".to_owned(),
            peer: Some("[::1]:80".parse().expect("an address")),
        };
        let ended = Event::Ended {
            lane: 7,
            at: ms(1400),
            finished: false,
            spent: Spent::new(ms(1), ms(2), vec![blame, Blame::new(None, ms(4))]),
        };
        let wait = holdup_model::waits(&[], ms(0), ms(0));
        let victim = Victim::new(RouteName::new("GET", "/a"), None, 3, ms(90));
        for entry in [
            Entry::Event(opened),
            Entry::Event(Event::Answered {
                lane: 7,
                at: ms(900),
                status: 200,
            }),
            Entry::Event(ended),
            Entry::Event(Event::Held(hold.clone())),
            Entry::Event(Event::Withdrawn(blocked)),
            Entry::Event(Event::Lost { events: 3 }),
            Entry::Load(Load {
                at: ms(1000),
                workers: vec![WorkerStatus::new(0, 3)],
                requests: 9,
                finished: 5,
                unfinished: 1,
                left_out: 0,
            }),
            Entry::Survey(Survey {
                at: ms(5),
                waits: wait,
                more: 0,
                requests: vec![],
                more_requests: 2,
            }),
            Entry::Victims(Victims {
                at: ms(5),
                victims: vec![victim],
            }),
            Entry::Missing(Missing {
                at: ms(5),
                lines: 2,
            }),
        ] {
            let line = again(&entry);
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            let Kind { event } = serde_json::from_str(&line).expect("a kind");
            assert!(KINDS.contains(&&*event), "{event}");
        }
    }

    #[test]
    fn a_damaged_line_is_no_entry() {
        for line in [
            "",
            "{}",
            "[1]",
            "{\"event\":\"load\"}",
            "{\"event\":\"opened\",\"lane\":-1}",
            "{\"event\":\"lost\",\"events\":1",
            "{\"event\":\"what\"}",
        ] {
            assert!(Entry::parse(line.as_bytes()).is_none(), "{line}");
        }
        assert!(Entry::parse(b"{\"event\":\"lost\",\"events\":1}\xff").is_none());
    }
}
