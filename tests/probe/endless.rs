//! Streams of events, which have no end, and web sockets, which cannot be probed.

use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use holdup_testkit::odd::{serve, write};
use holdup_testkit::pause;

use super::{expect, json, probe};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";

/// An event every 50 ms, until the client leaves.
fn events(stream: &TcpStream) {
    let event = "data: tick\n\n";
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    while write(stream, &chunk) {
        pause(Duration::from_millis(50));
    }
}

#[test]
fn a_stream_without_an_end_is_reported_with_advice() {
    let address = serve(|stream, _| {
        write(&stream, HEAD);
        events(&stream);
    });
    let output = probe(&[&address.to_string(), "--timeout=1s"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout)
        .replace("\n  ", " ")
        .replace('\n', " ");
    assert!(
        text.contains("Inconclusive: the response is a stream without an end: "),
        "{text}"
    );
    assert!(
        text.contains("--first N") && text.contains("--for 3s"),
        "{text}"
    );
    assert!(!text.contains("timed out"), "{text}");
}

#[test]
fn the_beginning_of_streams_is_measured() {
    let side_by_side = serve(|stream, _| {
        write(&stream, HEAD);
        events(&stream);
    });
    // The head is sent early; the events wait until the previous client has left.
    let turn = Mutex::new(());
    let one_at_a_time = serve(move |stream, _| {
        write(&stream, HEAD);
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        events(&stream);
    });
    for (address, verdict, at_a_time) in [
        (side_by_side, "concurrent", 4),
        (one_at_a_time, "serialized", 1),
    ] {
        for end in ["--first=6", "--for=300ms"] {
            let document = expect(&address.to_string(), &[end], verdict, Some(at_a_time));
            assert_eq!(document["delivery"], "streamed", "{document:#}");
            let lanes = document["phases"][1]["lanes"].as_array().expect("lanes");
            for lane in lanes {
                let chunks = lane["chunks_ms"].as_array().expect("chunks").len();
                assert!(chunks == 6 || end != "--first=6", "{lane:#}");
                assert_eq!(lane["error"], serde_json::Value::Null, "{lane:#}");
            }
        }
    }
}

#[test]
fn a_stream_that_is_cut_short_before_its_second_chunk_is_not_said_to_be_held_back() {
    let address = serve(|stream, _| {
        write(&stream, HEAD);
        while write(&stream, "5\r\ntick\n\r\n") {
            pause(Duration::from_secs(1));
        }
    });
    for end in ["--for=300ms", "--first=1"] {
        let output = probe(&[&address.to_string(), end, "-n2", "--expect=streamed"]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).replace('\n', " ");
        let told = "The response was read only as far as was asked for, which is too little";
        assert!(text.contains(told), "{text}");
        assert!(!text.contains("held back"), "{text}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("its beginning (--for, --first)"), "{error}");
    }
}

#[test]
fn an_end_that_comes_first_is_the_end() {
    let address = serve(|stream, _| {
        pause(Duration::from_millis(200));
        write(
            &stream,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndone\n",
        );
    });
    let arguments = [
        &address.to_string(),
        "--first=100",
        "--for=1h",
        "--timeout=2h",
    ];
    let document = json(&[&arguments[..], &["-n2"]].concat());
    let lanes = document["phases"][0]["lanes"].as_array().expect("lanes");
    assert_eq!(lanes[0]["bytes"], 5, "{document:#}");
}

#[test]
fn an_invalid_end_is_wrong_usage() {
    for (arguments, told) in [
        (&["localhost", "--first=0"][..], "1 or more"),
        (&["localhost", "--for=0s"], "at least 1ms"),
        (
            &["localhost", "--for=3s", "--timeout=2s"],
            "--for is 3.00 s",
        ),
    ] {
        let output = probe(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
    }
}

#[test]
fn a_websockets_route_cannot_be_probed() {
    for answer in [
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 400 No WebSocket Upgrade header found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 33\r\n\r\nCan \"Upgrade\" only to \"WebSocket\"",
    ] {
        let address = serve(move |stream, _| {
            write(&stream, answer);
        });
        let output = probe(&[&address.to_string()]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).replace('\n', " ");
        let told = "Inconclusive: this is a WebSocket's route, and a WebSocket cannot be probed.";
        assert!(text.contains(told), "{answer}: {text}");
        assert!(text.contains("Probe a plain route"), "{text}");
    }
}
