//! Long runs with every fault in turn. `./scripts/soak MINUTES` runs them; they are no part of the
//! ordinary tests.

mod client;
mod faults;
mod gauges;
#[expect(dead_code, reason = "the other tests need more of it")]
#[path = "../support/server.rs"]
mod server;
mod soak;
