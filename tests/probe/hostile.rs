//! Servers that turn away, break off, cannot be reached, or never end.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use holdup_testkit::odd::{serve, write};
use holdup_testkit::pause;
use serde_json::Value;

use super::{expect, json, probe};

const DONE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndone\n";

/// Probes, and returns the reason why the verdict is inconclusive.
#[track_caller]
fn reason(arguments: &[&str]) -> String {
    let document = json(arguments);
    assert_eq!(document["verdict"], "inconclusive", "{document:#}");
    assert_eq!(document["identical"], Value::Null);
    document["reason"].as_str().expect("a reason").to_owned()
}

#[test]
fn a_server_that_turns_away_more_than_two_is_inconclusive() {
    let busy = AtomicUsize::new(0);
    let address = serve(move |stream, _| {
        if busy.fetch_add(1, Ordering::SeqCst) < 2 {
            pause(Duration::from_millis(300));
            write(&stream, DONE);
        } else {
            write(
                &stream,
                "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            );
        }
        busy.fetch_sub(1, Ordering::SeqCst);
    });
    let reason = reason(&[&address.to_string()]);
    assert_eq!(
        reason,
        "2 of 4 concurrent requests got status 503 (turned away, or queued for too long); the successful \
         ones ran 2 at a time"
    );
}

#[test]
fn a_server_that_closes_half_of_the_connections_is_inconclusive() {
    // The first three requests are the warm-up and the solo ones, one after the other.
    let address = serve(move |stream, number| {
        pause(Duration::from_millis(300));
        if number < 3 || number % 2 == 0 {
            write(&stream, DONE);
        }
    });
    let reason = reason(&[&address.to_string()]);
    assert_eq!(
        reason,
        "2 of 4 concurrent requests failed: closed without an answer"
    );
}

#[test]
fn a_close_is_told_apart_from_a_reset() {
    let closes = serve(|_, _| ());
    let half = serve(|stream, _| {
        write(&stream, "HTTP/1.1 200 OK\r\nContent-");
    });
    // What it has not read when it closes the connection makes the system reset it.
    let resets = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let reset = resets.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in resets.incoming().map_while(Result::ok) {
            stream.peek(&mut [0]).ok();
        }
    });
    for (address, why) in [
        (closes, "closed without an answer"),
        (half, "closed without an answer"),
        (reset, "connection reset"),
    ] {
        let reason = reason(&[&address.to_string()]);
        let told = format!("the single (baseline) request failed: {why}");
        assert_eq!(reason, told);
    }
    // The same in the handshake of TLS.
    let reason = reason(&[&format!("https://{closes}/"), "--http1"]);
    assert_eq!(
        reason,
        "the single (baseline) request failed: closed without an answer"
    );
}

#[test]
fn an_answer_that_is_cut_off_is_inconclusive() {
    let address = serve(|stream, _| {
        write(
            &stream,
            "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ndone\n",
        );
    });
    let reason = reason(&[&address.to_string()]);
    assert_eq!(
        reason,
        "the single (baseline) request failed: answer cut off"
    );
}

#[test]
fn a_refused_connection_is_inconclusive_and_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    drop(listener);
    let reason = reason(&[&address]);
    assert_eq!(
        reason,
        "the single (baseline) request failed: connection refused"
    );
}

#[test]
fn a_name_that_does_not_resolve_is_inconclusive_and_named() {
    // RFC 6761: this top-level domain has no names.
    let reason = reason(&["http://nobody.invalid/"]);
    assert!(
        reason.contains("the name nobody.invalid does not resolve"),
        "{reason}"
    );
}

#[test]
fn what_is_not_http_is_inconclusive() {
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        "HTTP/2.0 200 OK\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nLong: {}\r\n\r\n", "x".repeat(100_000)),
        format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(1000)),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnine\r\n".to_owned(),
    ] {
        let shown = answer[..40.min(answer.len() - 1)].to_owned();
        let address = serve(move |stream, _| {
            write(&stream, &answer);
            pause(Duration::from_millis(100));
        });
        let reason = reason(&[&address.to_string()]);
        assert!(
            reason.starts_with("the single (baseline) request failed: "),
            "{shown}: {reason}"
        );
    }
}

