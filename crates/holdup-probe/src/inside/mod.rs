//! What the app itself saw while it was probed, as its console reports it: what held its workers, and where.
//!
//! [`Inside::connect`] reads the console's events from before the first request until [`Watching::finish`].
//! [`ConsoleReader`] asks a console which requests are open, without a probe.

mod client;
mod culprit;
mod error;
mod fit;
mod found;
mod holds;
mod looking;
mod messages;
mod open;
mod queue;
mod reader;
mod sse;
mod text;
mod waits;
mod watching;

pub use culprit::{Asked, Culprit};
pub use error::BadConsole;
pub use found::{Inside, InsideHold, InsideWait};
pub use open::{OpenRequests, OpenWait, OpenWaits};
pub use queue::Queue;
pub use reader::ConsoleReader;
pub use watching::Watching;
