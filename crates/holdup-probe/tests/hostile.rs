//! The prober against servers that send arbitrary bytes.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use holdup_probe::{Request, Settings, Target, probe};
use holdup_testkit::odd::serve;
use holdup_verdict::Kind;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

#[test]
fn the_probe_ends_in_time_whatever_the_server_sends() {
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut runner = TestRunner::new(ProptestConfig::with_cases(500));
    let outcome = runner.run(&pieces(), |bytes| {
        *answer.lock().expect("nobody panics with it") = bytes;
        let begun = Instant::now();
        let report = runtime.block_on(probe(
            &target,
            &Request::default(),
            settings.clone(),
            &mut |_| (),
        ));
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
