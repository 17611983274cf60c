//! What one route's requests do to another route: a bystander, **B**, is asked while **A** runs.
//!
//! If an event loop or all workers are held by A, then nobody answers B until A's turn is over, although B
//! has nothing to do with A. If A waits for a lock, a pool or a limiter of its own, B is answered as it is
//! alone. From outside, this is the difference between the two.
//!
//! B is asked on a schedule that does not wait for its answers: a B that is asked only when it has answered
//! shows a frozen second as one late answer among many prompt ones. Each request has a fresh connection, and
//! some others go over connections that were kept open since before, because a kept connection belongs to
//! one worker.
//!
//! A request of B counts as *held* if it was unanswered until a turn of A was over: from early in that turn
//! until A's answer came. What makes B slow by chance, such as a pause of the machine, rarely begins and ends
//! with A. The longest time without an answer does not decide by itself: a client that has too many requests
//! unanswered sends no more, so that nothing may be answered by free workers either.

mod finding;
mod frozen;
mod next;
mod pace;
mod pieces;
mod round;
mod sample;
mod silence;
mod times;
mod turns;
mod usual;
mod view;
mod whole;
mod wording;

pub use finding::{BesideFinding, BesideKind, BesideReason};
pub use next::next_beside;
pub use pace::pace;
pub(crate) use pace::{KEPT, MOST_ASKED, MOST_UNANSWERED, RESERVED};
pub use pieces::Pieces;
pub use round::judge_beside_round;
pub use sample::{BesideRound, Sample};
pub use whole::{Beside, judge_beside};
