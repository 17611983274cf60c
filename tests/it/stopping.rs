//! SIGTERM and SIGINT: open streams finish, within the grace.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use holdup_testkit::client::get;
use rustix::process::Signal;

use crate::server::Server;

#[test]
fn sigterm_and_sigint_let_a_stream_finish_properly_and_exit_0() {
    for signal in [Signal::TERM, Signal::INT] {
        for handler in ["coroutine", "callback", "threadpool", "blocking"] {
            let mut server = Server::start(&[]);
            let mut reply = get(server.address, &format!("/{handler}?from=5&period=100ms"));
            reply.tick().expect("a first tick");
            server.signal(signal);
            // Reads to the proper end of the chunked body, or fails.
            let last = reply.ticks().pop().expect("more ticks");
            assert_eq!(last.remaining(), 0);
            assert_eq!(server.stream_ended(1)["ended"], "finished");
            assert_eq!(server.ended().code(), Some(0), "{signal:?} {handler}");
            assert!(TcpStream::connect(server.address).is_err());
        }
    }
}

#[test]
fn what_is_not_finished_within_the_grace_is_cut_off_and_the_exit_code_is_0() {
    let mut server = Server::start(&["--grace", "200ms"]);
    let mut reply = get(server.address, "/coroutine?from=600&period=100ms");
    reply.tick().expect("a first tick");
    server.signal(Signal::TERM);
    while let Ok(Some(_)) = reply.chunk() {}
    assert_eq!(server.stream_ended(1)["ended"], "shutdown");
    assert_eq!(server.ended().code(), Some(0));
}

/// How long it takes until streams are cut off without a grace.
fn cut_off_without_a_grace() -> Duration {
    let mut server = Server::start(&["--grace", "0s", "--workers", "2"]);
    let mut replies = ["coroutine", "threadpool"].map(|handler| {
        let mut reply = get(server.address, &format!("/{handler}?from=600&period=100ms"));
        reply.tick().expect("a first tick");
        reply
    });
    let stopped = Instant::now();
    server.signal(Signal::TERM);
    for reply in &mut replies {
        while let Ok(Some(_)) = reply.chunk() {}
    }
    let took = stopped.elapsed();
    for number in 1..=2 {
        assert_eq!(server.stream_ended(number)["ended"], "shutdown");
    }
    assert_eq!(server.ended().code(), Some(0));
    let line = server.logged("the stop", |line| line["grace"] == "0s");
    assert_eq!(line["open"], 2);
    took
}

#[test]
fn without_a_grace_streams_are_cut_off_at_once() {
    // A worker that stops gracefully checks its streams only after a second. A busy machine may be as slow, but not
    // each time.
    let is_quick = |_| cut_off_without_a_grace() < Duration::from_millis(900);
    assert!((0..10).any(is_quick));
}

#[test]
fn a_frozen_worker_does_not_keep_the_process_beyond_the_grace() {
    for grace in ["200ms", "0s"] {
        let mut server = Server::start(&["--grace", grace, "--max-duration", "1h"]);
        let mut reply = get(server.address, "/blocking?from=600&period=1s");
        reply.tick().expect("a first tick");
        server.signal(Signal::TERM);
        assert_eq!(server.ended().code(), Some(0), "{grace}");
    }
}

#[test]
fn a_second_sigint_ends_the_process_at_once() {
    let mut server = Server::start(&["--grace", "10m"]);
    let mut reply = get(server.address, "/coroutine?from=600&period=100ms");
    reply.tick().expect("a first tick");
    server.signal(Signal::INT);
    server.logged("the stop", |line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("stopping"))
    });
    server.signal(Signal::INT);
    assert_eq!(server.ended().code(), Some(130));
}
