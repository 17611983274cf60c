//! Why aren't my requests running in parallel, and what is holding them up?
//!
//! This is the lab, the service behind `holdup serve`: four handlers stream the same countdown and
//! differ only in how they wait, so two terminals show which of them hold everybody else up.
//!
//! | module | what it is for |
//! |---|---|
//! | [`handlers`] | the lesson: a blocking handler and its three cures, side by side |
//! | [`lesson`] | the line in which each handler differs, from its source |
//! | [`countdown`] | what they share: the query, the ticks on schedule, the formats |
//! | [`streams`] | the streams in flight: counted, bounded, logged |
//! | [`problem`] | errors as clients see them |
//! | [`limits`] | how many streams, connections and requests the open files allow |
//! | [`routes`] | the lab as an actix app: every path and what answers it |
//! | [`experiment`] | what the lab adds to its console: its buttons, and "Is it the browser?" |
//! | [`serve`] | puts the lab together: bind, run, stop |

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
