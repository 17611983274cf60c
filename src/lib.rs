//! Why aren't my requests running in parallel, and what is holding them up?
//!
//! This is the lab behind `holdup serve`. Four handlers stream the same countdown and differ only in how
//! they wait. Two terminals are enough to find out which of them blocks all other requests.
//!
//! Read it in this order:
//!
//! | module | what it is for |
//! |---|---|
//! | [`handlers`] | the lesson: a blocking handler and its three cures, side by side |
//! | [`countdown`] | what the four handlers share: the query, the schedule of ticks, the formats |
//! | [`routes`] | each path, and what answers it |
//! | [`serve`] | the server: bind, run, stop |
//! | [`streams`] | counts, bounds and logs the streams that are open |
//! | [`limits`] | how many streams and connections the limit on open files allows |
//! | [`problem`] | errors that a client can read |
//! | [`replica`] | the name of one of several labs, which every answer has |
//! | [`lesson`] | the lines in which each handler differs, from its source |
//! | [`experiment`] | what the lab adds to its console: its buttons, and "Is it the browser?" |
//!
//! The command line is in the program's own modules: `main`, `cli`, `commands` and `logs`. The crates in
//! `crates/` do the rest: `holdup-watch` watches the workers, `holdup-console` serves the live page,
//! `holdup-probe` probes other servers, and `holdup-timer` times the ticks.

#![forbid(unsafe_code)]
#![deny(clippy::print_stderr, clippy::print_stdout)]

pub mod countdown;
pub mod experiment;
pub mod handlers;
pub mod lesson;
pub mod limits;
pub mod problem;
pub mod replica;
pub mod routes;
pub mod serve;
pub mod streams;
