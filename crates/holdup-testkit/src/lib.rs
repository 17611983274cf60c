//! What the tests of holdup's crates share: apps, servers, browsers and clients. Each test starts
//! its own instances.

#![forbid(unsafe_code)]
#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::new_without_default,
    reason = "its users are tests, and a panic is how it fails"
)]

pub mod app;
mod base64;
pub mod browser;
pub mod client;
pub mod console;
mod driver;
pub mod external;
pub mod fifo;
pub mod harness;
pub mod odd;
pub mod paced;
pub mod prometheus;
pub mod schema;
pub mod workers;

use std::env;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// A time-out that nothing here reaches, even on the slowest machine. Reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "a test's own thread may wait")]
pub fn pause(duration: Duration) {
    thread::sleep(duration);
}

/// The build's folder, such as `target`. The program of a test is in `target/debug/deps`.
pub fn target() -> PathBuf {
    let program = env::current_exe().expect("it was started");
    let target = program.ancestors().nth(3);
    target.expect("cargo's folders").to_owned()
}
