//! The headers by which a client learns who answered it.

use std::collections::BTreeSet;
use std::process::Command;

use holdup_testkit::client::{Reply, get, send};

use crate::server::Server;

/// The replica and the worker that an answer names.
fn named(reply: &Reply) -> (String, String) {
    let header = |name| reply.headers.get(name).cloned().unwrap_or_default();
    (header("x-holdup-replica"), header("x-holdup-worker"))
}

#[test]
fn every_answer_names_its_replica_and_its_worker() {
    let server = Server::start(&["--workers=2", "--replica=lab-1"]);
    let mut workers = BTreeSet::new();
    for (path, status) in [
        ("/", 200),
        ("/healthz", 200),
        ("/coroutine?from=1&period=10ms", 200),
        ("/blocking?from=1&period=10ms&deliver=whole", 200),
        ("/coroutine?from=-1", 400),
        ("/missing", 404),
    ] {
        let reply = get(server.address, path);
        assert_eq!(reply.status, status, "{path}");
        let (replica, worker) = named(&reply);
        assert_eq!(replica, "lab-1", "{path}");
        workers.insert(worker);
    }
    let reply = send(
        server.address,
        b"DELETE /healthz HTTP/1.1\r\nHost: lab\r\n\r\n",
    )
    .expect("an answer");
    assert_eq!((reply.status, named(&reply).0.as_str()), (405, "lab-1"));
    let both = ["0", "1"].map(str::to_owned);
    assert_eq!(workers, BTreeSet::from(both), "connections come in turn");
}

#[test]
fn the_worker_is_the_one_that_the_ticks_name() {
    let server = Server::start(&["--workers=3"]);
    for _ in 0..6 {
        let mut reply = get(server.address, "/coroutine?from=1&period=10ms");
        let worker = named(&reply).1;
        let tick = reply.tick().expect("a tick");
        assert_eq!(tick.json["worker"].to_string(), worker);
    }
}

#[test]
fn a_lab_without_a_name_is_called_by_its_host_and_port() {
    let server = Server::start(&[]);
    let (replica, _) = named(&get(server.address, "/healthz"));
    let port = format!(":{}", server.address.port());
    assert!(
        replica.ends_with(&port) && replica.len() > port.len(),
        "{replica}"
    );

    let mut command = Command::new(env!("CARGO_BIN_EXE_holdup"));
    command.arg("serve").env("HOLDUP_REPLICA", "b");
    let server = Server::start_as(command);
    assert_eq!(named(&get(server.address, "/healthz")).0, "b");
}

#[test]
fn a_name_that_no_header_can_carry_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_holdup"))
        .args(["serve", "--replica", "lab 1"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = String::from_utf8_lossy(&output.stderr);
    for part in ["--replica", "\"lab 1\"", "without spaces"] {
        assert!(error.contains(part), "{error}");
    }
}
