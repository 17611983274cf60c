//! What a watch has seen, in bounded files.
//!
//! A record is a folder with files of JSON lines, the *segments*. The first line of each is its [`Header`]; every
//! other line is an [`Entry`]. When all of them together reach the bound, the oldest segment is deleted.
//!
//! - [`Selection`] decides which of a watch's events are worth a line: every hold, the requests that caused it, those
//!   that it held up, and slow ones. Healthy requests are only counted.
//! - [`Folder`] writes the lines, and keeps to the bound.
//! - [`read()`] reads a segment, or the latest run in a folder. What is damaged is left out and counted.
//! - [`Summary`] tells in words what a record has.
//!
//! `schema/record.schema.json` in the repository describes each line.

#![forbid(unsafe_code)]

mod entry;
mod error;
#[cfg(test)]
mod fixture;
mod folder;
mod name;
mod options;
mod read;
mod record;
mod selection;
mod stamp;
mod summary;
mod survey;

pub use self::entry::{Entry, Header, Load, Missing, Survey, VERSION, Victims};
pub use self::error::{FolderError, ReadError};
pub use self::folder::Folder;
pub use self::options::{BYTES, LEAST_BYTES, Options};
pub use self::read::{Segment, Unreadable, segment};
pub use self::record::{Gaps, Record, Span, read};
pub use self::selection::{Counts, Selection};
pub use self::stamp::Stamp;
pub use self::summary::Summary;
