//! The prober against servers that send arbitrary bytes.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use holdup_probe::{Request, Settings, Target, probe};
use holdup_testkit::odd::serve;
use holdup_verdict::Kind;
use holdup_verdict::experiment::Http2;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

#[test]
fn the_probe_ends_in_time_whatever_the_server_sends() {
    all_end_in_time(pieces(), Http2::Off);
}

#[test]
fn the_probe_ends_in_time_whatever_the_server_sends_over_http_2() {
    all_end_in_time(frames(), Http2::Wanted);
}

/// Probes a server that sends the same bytes on each connection, for many such bytes.
fn all_end_in_time(answers: impl Strategy<Value = Vec<u8>>, http2: Http2) {
    let answer = Arc::new(Mutex::new(Vec::new()));
    let sent = Arc::clone(&answer);
    let address = serve(move |mut stream, _| {
        let answer = sent.lock().expect("nobody panics with it").clone();
        // The client may have closed the connection already.
        stream.write_all(&answer).ok();
    });
    let target = Target::parse(&address.to_string()).expect("a URL");
    let mut settings = Settings::default();
    settings.requests = 2;
    settings.timeout = Some(Duration::from_millis(400));
    settings.http2 = http2;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut runner = TestRunner::new(ProptestConfig::with_cases(500));
    let outcome = runner.run(&answers, |bytes| {
        *answer.lock().expect("nobody panics with it") = bytes;
        let begun = Instant::now();
        let request = Request::default();
        let report = runtime.block_on(probe(&target, &request, settings.clone(), &mut |_| ()));
        // Seven requests at most one after the other, and a slow machine.
        prop_assert!(begun.elapsed() < Duration::from_secs(20));
        prop_assert_eq!(report.found.verdict.kind, Kind::Inconclusive);
        Ok(())
    });
    outcome.expect("each ends, and none is a verdict");
}

/// Parts of answers, valid and invalid, in any order.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"Content-Length: 5\r\n".to_vec()),
        Just(b"Content-Length: 99999999999999999999\r\n".to_vec()),
        Just(b"Location: //\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"ffffffffffffffff\r\n".to_vec()),
        Just(b"5\r\ndone\n\r\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
        Just(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Parts of answers over HTTP/2, valid and invalid, in any order.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).expect("a short frame");
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let piece = prop_oneof![
        Just(frame(4, 0, 0, &[])),
        // At most two streams at a time, and none at all.
        Just(frame(4, 0, 0, &[0, 3, 0, 0, 0, 2])),
        Just(frame(4, 0, 0, &[0, 3, 0, 0, 0, 0])),
        Just(frame(4, 1, 0, &[])),
        // Status 200, with and without more to come; another one in pieces.
        Just(frame(1, 4, 1, &[0x88])),
        Just(frame(1, 5, 1, &[0x88])),
        Just(frame(1, 0, 1, &[0x89])),
        Just(frame(9, 4, 1, &[])),
        Just(frame(0, 0, 1, b"do")),
        Just(frame(0, 1, 1, b"ne")),
        Just(frame(3, 0, 1, &[0, 0, 0, 7])),
        Just(frame(6, 0, 0, &[0; 8])),
        Just(frame(7, 0, 0, &[0; 8])),
        Just(frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 11, b'!'])),
        Just(frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff])),
        Just(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        (
            any::<[u8; 4]>(),
            proptest::collection::vec(any::<u8>(), 0..40)
        )
            .prop_map(move |([kind, flags, stream, _], payload)| frame(
                kind % 12,
                flags,
                stream,
                &payload
            )),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}
