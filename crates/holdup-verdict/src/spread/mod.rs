//! Over how many workers connections fall, and how evenly: from who answered each of them
//! ([`judge_spread`]), or from how many waited for a request that held its worker ([`judge_frozen`](judge_frozen())).

mod advice;
mod chance;
mod compositions;
mod fresh;
mod frozen;
mod gamma;
mod interval;
mod judge;
mod judge_frozen;
mod kept;
mod multinomial;
mod reason;
mod share;
mod tally;
mod uneven;
mod whole;
mod wording;

pub use chance::{Chance, Method};
pub use fresh::Fresh;
pub use frozen::{Frozen, FrozenRound, Workers};
pub use judge::{Spread, SpreadKind, judge_spread};
pub use judge_frozen::judge_frozen;
pub use kept::{Kept, KeptAnswers, KeptConnection, KeptKind};
pub use reason::SpreadReason;
pub use share::Share;
pub use tally::{Heard, Tally, WorkerId};
pub use uneven::LEAST_EACH;
