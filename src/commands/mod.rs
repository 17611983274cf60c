//! One module a subcommand: what it prints, and the exit code it ends with.

mod metrics;
pub(crate) mod probe;
pub(crate) mod serve;
