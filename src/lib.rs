//! Why aren't my requests running in parallel, and what is holding them up?
//!
//! This is the service behind `holdup serve`. Four handlers stream the same countdown and differ only in
//! how they wait. With two terminals you see which of them block everybody else.
//!
//! Read it in this order:
//!
//! | module | what it is for |
//! |---|---|
//! | [`handlers`] | the lesson: a blocking handler and its three cures, side by side |
//! | [`countdown`] | what the four share: the query, the ticks on schedule, the formats |
//! | [`routes`] | every path, and what answers it |
//! | [`serve`] | the server: bind, run, stop |
//! | [`streams`] | the streams in flight: counted, bounded, logged |
//! | [`limits`] | how many streams and connections the limit on open files allows |
//! | [`problem`] | errors as clients see them |
//! | [`lesson`] | the lines in which each handler differs, from its source |
//! | [`experiment`] | what the lab adds to its console: its buttons, and "Is it the browser?" |
//!
//! The command line is the program's own: `main`, `cli`, `commands` and `logs`. What watches the workers,
//! shows the page and probes other servers are crates of their own, in `crates/`: `holdup-watch`,
//! `holdup-console` and `holdup-probe`.

#![forbid(unsafe_code)]

pub mod countdown;
pub mod experiment;
pub mod handlers;
pub mod lesson;
pub mod limits;
pub mod problem;
pub mod routes;
pub mod serve;
pub mod streams;
