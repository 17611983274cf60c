//! Why aren't my requests running in parallel, and what is holding them up?
//!
//! `holdup` is a program and a library. The program's [`serve`] is **the lab**: four handlers
//! stream the same countdown and differ only in how they wait, so two terminals show which of
//! them hold everybody else up.
//!
//! | module | what it is |
//! |---|---|
//! | [`handlers`] | the lesson: a blocking handler and its three cures, side by side |
//! | [`countdown`] | what they share: the query, the ticks on schedule, the formats |
//! | [`streams`] | the streams in flight: counted, bounded, logged |
//! | [`limits`] | how many streams and connections the open files allow |
//! | [`problem`] | errors as clients see them (RFC 9457) |
//! | [`routes`] | the lab as an actix app: every path and what answers it |
//! | [`serve`] | puts the lab together: bind, run, stop |
//! | [`testing`] | a test that fails when a handler holds up the others |
//! | [`timeline`] | what was observed: lanes of requests, all on one clock |
//! | [`verdict`] | how many at a time, with the evidence, or why that cannot be told |
//! | [`draw`] | lanes as text for a terminal or a log, and as SVG |

#![forbid(unsafe_code)]

#[cfg(feature = "cli")]
pub mod countdown;
pub mod draw;
#[cfg(feature = "cli")]
pub mod handlers;
#[cfg(feature = "cli")]
pub mod limits;
#[cfg(feature = "cli")]
pub mod problem;
#[cfg(feature = "cli")]
pub mod routes;
#[cfg(feature = "cli")]
pub mod serve;
#[cfg(feature = "cli")]
pub mod streams;
pub mod testing;
pub mod timeline;
pub mod verdict;
