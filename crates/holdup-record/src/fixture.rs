//! What the tests of several parts begin with.

use std::time::Duration;

use holdup_model::Event;

use super::entry::{Entry, Header, VERSION};
use super::read::Segment;

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The first line of a record whose clock began at this time.
pub(crate) fn header(origin_unix_ms: u64) -> Header {
    Header {
        version: VERSION,
        holdup: "0.1.0".to_owned(),
        pid: 1,
        segment: 1,
        origin_unix_ms,
        at: ms(0),
        threshold: ms(100),
        why_no_lines: None,
    }
}

/// A whole segment.
pub(crate) fn segment(origin_unix_ms: u64, entries: Vec<Entry>) -> Segment {
    Segment {
        header: header(origin_unix_ms),
        entries,
        damaged: 0,
        is_torn: false,
    }
}

pub(crate) fn opened(lane: u64, at: u64) -> Event {
    Event::Opened {
        lane,
        at: ms(at),
        worker: 0,
        method: "GET".to_owned(),
        route: "/".to_owned(),
        path: "/".to_owned(),
        peer: None,
    }
}
