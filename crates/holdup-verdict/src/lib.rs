//! [`judge`](judge()) decides how many requests ran at a time, from when each of them ended.
//!
//! Requests that overlap prove nothing: to a client, requests that wait in line overlap too. Early response
//! heads prove nothing either, because the bodies may still come one after the other. Two measurements
//! together decide:
//!
//! - **k** is `n` times the time that one request takes alone, divided by the time that `n` requests took
//!   at once. It is `n` if they ran at the same time, and 1 if they ran one at a time.
//! - The **staircase** is how many requests finished in each step of one solo time. A server that runs three
//!   at a time finishes three requests after one solo time, three more after two, and so on.
//!
//! k alone can be too low, because the last step need not be full: four requests, three at a time, finish in
//! two steps, three and one, so k is only 2.
//!
//! If the numbers do not decide, the verdict is [`Kind::Inconclusive`], with the reason and what to do about
//! it, because a wrong verdict is worse than none.
//!
//! [`judge_spread`] is about another question: over how many workers connections fall, and how evenly.
//!
//! [`cause`](cause()) names what the requests wait for. It reads that from contrasts, in which one thing is
//! different, such as another route that is asked meanwhile ([`judge_beside`]). [`experiment`] plans all rounds.
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
mod began;
mod beside;
mod cause;
mod client;
mod confirm;
mod connection;
mod contrast;
mod delivery;
pub mod experiment;
mod groups;
mod identical;
mod json;
mod judge;
mod left_behind;
mod limit;
mod measures;
mod one_answer;
mod outcome;
mod platform;
mod reason;
mod session;
mod spread;
mod staircase;
mod verdict;
mod versus;
mod wording;

#[cfg(test)]
mod tests;

pub use began::{Began, began};
pub use beside::{
    Beside, BesideFinding, BesideKind, BesideReason, BesideRound, Pieces, Sample, judge_beside,
    judge_beside_round, next_beside, pace,
};
pub use cause::{AskNext, Cause, CauseKind, Culprit, Names, cause, cause_advice};
pub use connection::Connection;
pub use delivery::{Delivery, delivery};
pub use experiment::Experiment;
pub use identical::{AskedAgain, Identical, IdenticalKind, Judged, identical};
pub use judge::judge;
pub use left_behind::{LeftBehind, Rested, judge_left_behind};
pub use limit::{Beyond, Limit, fewest_to_confirm};
pub use one_answer::one_answer;
pub use platform::Platform;
pub use reason::Reason;
pub use session::Session;
pub use spread::{
    Chance, Fresh, Frozen, FrozenRound, Heard, Kept, KeptAnswers, KeptConnection, KeptKind,
    LEAST_EACH, Method, Share, Spread, SpreadKind, SpreadReason, Tally, WorkerId, Workers,
    judge_frozen, judge_spread,
};
pub use staircase::fewest_to_show;
pub use verdict::{Kind, Verdict};
pub use versus::{Versus, VersusNames};
