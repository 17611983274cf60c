//! The consumers of what the collector finds: log, metrics, callbacks, symbols and the record, each on its own thread.

pub(crate) mod callbacks;
mod limit;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod recorder;
mod spans;
mod survey;
pub(crate) mod symbols;
