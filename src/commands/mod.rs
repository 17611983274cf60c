//! One module a subcommand: what it prints, and the exit code it ends with.

pub(crate) mod serve;