#[test]
fn http_2_is_advised_only_if_it_can_help() {
    let http2 = "If the server speaks nothing but HTTP/2, ";
    let look = "Make sure that a web server answers at this URL";
    for (answer, more, fault, advice) in [
        (
            "\0\0\0\x04\0\0\0\0\0".to_owned(),
            &[][..],
            "is not HTTP/1.1: invalid HTTP version parsed",
            &format!("{http2}add --http2."),
        ),
        (
            "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
            &["--http1"],
            "is not HTTP/1.1: invalid HTTP version parsed",
            &format!("{http2}give --http2 instead of --http1."),
        ),
        (
            "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
            &["--http2"],
            "is not HTTP/1.1: invalid HTTP version parsed",
            &look.to_owned(),
        ),
        (
            format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(1000)),
            &[],
            "cannot be read: its head has more than 256 headers or 64 KiB",
            &look.to_owned(),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(),
            &[],
            "cannot be read: invalid content-length parsed",
            &look.to_owned(),
        ),
        (
            "HTTP/1.1 1000 OK\r\n\r\n".to_owned(),
            &[],
            "cannot be read: invalid HTTP status-code parsed",
            &look.to_owned(),
        ),
    ] {
        let address = serve(move |stream, _| {
            write(&stream, &answer);
            pause(Duration::from_millis(100));
        });
        let document = json(&[&[address.to_string().as_str()], more].concat());
        let reason = document["reason"].as_str().expect("a reason");
        let told = format!("the single (baseline) request failed: the answer {fault}");
        assert_eq!(reason, told);
        let advised = document["advice"][0].as_str().expect("advice");
        assert!(advised.starts_with(advice.as_str()), "{fault}: {advised}");
    }
}

#[test]
fn a_head_or_a_body_without_an_end_takes_only_the_time_out() {
    for head in ["HTTP/1.1 200 OK\r\nEndless: ", "HTTP/1.1 200 OK\r\n\r\n"] {
        let slow = head.contains("Endless");
        let address = serve(move |stream, _| {
            let mut open = write(&stream, head);
            let piece = if slow {
                "x".to_owned()
            } else {
                "x".repeat(100_000)
            };
            while open {
                open = write(&stream, &piece);
                if slow {
                    pause(Duration::from_millis(20));
                }
            }
        });
        let start = Instant::now();
        let reason = reason(&[&address.to_string(), "--timeout=700ms"]);
        if slow {
            assert_eq!(reason, "the single (baseline) request failed: timed out");
        } else {
            let told = "the response is a stream without an end: ";
            assert!(reason.starts_with(told), "{reason}");
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{:?}",
            start.elapsed()
        );
    }
}

#[test]
fn redirects_are_followed_once_and_where_they_lead_is_measured() {
    let end = serve(|stream, _| {
        pause(Duration::from_millis(300));
        write(&stream, DONE);
    });
    let start = serve(move |stream, _| {
        let to = format!("HTTP/1.1 302 Found\r\nLocation: http://{end}/there?a=b\r\n");
        write(&stream, to + "Content-Length: 0\r\n\r\n");
    });
    let from = format!("http://{start}/");
    let document = expect(&from, &[], "concurrent", Some(4));
    assert_eq!(document["url"], format!("http://{end}/there?a=b"));
    let text = probe(&[&from]);
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(text.contains(&format!("{from} redirects.")), "{text}");
}

#[test]
fn a_redirect_loop_is_inconclusive() {
    let address = serve(|stream, _| {
        write(
            &stream,
            "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        );
    });
    let reason = reason(&[&address.to_string()]);
    assert_eq!(
        reason,
        "the single (baseline) request failed: more than 20 redirects"
    );
}
