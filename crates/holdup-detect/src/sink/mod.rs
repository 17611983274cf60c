//! What becomes of what the collector found, each on a thread of its own.

pub(crate) mod callbacks;
mod limit;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod symbols;
