//! A client of a console: reads its events and sends orders.

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::Value;

use crate::PATIENCE;
use crate::client::{Reply, get, send};
use crate::schema::{check_event, check_requests, check_state};

/// A reader of `/events`. It fails on a message that does not follow the schema.
pub struct Events(pub Reply, Vec<String>);

impl From<Reply> for Events {
    /// Reads the events from a response to `/events` whose head was read.
    fn from(reply: Reply) -> Self {
        Self(reply, Vec::new())
    }
}

impl Events {
    pub fn read(console: SocketAddr) -> Self {
        let reply = get(console, "/events");
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers["content-type"], "text/event-stream");
        Self(reply, Vec::new())
    }

    /// Reads until a message satisfies the condition, and returns that message.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        for message in self.by_ref() {
            if wanted(&message) {
                return message;
            }
            assert!(Instant::now() < deadline, "no message: {what}");
        }
        panic!("the events ended before: {what}");
    }
}

impl Iterator for Events {
    type Item = Value;

    /// The next message, or `None` when the server ends the stream.
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
}

pub fn is(message: &Value, event: &str) -> bool {
    message["event"] == event
}

pub fn milliseconds(message: &Value, name: &str) -> f64 {
    message[name]
        .as_f64()
        .unwrap_or_else(|| panic!("{name}: {message}"))
}

pub fn state(console: SocketAddr) -> Value {
    let state = serde_json::from_str(&get(console, "/state").rest()).expect("JSON");
    check_state(&state);
    state
}

/// What `/requests` or `/waits` answers.
pub fn surveyed(console: SocketAddr, path: &str) -> Value {
    let reply = get(console, path);
    assert_eq!(reply.status, 200, "{path}");
    let document = serde_json::from_str(&reply.rest()).expect("JSON");
    check_requests(&document);
    document
}

/// Sends an order for a probe with these headers.
pub fn order(console: SocketAddr, headers: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let request = format!(
        "POST /probe HTTP/1.1\r\nHost: {console}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    let reply = send(console, request.as_bytes()).expect("an answer");
    let (status, text) = (reply.status, reply.rest());
    (status, serde_json::from_str(&text).unwrap_or_default())
}

pub const JSON: &str = "Content-Type: application/json\r\n";

/// Sends these lines as a request. Returns the answer's status and the detail of its problem.
pub fn asked(console: SocketAddr, lines: &str) -> (u16, String) {
    let request = format!("{lines}\r\n\r\n");
    let reply = send(console, request.as_bytes()).expect("an answer");
    let status = reply.status;
    if status < 400 {
        return (status, String::new());
    }
    // Errors of actix itself have no body.
    if reply.headers["content-length"] == "0" {
        return (status, "no problem".to_owned());
    }
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    let problem: Value = serde_json::from_str(&reply.rest()).expect("JSON");
    assert_eq!(problem["status"], status);
    (
        status,
        problem["detail"].as_str().expect("a detail").to_owned(),
    )
}
