//! The lab and its console in real browsers.

mod experiment;
mod page;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/recorded.rs"]
mod recorded;
mod replay;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/server.rs"]
mod server;
mod tab;
