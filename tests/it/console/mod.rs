//! The lab's console, tested through its HTTP interface.

mod door;
mod events;
mod figures;
mod refused;
mod schema;

use std::net::SocketAddr;
use std::time::Instant;

use holdup_testkit::PATIENCE;
use holdup_testkit::client::{get, send};
use holdup_testkit::console::{Events, JSON, is, milliseconds, order, state};
use serde_json::Value;
