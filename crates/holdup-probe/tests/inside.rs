//! Following a console, and what answers in the place of one.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use holdup_probe::{BadConsole, Inside, Target, Watching};
use holdup_testkit::odd::{serve, serve_paths, write};
use holdup_testkit::{PATIENCE, pause};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1000\n\n";
const MISSING: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

fn target(console: &impl ToString) -> Target {
    Target::parse(&console.to_string()).expect("a URL")
}

async fn connect(console: impl ToString) -> Result<Watching, BadConsole> {
    Inside::connect(&target(&console), false).await
}

/// The error for the console at this address, with `CONSOLE` in the place of its URL.
async fn refused(address: SocketAddr) -> String {
    let error = connect(address).await.expect_err("it is no console");
    let message = error.to_string();
    let url = format!("http://{address}/");
    assert_eq!(message.matches(&url).count(), 1, "{message}");
    message.replace(&url, "CONSOLE")
}

/// The error if `/events` is answered so.
async fn answered(answer: impl Into<Vec<u8>>) -> String {
    let answer = answer.into();
    refused(serve(move |stream, _| _ = write(&stream, &answer))).await
}

async fn problem(status: &str, kind: &str, detail: &str) -> String {
    let body = json!({ "type": kind, "title": "…", "status": 403, "detail": detail }).to_string();
    answered(format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await
}

fn event(message: &Value) -> String {
    format!("data: {message}\n\n")
}

fn snapshot(now: u32) -> Value {
    json!({
        "event": "snapshot", "schema": 1, "version": "0.1.0", "now_ms": now, "threshold_ms": 100,
        "workers": [], "holds": [],
    })
}

fn hold(event: &str, worker: u32, started: u32, duration: u32) -> Value {
    let culprit = json!({ "method": "GET", "route": "/report", "lane": 1, "part": "future", "polls": 1,
        "busy_ms": duration });
    json!({ "event": event, "hold": {
        "kind": "blocked", "worker": worker, "started_ms": started, "duration_ms": duration,
        "culprits": [culprit], "activity": "sleeping", "lines": [],
    } })
}

/// A console that sends these messages, and then does what `then` says. It has no `/waits`, and its `/state` is
/// none.
fn console(messages: Vec<Value>, then: impl Fn(&TcpStream) + Send + Sync + 'static) -> SocketAddr {
    serve_paths(move |stream, path| {
        if path != "/events" {
            write(&stream, MISSING);
            return;
        }
        write(&stream, EVENTS);
        for message in &messages {
            write(&stream, event(message));
        }
        then(&stream);
    })
}

/// Keeps the connection open until the client closes it.
fn stay(mut stream: &TcpStream) {
    std::io::copy(&mut stream, &mut std::io::sink()).ok();
}

fn rows(inside: &Inside) -> Vec<(usize, u128)> {
    let holds = inside.holds.iter();
    holds
        .map(|hold| (hold.worker, hold.held.as_millis()))
        .collect()
}

#[tokio::test]
async fn what_is_no_console_is_named_in_one_sentence() {
    let app = "use the address at which the console listens, not that of the app";
    let not = |why: &str| format!("CONSOLE is not a console of holdup: {why}; {app}");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let check = "check that the app runs with its console, and that this is the address at which the console \
                 listens";
    let unread = |why: &str| format!("the console at CONSOLE cannot be read: {why}; {check}");
    assert_eq!(refused(address).await, unread("connection refused"));
    assert_eq!(answered("").await, unread("closed without an answer"));
    for (answer, why) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP/1.1: "),
        ("HTTP/1.1 1000 OK\r\n\r\n", "the answer cannot be read: "),
    ] {
        let told = answered(answer).await;
        assert!(told.contains(why), "{told}");
    }

    let status = |status| not(&format!("/events is answered with the status {status}"));
    assert_eq!(answered(MISSING).await, status("404 Not Found"));
    let forbidden =
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<html";
    assert_eq!(answered(forbidden).await, status("403 Forbidden"));
    let page = "HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\n\r\n<html>";
    assert_eq!(
        answered(page).await,
        not("/events is of the type text/html; charset=utf-8")
    );
    let plain = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    assert_eq!(answered(plain).await, not("/events has no type"));
    let nowhere = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(answered(nowhere).await, status("302 Found"));

    let first = |text: &str| format!("{EVENTS}data: {text}\n\n");
    assert_eq!(
        answered(EVENTS).await,
        not("/events ends before its first message")
    );
    assert_eq!(
        answered(first("tick")).await,
        not("its first message is not a JSON object")
    );
    let other = first("{\"event\":\"tick\"}");
    assert_eq!(
        answered(other).await,
        not("its first message is no snapshot")
    );
    let long = format!("{EVENTS}data: {}\n\n", "x".repeat(17 * 1024 * 1024));
    assert_eq!(answered(long).await, not("its first message is too long"));
}

