//! How many requests at a time: [`judge`] reads it from what was observed.
//!
//! That requests overlap proves nothing: seen from a client, those that wait in line overlap too.
//! Nor do early heads, since the bodies may still come one after the other. Two things together
//! tell: **k**, n times the time one request takes alone over the time n took at once, and the
//! **staircase** of the finish times. A server that takes three at a time finishes three requests
//! after one solo time, three more after two, and so on. k alone understates that: four requests,
//! three at a time, give k = 2; the steps say three, then one.
//!
//! What the numbers do not settle is [`Kind::Inconclusive`], with the reason and what to do about
//! it, because a wrong verdict is worse than none.
//!
//! ```
//! use std::time::Duration;
//! use holdup_model::{Lane, Timeline};
//! use holdup_verdict::{Kind, judge};
//!
//! let answered = |after: u64| {
//!     let mut lane = Lane::start("/report", Duration::ZERO);
//!     lane.record_head(Duration::from_millis(after), 200);
//!     lane.finish(Duration::from_millis(after));
//!     lane
//! };
//! let alone = [answered(1003), answered(1001)];
//! let at_once = Timeline::from(vec![
//!     answered(1004),
//!     answered(2006),
//!     answered(3011),
//!     answered(4015),
//! ]);
//!
//! let verdict = judge(&alone, &at_once);
//! assert_eq!(verdict.kind, Kind::Serialized);
//! assert_eq!(verdict.at_a_time, Some(1));
//! assert_eq!(
//!     verdict.sentence,
//!     "Serialized: the 4 requests ran one at a time, one finish every 1.00 s.",
//! );
//! ```

#![forbid(unsafe_code)]

mod advice;
mod client;
mod confirm;
mod delivery;
pub mod experiment;
mod groups;
mod identical;
mod json;
mod judge;
mod left_behind;
mod measures;
mod one_answer;
mod outcome;
mod platform;
mod reason;
mod staircase;
mod verdict;
mod wording;

#[cfg(test)]
mod tests;

pub use delivery::{Delivery, delivery};
pub use experiment::Experiment;
pub use identical::{AskedAgain, Identical, IdenticalKind, Judged, identical};
pub use judge::judge;
pub use left_behind::{LeftBehind, Rested, judge_left_behind};
pub use one_answer::one_answer;
pub use platform::Platform;
pub use reason::Reason;
pub use verdict::{Kind, Verdict};
