//! Long runs with every fault in turn. `./scripts/soak MINUTES` runs them; the ordinary tests do
//! not.

mod client;
mod faults;
mod gauges;
#[expect(dead_code, reason = "the other tests need more of it")]
#[path = "../support/server.rs"]
mod server;
mod soak;
