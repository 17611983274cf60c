//! Malformed requests, each beside a countdown that must not be disturbed.

use std::io::Write;
use std::thread;

use holdup_testkit::client::{Reply, Tick, connect, get, send};
use serde_json::Value;

use crate::server::Server;

fn request(line: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: lab\r\n\r\n").into_bytes()
}

fn header(header: &str) -> Vec<u8> {
    format!("GET /coroutine HTTP/1.1\r\nHost: lab\r\n{header}\r\n\r\n").into_bytes()
}

fn cases() -> Vec<(&'static str, Vec<u8>, u16)> {
    let long_path = format!("GET /{}", "a".repeat(60_000));
    let over_long = format!("X-Long: {}", "a".repeat(132_000));
    let many = (0..200)
        .map(|n| format!("X-{n}: 1"))
        .collect::<Vec<_>>()
        .join("\r\n");
    let bad_parameters = [
        "from=0",
        "from=-1",
        "from=601",
        "from=abc",
        "from=",
        "from=1e3",
        "from=5&from=5",
        "from=٣",
        "period=0s",
        "period=2h",
        "period=1",
        "period=-1s",
        "period=%00",
        "deliver=",
        "deliver=STREAM",
        "format=html",
        "from=600&period=1s",
        "from=%ff",
        "x=%ff",
        "x=a%FF%FEb",
        "x=%c3",
        "x=%ed%a0%80",
        "period=%ff",
        "deliver=%ff",
        "format=%ff",
    ];
    let mut cases: Vec<(&'static str, Vec<u8>, u16)> = bad_parameters
        .into_iter()
        .map(|query| (query, request(&format!("GET /coroutine?{query}")), 400))
        .collect();
    let label = format!("GET /coroutine?x={}", "%41".repeat(65));
    cases.extend([
        ("a label too long", request(&label), 400),
        (
            "a label of NULs too long",
            request(&format!("GET /coroutine?x={}", "%00".repeat(65))),
            400,
        ),
        ("an unknown path", request("GET /nope"), 404),
        (
            "a path above the root",
            request("GET /../../etc/passwd"),
            404,
        ),
        ("a very long path", request(&long_path), 404),
        ("POST", request("POST /coroutine"), 405),
        ("DELETE", request("DELETE /"), 405),
        ("an invented method", request("BREW /coroutine"), 405),
        ("TRACE", request("TRACE /healthz"), 405),
        ("an unavailable type", header("Accept: image/png"), 406),
        ("an invalid Accept", header("Accept: ;;;,,,"), 406),
        ("nothing acceptable", header("Accept: */*;q=0"), 406),
        ("no HTTP at all", b"hello there\r\n\r\n".to_vec(), 400),
        (
            "binary",
            vec![
                0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x0d, 0x0a, 0x0d, 0x0a,
            ],
            400,
        ),
        ("another version", b"GET / HTTP/9.9\r\n\r\n".to_vec(), 400),
        ("a header without a name", header(": value"), 400),
        ("a NUL in a header", header("X-Nul: a\0b"), 400),
        ("an invalid length", header("Content-Length: many"), 400),
        (
            "two lengths",
            header("Content-Length: 1\r\nContent-Length: 2"),
            400,
        ),
        (
            "a length and chunks",
            header("Content-Length: 5\r\nTransfer-Encoding: chunked"),
            400,
        ),
        (
            "a coding twice",
            header("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
            400,
        ),
        ("an over-long header", header(&over_long), 431),
        ("too many headers", header(&many), 431),
    ]);
    cases
}

#[test]
fn each_malformed_request_gets_its_answer_and_a_countdown_beside_them_is_undisturbed() {
    let server = Server::start(&[]);
    let address = server.address;
    let mut countdown = get(address, "/coroutine?from=50&period=100ms&x=beside");
    countdown.tick().expect("a first tick");
    let beside = thread::spawn(move || countdown.ticks());

    let cases = cases();
    assert!(cases.len() >= 40, "{}", cases.len());
    for (what, bytes, expected) in cases {
        let reply = send(address, &bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(reply.status, expected, "{what}");
    }

    let ticks = beside.join().expect("the countdown is read to its end");
    let remaining: Vec<_> = ticks.iter().map(Tick::remaining).collect();
    assert_eq!(remaining, (0..50).rev().collect::<Vec<_>>());
    assert_eq!(server.stream_ended(1)["ended"], "finished");
}

#[test]
fn a_label_that_is_not_utf_8_is_named() {
    let server = Server::start(&[]);
    let reply = get(server.address, "/coroutine?from=1&period=1ms&x=%FF%FE");
    assert_eq!(reply.status, 400);
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    let problem: Value = serde_json::from_str(&reply.body()).expect("JSON");
    assert_eq!(problem["parameter"], "x");
    assert_eq!(problem["value"], "%FF%FE");
    assert_eq!(problem["allowed"], "percent-encoded UTF-8");

    let mut reply = get(server.address, "/coroutine?from=1&period=1ms&x=100%&y=%FF");
    let tick = reply.tick().expect("a tick");
    assert_eq!(tick.json["x"], "100%", "as browsers read it");
}

#[test]
fn a_head_that_does_not_come_gets_408_and_one_in_two_halves_its_answer() {
    let server = Server::start(&["--max-duration", "1s"]);
    let mut slow = connect(server.address);
    let silent = connect(server.address);
    let mut halves = connect(server.address);
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHo")
        .expect("sent");
    halves.write_all(b"GET /healthz HT").expect("sent");
    let mut rest = halves.try_clone().expect("a handle");
    rest.write_all(b"TP/1.1\r\nHost: lab\r\n\r\n")
        .expect("sent");
    assert_eq!(Reply::read(halves).expect("an answer").status, 200);

    for connection in [slow, silent] {
        let reply = Reply::read(connection).expect("an answer");
        assert_eq!(reply.status, 408);
        assert!(reply.closes());
    }
}
