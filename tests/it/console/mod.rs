//! The console, as its readers meet it.

mod door;
mod events;
mod own_app;
mod page;
mod refused;
mod schema;
#[cfg(feature = "stacks")]
mod stack;

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::Value;

use crate::support::client::{Reply, get, send};
use crate::support::schema::{check_event, check_state};
use crate::support::server::PATIENCE;

/// A reader of `/events`. Each message has to follow the schema.
struct Events(Reply, Vec<String>);

impl Events {
    fn read(console: SocketAddr) -> Self {
        let reply = get(console, "/events");
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers["content-type"], "text/event-stream");
        Self(reply, Vec::new())
    }

    /// The next message; `None` when the server ends it.
    fn next(&mut self) -> Option<Value> {
        while self.1.is_empty() {
            let chunk = self.0.chunk().expect("a chunk or a proper end")?;
            let lines = chunk.lines().filter_map(|line| line.strip_prefix("data: "));
            self.1 = lines.rev().map(str::to_owned).collect();
        }
        let text = self.1.pop().expect("just filled");
        let message = serde_json::from_str(&text).expect("JSON");
        check_event(&message);
        Some(message)
    }

    /// Reads on until a message is as wanted, and returns it.
    fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        while let Some(message) = self.next() {
            if wanted(&message) {
                return message;
            }
            assert!(Instant::now() < deadline, "no message: {what}");
        }
        panic!("the events ended before: {what}");
    }
}

fn is(message: &Value, event: &str) -> bool {
    message["event"] == event
}

fn milliseconds(message: &Value, name: &str) -> f64 {
    message[name]
        .as_f64()
        .unwrap_or_else(|| panic!("{name}: {message}"))
}

fn state(console: SocketAddr) -> Value {
    let state = serde_json::from_str(&get(console, "/state").rest()).expect("JSON");
    check_state(&state);
    state
}

/// Sends an order for a probe with these headers.
fn order(console: SocketAddr, headers: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let request = format!(
        "POST /probe HTTP/1.1\r\nHost: {console}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    let reply = send(console, request.as_bytes()).expect("an answer");
    let (status, text) = (reply.status, reply.rest());
    (status, serde_json::from_str(&text).unwrap_or_default())
}

const JSON: &str = "Content-Type: application/json\r\n";
