//! Draws requests against time, as [`text`](text()) for a terminal or as [`svg`](svg()).
//!
//! Each request is a lane, and all lanes share one axis of time. A lane shows how long the request waited
//! for the first byte, when each chunk arrived, and the end. A server that runs one request at a time makes
//! a staircase:
//!
//! ```
//! use std::time::Duration;
//! use holdup_render::{Style, text};
//! use holdup_model::{Lane, Timeline};
//!
//! let lanes = (1..=3).map(|x| {
//!     let ms = Duration::from_millis;
//!     let mut lane = Lane::start(format!("/blocking?x={x}"), ms(0));
//!     lane.record_head(ms(x * 1000 - 1000), 200);
//!     lane.record_chunk(ms(x * 1000 - 500), b"tick");
//!     lane.finish(ms(x * 1000));
//!     lane
//! });
//! let timeline = Timeline::from(lanes.collect::<Vec<_>>());
//!
//! let picture = "\
//! /blocking?x=1  |━━━━•━━━━━█                        1.00 s
//! /blocking?x=2  ···········|━━━━━•━━━━█             2.00 s
//! /blocking?x=3  ······················|━━━━━•━━━━█  3.00 s
//!                0 s                         3.00 s
//! · waiting  | first byte  ━ answering  • chunk  █ end
//! ";
//! assert_eq!(text(&timeline, &Style::plain(57)), picture);
//! ```
//!
//! A time that was recorded out of order, such as that of a chunk after the end, is drawn at the nearest time
//! that is in order.

#![forbid(unsafe_code)]

mod style;
mod svg;
#[cfg(test)]
mod tests;
mod text;

use std::iter;
use std::time::Duration;

use holdup_model::{HumanDuration, Lane, Timeline};

pub use style::Style;
pub use svg::svg;
pub use text::text;

/// The longest label that is shown whole, in characters; of a longer one the end, where the numbers
/// of unique URLs are.
const MAX_LABEL: usize = 32;

/// Text that is safe to show anywhere: on one line, without control or direction characters.
fn safe(text: &str) -> Vec<char> {
    let plain = |c: char| c.is_alphanumeric() || c.is_ascii_graphic() || c == ' ';
    text.chars()
        .map(|c| if plain(c) { c } else { '?' })
        .collect()
}

/// A label, safe and not longer than `max`: of a longer one the end.
fn shown_label(label: &str, max: usize, ellipsis: char) -> String {
    let label = safe(label);
    if label.len() <= max {
        return label.into_iter().collect();
    }
    let end = &label[label.len() + 1 - max..];
    iter::once(&ellipsis).chain(end).collect()
}

/// How a lane ended, safe and not longer than `max`: of a longer text the beginning.
fn shown_outcome(lane: &Lane, max: usize, ellipsis: char) -> String {
    let outcome = safe(&outcome(lane));
    if outcome.len() <= max {
        return outcome.into_iter().collect();
    }
    let beginning = &outcome[..max - 1];
    beginning.iter().chain(iter::once(&ellipsis)).collect()
}

/// The length of the longest of `texts`, in characters.
fn widest<'a>(texts: impl Iterator<Item = &'a String>) -> usize {
    let widths = texts.map(|text| text.chars().count());
    widths.max().unwrap_or_default()
}

/// The times that the axis shows.
#[derive(Debug, Clone, Copy)]
struct Axis {
    from: Duration,
    to: Duration,
}

impl Axis {
    /// From the first request asked to the last mark, or to `now` while lanes are going.
    fn of(timeline: &Timeline, now: Option<Duration>) -> Self {
        let from = timeline.lanes.iter().map(Lane::requested_at).min();
        let from = from.unwrap_or_default();
        let to = timeline.end().max(now.unwrap_or_default()).max(from);
        Self { from, to }
    }

    fn length(self) -> Duration {
        self.to.saturating_sub(self.from)
    }

    /// Where `time` is on an axis from 0 to 1.
    fn place(self, time: Duration) -> f64 {
        let length = self.length();
        if length.is_zero() {
            return 0.0;
        }
        let time = time.clamp(self.from, self.to).saturating_sub(self.from);
        time.div_duration_f64(length)
    }

    /// When a lane's marks are drawn. While it is going, it is drawn to the end of the axis.
    fn marks(self, lane: &Lane) -> Marks {
        let asked = lane.requested_at();
        let end = lane.ended_at().unwrap_or(self.to).max(asked);
        let first_byte = lane.first_byte_at().map(|at| at.clamp(asked, end));
        Marks {
            asked,
            first_byte,
            end,
        }
    }
}

/// The times of a lane's marks, in order: nothing comes before the request was asked or after it
/// ended.
#[derive(Debug, Clone, Copy)]
struct Marks {
    asked: Duration,
    first_byte: Option<Duration>,
    end: Duration,
}

impl Marks {
    /// When a chunk is drawn that was recorded at `at`.
    fn chunk(self, at: Duration) -> Duration {
        at.clamp(self.first_byte.unwrap_or(self.asked), self.end)
    }
}

/// How a lane ended: how long it took, how it failed, or that it is going.
fn outcome(lane: &Lane) -> String {
    let Some(ended) = lane.ended_at() else {
        return "going".to_owned();
    };
    let took = HumanDuration(ended.saturating_sub(lane.requested_at()));
    match (lane.failure(), lane.status()) {
        (Some(failure), _) => format!("{took}, {failure}"),
        (None, Some(status @ 400..)) => format!("{took}, status {status}"),
        (None, _) => took.to_string(),
    }
}
