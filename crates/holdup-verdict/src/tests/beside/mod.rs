//! Bystanders: made-up rounds, and simulated servers.

mod rules;
mod server;
mod simulated;
