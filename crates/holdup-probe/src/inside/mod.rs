//! What the app itself saw while it was probed, as its console reports it: what held its workers, and where.
//!
//! [`Inside::connect`] reads the console's events from before the first request until [`Watching::finish`].

mod client;
mod culprit;
mod error;
mod fit;
mod found;
mod holds;
mod messages;
mod sse;
mod text;
mod waits;
mod watching;

pub use culprit::{Asked, Culprit};
pub use error::BadConsole;
pub use found::{Inside, InsideHold, InsideWait};
pub use watching::Watching;
