//! The consumers of what the collector finds: log, metrics, callbacks and symbols, each on its own thread.

pub(crate) mod callbacks;
mod limit;
pub(crate) mod log;
pub(crate) mod metrics;
mod spans;
pub(crate) mod symbols;