#[tokio::test]
async fn what_a_console_says_when_it_refuses_is_passed_on() {
    let ours = "urn:holdup:problem:forbidden";
    let detail = "another site could make its name point to this machine; use localhost";
    assert_eq!(
        problem("403 Forbidden", ours, detail).await,
        format!("the console at CONSOLE refuses the request (403): {detail}")
    );
    let hostile = problem("403 Forbidden", ours, &"\u{1b}[2J\r\n".repeat(10_000)).await;
    assert!(
        hostile.len() < 2000 && !hostile.contains(char::is_control),
        "{hostile:?}"
    );
    let busy =
        "all 16 places for readers are taken; close another page of this console, and try again";
    assert_eq!(
        problem(
            "503 Service Unavailable",
            "urn:holdup:problem:unavailable",
            busy
        )
        .await,
        format!("the console at CONSOLE cannot be read at the moment (503): {busy}")
    );
    let foreign = problem("403 Forbidden", "about:blank", "no").await;
    assert!(foreign.contains("is not a console of holdup"), "{foreign}");

    let moved = "HTTP/1.1 301 Moved Permanently\r\nLocation: https://example.org/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        answered(moved).await,
        "CONSOLE redirects to https://example.org/ (301), and redirects of a console are not followed; use the \
         URL of the console itself"
    );
    let mut later = snapshot(0);
    later["schema"] = json!(2);
    assert_eq!(
        answered(EVENTS.to_owned() + &event(&later)).await,
        "the console at CONSOLE sends messages of version 2, but only version 1 can be read; use the same \
         version of holdup for the app and for the prober"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up() {
    // The clock is paused, so that nobody waits for the time-out.
    let address = serve(|stream, _| stay(&stream));
    let message = refused(address).await;
    assert!(message.contains("cannot be read: timed out"), "{message}");
}

#[tokio::test]
async fn an_address_with_a_path_is_that_of_a_page_or_of_a_console_behind_a_proxy() {
    let address = console(vec![snapshot(0)], stay);
    for path in [
        "",
        "/",
        "/events",
        "/state",
        "/some/page",
        "/#lane-7",
        "/?a=b",
    ] {
        let connected = connect(format!("http://{address}{path}")).await;
        assert!(connected.is_ok(), "{path}: {:?}", connected.err());
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let address = serve_paths(move |stream, path| {
        if path == "/proxied/events" {
            count.fetch_add(1, Ordering::Relaxed);
            write(&stream, EVENTS.to_owned() + &event(&snapshot(0)));
            stay(&stream);
        } else {
            write(&stream, MISSING);
        }
    });
    connect(format!("http://{address}/proxied/"))
        .await
        .expect("a console");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn events_become_holds_and_what_is_no_event_does_not() {
    let messages = vec![
        snapshot(60_000),
        hold("held", 0, 60_001, 100),
        json!({ "event": "held" }),
        json!("held"),
        hold("held", 1, 60_001, 110),
        hold("held", 2, 60_002, 120),
        json!({ "event": "of a later version", "hold": 1 }),
        hold("withdrawn", 1, 60_001, 110),
        hold("released", 0, 60_001, 150),
        // Over before the probe began.
        hold("released", 3, 10_000, 500),
    ];
    let address = console(messages, stay);
    let watching = connect(address).await.expect("a console");
    // The holds begin one and two milliseconds after the snapshot, and have to be in the time of the probe.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let inside = watching.finish().await;
    let found = rows(&inside);
    assert_eq!(found[0], (0, 150), "{inside:?}");
    // It lasts, and has done so since before the end.
    assert!(
        found.len() == 2 && found[1].0 == 2 && found[1].1 >= 120,
        "{found:?}"
    );
    assert_eq!(inside.holds[0].route.as_deref(), Some("/report"));
    assert_eq!(inside.holds[0].activity.as_deref(), Some("sleeping"));
    assert_eq!((inside.cut_off, inside.waits), (None, vec![]));
}

#[tokio::test]
async fn a_hold_that_no_event_has_told_of_is_found_in_the_state() {
    let address = serve_paths(|stream, path| match path {
        "/events" => {
            write(&stream, EVENTS.to_owned() + &event(&snapshot(60_000)));
            stay(&stream);
        }
        "/state" => {
            let mut state = snapshot(60_300);
            state["holds"] = json!([hold("released", 0, 60_001, 200)["hold"]]);
            let body = state.to_string();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            write(&stream, head + &body);
        }
        _ => _ = write(&stream, MISSING),
    });
    let watching = connect(address).await.expect("a console");
    tokio::time::sleep(Duration::from_millis(20)).await;
    let inside = watching.finish().await;
    assert_eq!(rows(&inside), [(0, 200)]);
}

#[tokio::test]
async fn a_console_that_goes_away_in_the_middle_is_told_of() {
    let beginning = vec![snapshot(60_000), hold("held", 0, 59_900, 150)];
    let end = json!({ "event": "behind", "detail": "this reader fell behind by 9 batches" });
    let behind = [beginning.clone(), vec![end]].concat();
    for (messages, stays, why) in [
        (beginning, false, "it ended its events"),
        (
            behind,
            true,
            "its events came faster than they could be read",
        ),
    ] {
        let address = console(messages, move |stream| {
            if stays {
                stay(stream);
            }
        });
        let watching = connect(address).await.expect("a console");
        tokio::time::sleep(Duration::from_millis(500)).await;
        let ended = Instant::now();
        let inside = watching.finish().await;
        let told = inside.cut_off.expect("it went away");
        let begins = format!("the console at http://{address}/ was followed for only ");
        assert!(told.starts_with(&begins) && told.contains(why), "{told}");
        assert!(inside.watched.end < ended);
        let (hold, watched) = (&inside.holds[0], inside.watched.end);
        assert!(hold.held.as_millis() >= 150 && hold.worker == 0, "{hold:?}");
        assert!(hold.began < watched, "{hold:?}");
    }
}

#[tokio::test]
async fn a_flood_of_events_is_read_slowly_and_an_endless_one_not_kept() {
    for piece in [event(&hold("held", 0, 60_001, 100)), "x".to_owned()] {
        let piece = piece.repeat(1 + 200_000 / piece.len());
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let address = console(vec![snapshot(60_000)], move |stream| {
            while write(stream, &piece) {
                count.fetch_add(piece.len(), Ordering::Relaxed);
            }
        });
        let watching = connect(address).await.expect("a console");
        let begun = Instant::now();
        tokio::time::sleep(Duration::from_millis(800)).await;
        let inside = watching.finish().await;
        // What the sockets hold is neither read nor bounded here.
        let (took, sockets) = (begun.elapsed(), 16 * 1024 * 1024);
        let turns = took.as_millis() / 50 + 2;
        let most = turns * (256 + 64) * 1024 + sockets;
        let sent = sent.load(Ordering::Relaxed);
        assert!((sent as u128) < most, "{sent} bytes in {took:?}");
        assert!(inside.holds.len() <= 1, "{inside:?}");
    }
}

#[tokio::test]
async fn waits_are_read_from_a_console_that_has_them() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let address = serve_paths(move |stream, path| match path {
        "/events" => {
            write(&stream, EVENTS.to_owned() + &event(&snapshot(0)));
            stay(&stream);
        }
        "/waits" => {
            let look = count.fetch_add(1, Ordering::Relaxed);
            let body = json!({ "schema": 1, "waits": [{ "route": "/report", "line": "src/report.rs:12",
                "in": "tokio::sync::Mutex::lock", "requests": 3, "longest_ms": 100 * look }] });
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned();
            write(&stream, head + &body.to_string());
        }
        _ => _ = write(&stream, MISSING),
    });
    let watching = connect(address).await.expect("a console");
    let begun = Instant::now();
    while asked.load(Ordering::Relaxed) < 3 {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked_for = begun.elapsed();
    let inside = watching.finish().await;
    assert!(
        asked_for >= Duration::from_secs(2),
        "at most once a second: {asked_for:?}"
    );
    let wait = &inside.waits[0];
    assert_eq!(
        (wait.requests, wait.within.as_deref()),
        (3, Some("tokio::sync::Mutex::lock"))
    );
    assert!(wait.longest >= Duration::from_millis(100), "{wait:?}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_end_the_looks() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let address = serve_paths(move |stream, path| match path {
        "/events" => {
            write(&stream, EVENTS.to_owned() + &event(&snapshot(0)));
            stay(&stream);
        }
        "/waits" => {
            let body = json!({ "schema": 1, "waits": [{ "route": "/report", "line": "src/report.rs:12",
                "in": null, "requests": 3, "longest_ms": 100 }] });
            let mut answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.to_string().len()
            );
            if count.fetch_add(1, Ordering::Relaxed) == 0 {
                answer.truncate(answer.len() - 20);
            }
            write(&stream, answer);
        }
        _ => _ = write(&stream, MISSING),
    });
    let watching = connect(address).await.expect("a console");
    let begun = Instant::now();
    // What was asked for second is read before the third question.
    while asked.load(Ordering::Relaxed) < 3 {
        assert!(begun.elapsed() < PATIENCE, "it was asked once");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let inside = watching.finish().await;
    let wait = &inside.waits[0];
    assert_eq!((wait.route.as_str(), wait.requests), ("/report", 3));
}

#[tokio::test]
async fn dropping_it_ends_it() {
    let (left, gone) = mpsc::channel();
    let address = console(vec![snapshot(0)], move |stream| {
        stay(stream);
        left.send(()).ok();
    });
    drop(connect(address).await.expect("a console"));
    let waited = Instant::now();
    while gone.try_recv().is_err() {
        assert!(waited.elapsed() < PATIENCE, "the connection stays open");
        tokio::task::yield_now().await;
        pause(Duration::from_millis(1));
    }
}

#[test]
fn it_ends_in_time_whatever_the_console_sends() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut runner = TestRunner::new(ProptestConfig::with_cases(60));
    let outcome = runner.run(&pieces(), |bytes| {
        let address = serve(move |stream, _| _ = write(&stream, &bytes));
        let begun = Instant::now();
        runtime.block_on(async {
            if let Ok(watching) = connect(address).await {
                let inside = watching.finish().await;
                assert!(inside.holds.len() <= 256 && inside.waits.len() <= 256);
            }
        });
        prop_assert!(begun.elapsed() < Duration::from_secs(20));
        Ok(())
    });
    outcome.expect("each ends");
}

/// Parts of answers, valid and invalid, in any order after a head that is often valid.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let text = |text: String| Just(text.into_bytes());
    let piece = prop_oneof![
        text(event(&snapshot(60_000))),
        text(event(&hold("held", 0, 60_001, 100))),
        text(event(&hold("released", 0, 60_001, 300))),
        text(event(&hold("withdrawn", 0, 60_001, 300))),
        text("data: {\"event\":\"now\",\"now_ms\":60500}\n\n".to_owned()),
        text("data: {\"event\":\"behind\"}\n".to_owned()),
        text("\r\n\r\n".to_owned()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    let head = prop_oneof![
        4 => text(EVENTS.to_owned()),
        4 => text(EVENTS.to_owned() + &event(&snapshot(60_000))),
        1 => text("HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\n\r\n".to_owned()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ];
    (head, proptest::collection::vec(piece, 0..8))
        .prop_map(|(head, pieces)| [head, pieces.concat()].concat())
}
