//! Requests on one HTTP/2 connection, against real sockets.

mod server;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use holdup_probe::{Report, Request, Settings, Target, probe};
use holdup_verdict::experiment::Http2;
use holdup_verdict::{BesideReason, Connection, Kind};

use server::{Ways, acceptor, serve};

/// How often a probe is repeated if a busy machine made it inconclusive. A wrong verdict fails at once.
const REPEATS: usize = 4;

/// The finding where only streams of one connection wait for each other.
const SERIAL: &str = "On one HTTP/2 connection the 4 requests ran one at a time; on 4 connections they ran at \
                      the same time.";

fn settings(http2: Http2) -> Settings {
    let mut settings = Settings::default();
    settings.http2 = http2;
    settings.insecure = true;
    settings
}

fn probed(url: &str, request: &Request, settings: Settings) -> Report {
    let target = Target::parse(url).expect("a URL");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(probe(&target, request, settings, &mut |_| ()))
}

/// The finding about one connection, by prior knowledge, and its sentence.
#[track_caller]
fn expect(address: SocketAddr, expected: Kind, sentence: &str) -> (Report, Connection) {
    let url = format!("http://{address}/");
    let mut tries = 0;
    loop {
        let report = probed(&url, &Request::default(), settings(Http2::Wanted));
        let found = report.found.connection.clone().expect("it was asked for");
        let certain = report.found.verdict.kind != Kind::Inconclusive;
        if (certain && found.sentence == sentence) || tries == REPEATS {
            assert_eq!(found.sentence, sentence);
            assert_eq!(found.verdict, expected);
            // Whatever becomes of the streams, requests on connections of their own run at the same time.
            assert_eq!(
                report.found.verdict.kind,
                Kind::Concurrent,
                "{}",
                report.found.verdict.sentence
            );
            return (report, found);
        }
        let right = [expected, Kind::Inconclusive].contains(&found.verdict);
        assert!(right, "{}", found.sentence);
        tries += 1;
    }
}

#[test]
fn streams_that_run_at_the_same_time_are_concurrent_on_one_connection() {
    let (address, seen) = serve(Ways::default(), None);
    let sentence =
        "On one HTTP/2 connection the 4 requests ran at the same time, as on 4 connections.";
    let (_, found) = expect(address, Kind::Concurrent, sentence);
    assert_eq!(found.at_a_time, Some(4));
    assert_eq!(found.max_concurrent_streams, None);
    let most = seen.most.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(most, 4, "on one connection");
}

#[test]
fn what_the_server_allows_at_a_time_is_obeyed_and_told() {
    let ways = Ways {
        max_streams: Some(3),
        ..Ways::default()
    };
    let (address, seen) = serve(ways, None);
    let sentence = "On one HTTP/2 connection the 4 requests were limited to 3 at a time; on 4 connections they \
         ran at the same time; the server allows 3 streams at a time (SETTINGS_MAX_CONCURRENT_STREAMS).";
    let (_, found) = expect(address, Kind::Limited, sentence);
    let numbers = (found.at_a_time, found.max_concurrent_streams);
    assert_eq!(numbers, (Some(3), Some(3)));
    let most = seen.most.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(most, 3, "the fourth waited for its turn");
}

#[test]
fn a_handler_that_runs_one_at_a_time_on_each_connection_is_serialized_there() {
    let ways = Ways {
        serial: true,
        ..Ways::default()
    };
    let (address, _) = serve(ways, None);
    let (_, found) = expect(address, Kind::Serialized, SERIAL);
    assert_eq!(found.at_a_time, Some(1));
    assert_eq!(found.own.map(|own| own.kind), Some(Kind::Concurrent));
}

#[test]
fn a_server_that_speaks_http_2_only_is_measured_over_it() {
    let ways = Ways {
        http1: false,
        serial: true,
        ..Ways::default()
    };
    let (address, seen) = serve(ways, None);
    let (report, _) = expect(address, Kind::Serialized, SERIAL);
    let evidence = &report.found.verdict.evidence;
    let told = evidence.iter().any(|line| line.contains("HTTP/2"));
    assert!(told, "{evidence:#?}");
    assert_eq!(seen.count().0, 0);
}

#[test]
fn a_bystander_of_a_server_that_speaks_http_2_only_is_asked_over_it() {
    let ways = Ways {
        http1: false,
        ..Ways::default()
    };
    let (address, seen) = serve(ways, None);
    let mut settings = settings(Http2::Wanted);
    settings.beside = vec![Target::parse(&format!("http://{address}/other")).expect("a URL")];
    let report = probed(&format!("http://{address}/"), &Request::default(), settings);
    // Each of its answers takes as long as those of the measured route, but none fails.
    let beside = &report.found.beside[0];
    let reason = beside.reason.as_ref().expect("it shows nothing");
    assert!(
        matches!(reason, BesideReason::Slow { .. }),
        "{}",
        beside.sentence
    );
    assert_eq!(seen.count().0, 0);
}

#[test]
fn refused_streams_are_told() {
    let ways = Ways {
        refuses_beyond: Some(2),
        ..Ways::default()
    };
    let (address, _) = serve(ways, None);
    let sentence = "How the 4 requests ran on one HTTP/2 connection is inconclusive: 2 of 4 concurrent requests failed: \
         the server refused the stream (REFUSED_STREAM).";
    expect(address, Kind::Inconclusive, sentence);
}

