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
//! A [`Picture`] can have rows below the lanes, a [`Bystander`] each: another route that was asked again and
//! again meanwhile. Its row shows when it was answered, and when it waited.
//!
//! [`junit`](junit()) writes the results of tests for CI systems.
//!
//! A time that was recorded out of order, such as that of a chunk after the end, is drawn at the nearest time
//! that is in order.

#![forbid(unsafe_code)]

mod axis;
mod junit;
mod label;
mod picture;
mod style;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod wrap;
mod xml;

pub use junit::{TestCase, TestEnd, TestNote, TestSuite, junit};
pub use picture::{Bystander, Picture};
pub use style::Style;
pub use svg::{svg, svg_of_all};
pub use text::text;
