//! A console for a user's own app, tested through its HTTP interface and in browsers.

// Its buttons.
#![cfg(feature = "probe")]

mod door;
mod figures;
mod options;
mod own_app;
mod page;
mod stack;
mod waits;
mod waits_page;
mod workers;

use std::net::SocketAddr;
use std::time::Instant;

use holdup_testkit::PATIENCE;
use holdup_testkit::client::get;
use holdup_testkit::console::{Events, JSON, is, order, state};
use serde_json::Value;
