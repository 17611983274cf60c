//! How many requests run at a time at most, found by sending more and more of them at once.
//!
//! [`search`] decides how many to send next. What one round shows is its [`reading`], and a number counts only
//! if two rounds of different size show the same one.

mod finding;
mod owner;
mod reading;
mod search;
mod wording;

pub use finding::{Beyond, Limit, fewest_to_confirm};
pub(super) use reading::at_least;
pub(super) use search::Search;