#[test]
fn a_goodbye_is_told() {
    let ways = Ways {
        goodbye_at: Some(3),
        ..Ways::default()
    };
    let (address, _) = serve(ways, None);
    let sentence = "How the 4 requests ran on one HTTP/2 connection is inconclusive: 4 of 4 concurrent requests failed: \
         the server closed the connection (GOAWAY, ENHANCE_YOUR_CALM).";
    expect(address, Kind::Inconclusive, sentence);
}

#[test]
fn a_server_without_http_2_is_refused_in_one_sentence() {
    let ways = Ways {
        http2: false,
        ..Ways::default()
    };
    let (address, seen) = serve(ways, None);
    let why = "the server answers with HTTP/1.1 when it is addressed in HTTP/2";
    let sentence = format!("One HTTP/2 connection was not measured: {why}.");
    let (_, found) = expect(address, Kind::Inconclusive, &sentence);
    assert_eq!(found.refused.as_deref(), Some(why));
    assert_eq!(seen.count().1, 0);
}

#[test]
fn a_server_that_closes_or_says_nothing_is_refused_in_time() {
    for (silent, told) in [
        (
            false,
            "the server closes a connection that begins with HTTP/2",
        ),
        (
            true,
            "the server does not begin to speak HTTP/2 (SETTINGS) within 2.00 s",
        ),
    ] {
        let ways = Ways {
            closes: !silent,
            silent,
            ..Ways::default()
        };
        let (address, _) = serve(ways, None);
        let mut settings = settings(Http2::Wanted);
        settings.timeout = Some(Duration::from_secs(2));
        let begun = Instant::now();
        let report = probed(&format!("http://{address}/"), &Request::default(), settings);
        assert!(begun.elapsed() < Duration::from_secs(20));
        let found = report.found.connection.expect("it was asked for");
        assert_eq!(found.refused.as_deref(), Some(told), "{}", found.sentence);
    }
}

#[test]
fn over_tls_http_2_is_measured_if_the_server_agrees_to_it() {
    let ways = Ways {
        max_streams: Some(1),
        ..Ways::default()
    };
    let (address, seen) = serve(ways.clone(), Some(acceptor(&["h2", "http/1.1"])));
    let url = format!("https://{address}/");
    let report = probed(&url, &Request::default(), settings(Http2::IfOffered));
    let found = report.found.connection.expect("the server agrees");
    assert_eq!(found.max_concurrent_streams, Some(1), "{}", found.sentence);
    assert!(seen.count().1 > 0);

    let report = probed(&url, &Request::default(), settings(Http2::Off));
    assert_eq!(report.found.connection, None);

    let (address, seen) = serve(ways, Some(acceptor(&["http/1.1"])));
    let url = format!("https://{address}/");
    let report = probed(&url, &Request::default(), settings(Http2::IfOffered));
    assert_eq!(report.found.connection, None);
    let report = probed(&url, &Request::default(), settings(Http2::Wanted));
    let found = report.found.connection.expect("it was asked for");
    let told = "the server does not agree to HTTP/2 over TLS (ALPN)";
    assert_eq!(found.refused.as_deref(), Some(told));
    assert_eq!(seen.count().1, 0);
}

#[test]
fn a_method_that_changes_something_is_not_sent_over_http_2_unless_that_is_asked_for() {
    let post = || {
        let request = Request::default().method("POST").expect("a method");
        request.body("id={}")
    };
    let (address, seen) = serve(Ways::default(), Some(acceptor(&["h2", "http/1.1"])));
    let url = format!("https://{address}/search");
    let report = probed(&url, &post(), settings(Http2::IfOffered));
    assert_eq!(report.found.connection, None);
    assert_eq!(seen.count().1, 0);

    let report = probed(&url, &post(), settings(Http2::Wanted));
    assert!(report.found.connection.is_some());
    assert!(seen.count().1 > 0);
    let last = seen
        .last
        .lock()
        .expect("unharmed")
        .take()
        .expect("a request");
    assert_eq!(last.method(), "POST");
    assert_eq!(last.uri().scheme_str(), Some("https"));
    let authority = last.uri().authority().map(ToString::to_string);
    assert_eq!(authority, Some(address.to_string()));
    assert_eq!(last.uri().path(), "/search");
    let body = seen.body.lock().expect("unharmed").clone();
    assert!(body.starts_with(b"id="), "{body:?}");
    assert!(!body.ends_with(b"{}"), "{body:?}");
    assert_eq!(last.headers()["content-length"], body.len().to_string());
    assert!(!last.headers().contains_key("connection"));
}

#[test]
fn a_large_answer_waits_for_no_window_of_the_prober() {
    const BYTES: usize = 10_000_000;
    let ways = Ways {
        bytes: BYTES,
        ..Ways::default()
    };
    let (address, seen) = serve(ways, None);
    let url = format!("http://{address}/");
    let report = probed(&url, &Request::default(), settings(Http2::Wanted));
    // A debug build may be too slow to read so much in time, but it may not be wrong.
    let found = report.found.connection.expect("it was asked for");
    let right = [Kind::Concurrent, Kind::Inconclusive].contains(&found.verdict);
    assert!(right, "{}", found.sentence);
    let windows = seen.windows.lock().expect("unharmed");
    assert!(windows.len() >= 4, "{windows:?}");
    assert!(windows.iter().all(|window| *window == BYTES), "{windows:?}");
}
