//! Why aren't my requests running in parallel, and what is holding them up?
//!
//! `holdup` is a library for [actix-web](actix_web) apps and their tests, and a program.
//!
//! | module | what it is for |
//! |---|---|
//! | [`watch`] | middleware: which route holds which worker, for how long, right now |
//! | [`testing`] | a test that fails when a handler holds up the others |
//! | [`timeline`] | what was observed: lanes of requests, all on one clock |
//! | [`verdict`] | how many at a time, with the evidence, or why that cannot be told |
//! | [`draw`] | lanes as text for a terminal or a log, and as SVG |
//! | `probe` | the client side: requests at once to any URL, and the verdict on it (feature `probe`) |
//! | `console` | a live page for a watched app: `Watch::console` (feature `console`) |
//!
//! The rest is the program's, behind the feature `cli`, which is on by default; an app that only
//! wants the library turns it off. `holdup serve` is **the lab**: four handlers stream the same
//! countdown and differ only in how they wait, so two terminals show which of them hold everybody
//! else up. `holdup probe URL` measures any server.
//!
//! | module | what it is for |
//! |---|---|
//! | `handlers` | the lesson: a blocking handler and its three cures, side by side |
//! | `lesson` | the line in which each handler differs, from its source |
//! | `countdown` | what they share: the query, the ticks on schedule, the formats |
//! | `streams` | the streams in flight: counted, bounded, logged |
//! | `limits` | how many streams, connections and requests the open files allow |
//! | `problem` | errors as clients see them (RFC 9457) |
//! | `routes` | the lab as an actix app: every path and what answers it |
//! | `serve` | puts the lab together: bind, run, stop |

#![cfg_attr(not(feature = "lines"), forbid(unsafe_code))]
// One module has some: the one that takes stacks.
#![cfg_attr(feature = "lines", deny(unsafe_code))]

pub mod draw;
pub mod testing;
pub mod timeline;
pub mod verdict;
pub mod watch;

#[cfg(feature = "console")]
pub mod console;
#[cfg(feature = "cli")]
pub mod countdown;
#[cfg(feature = "cli")]
pub mod handlers;
#[cfg(feature = "console")]
mod host;
#[cfg(feature = "cli")]
pub mod lesson;
#[cfg(feature = "cli")]
pub mod limits;
#[cfg(feature = "probe")]
pub mod probe;
#[cfg(feature = "console")]
pub mod problem;
#[cfg(feature = "cli")]
pub mod routes;
#[cfg(feature = "cli")]
pub mod serve;
#[cfg(feature = "cli")]
pub mod streams;

pub use crate::watch::Watch;
