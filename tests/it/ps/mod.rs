//! `holdup ps`: the open requests of an app, from its console.

mod app;
mod refused;
mod watch;

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use holdup_testkit::odd::{serve_paths, write};
use holdup_testkit::{PATIENCE, pause};
use serde_json::{Value, json};

use app::{App, answered, line_of};

fn ps(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_holdup"))
        .arg("ps")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("holdup runs")
}

/// What it prints when all goes well.
#[track_caller]
fn shown(arguments: &[&str]) -> String {
    let output = ps(arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Asks until what is shown is as wanted: a request takes a moment to get where it waits, and a busy app may need
/// several looks to say where that is.
#[track_caller]
fn until(arguments: &[&str], is_wanted: impl Fn(&str) -> bool) -> String {
    let begun = Instant::now();
    loop {
        let text = shown(arguments);
        if is_wanted(&text) {
            return text;
        }
        assert!(begun.elapsed() < PATIENCE, "{text}");
    }
}

/// The cells of a row. There are two blanks between them, and none of them has two.
fn cells(row: &str) -> Vec<&str> {
    row.split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}

#[test]
fn an_app_without_requests_has_none_open() {
    let app = App::start();
    assert_eq!(shown(&[&app.console]), "no request is open\n");
    assert_eq!(shown(&[&app.console, "--group"]), "no request waits\n");
    let document: Value = serde_json::from_str(&shown(&[&app.console, "--json"])).expect("JSON");
    assert_eq!(document["requests"], Value::Array(Vec::new()));
}

#[test]
fn each_request_is_listed_with_where_it_waits_the_oldest_first() {
    let app = App::start();
    let _open = [app.ask("/locked"), app.ask("/locked"), app.ask("/locked")];
    let lock = line_of("lock.lock().await");
    let kept = line_of("sleep(60 * PATIENCE).await");
    let at = |text: &str, line: &str| text.lines().filter(|row| row.contains(line)).count();
    let is_known = |text: &str| {
        if cfg!(feature = "stacks") {
            at(text, &lock) == 2 && at(text, &kept) == 1
        } else {
            at(text, "GET /locked") == 3
        }
    };
    let text = until(&[&app.console], is_known);
    let rows: Vec<_> = text.lines().map(cells).collect();
    assert_eq!(rows[0], ["AGE", "STATE", "WORKER", "ROUTE", "WHERE"]);
    for row in &rows[1..4] {
        assert_eq!(row[1..4], ["waiting", "0", "GET /locked"], "{text}");
    }
    assert!(!text.contains('\x1b'), "{text:?}");
    if !cfg!(feature = "stacks") {
        assert!(text.contains("the feature `stacks`"), "{text}");
        return;
    }
    // It came first, and has the lock.
    assert!(rows[1][4].contains(&kept), "{text}");
    assert!(
        rows[2][4].contains(&lock) && rows[2][4].contains(", in tokio::sync::"),
        "{text}"
    );

    let grouped = until(&[&app.console, "--group"], |text| at(text, &lock) == 1);
    let row = grouped.lines().find(|row| row.contains(&lock));
    let row = cells(row.expect("the lock"));
    assert_eq!((row[0], row[2]), ("2", "GET /locked"), "{grouped}");
}

#[test]
fn the_documents_of_the_console_are_passed_on() {
    let app = App::start();
    let _open = app.ask("/locked");
    let document = |arguments: &[&str]| -> Value {
        let text = shown(arguments);
        assert!(text.ends_with("}\n"), "{text}");
        serde_json::from_str(&text).expect("JSON")
    };
    let begun = Instant::now();
    let open = loop {
        let open = document(&[&app.console, "--json"]);
        if open["requests"][0]["state"] == "waiting" {
            break open;
        }
        assert!(begun.elapsed() < PATIENCE, "{open:#}");
    };
    assert_eq!(open["requests"][0]["route"], "/locked", "{open:#}");
    assert_eq!((&open["schema"], &open["more"]), (&1.into(), &0.into()));
    let waits = document(&[&app.console, "--json", "--group"]);
    assert_eq!(waits["waits"][0]["requests"], 1, "{waits:#}");
}

#[test]
fn the_reason_for_which_a_place_is_not_known_takes_no_second_question() {
    let request = json!({
        "number": 1, "lane": null, "worker": 0, "method": "GET", "route": "/", "age_ms": 1500, "held_up_ms": 0,
        "behind": null, "state": "waiting", "since_ms": 0, "at": [],
    });
    let document = json!({
        "schema": 1, "now_ms": 0, "more": 0, "requests": [request], "why_no_lines": "the program is stripped",
    });
    let body = refused::answer(&document);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let address = serve_paths(move |stream, path| {
        assert_eq!(path, "/requests");
        count.fetch_add(1, Ordering::Relaxed);
        write(&stream, &body);
    });
    let text = shown(&[&address.to_string()]);
    assert!(
        text.ends_with("\nIt is not known where 1 request waits: the program is stripped.\n"),
        "{text}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn a_request_behind_a_blocked_worker_is_shown_with_who_holds_it_up() {
    let app = App::start();
    let notified = app.ask("/notified");
    until(&[&app.console], |text| text.contains("waiting"));
    let _blocking = app.ask("/blocking");
    let text = until(&[&app.console], |text| text.contains("held up by"));
    let rows: Vec<_> = text.lines().map(cells).collect();
    assert_eq!(
        rows[1][3..5],
        ["GET /notified", "held up by GET /blocking"],
        "{text}"
    );
    let last = rows.last().expect("a row");
    assert_eq!(last[1..], ["running", "0", "GET /blocking"], "{text}");

    // It is ready from now on, and what it loses is counted when it ends.
    app.notify();
    let text = until(&[&app.console], |text| text.contains("ready"));
    assert!(text.contains("held up by GET /blocking"), "{text}");
    pause(Duration::from_millis(200));
    app.let_go();
    answered(notified);
    let pair = |text: &str| {
        let rows: Vec<_> = text.lines().map(cells).collect();
        let heading = rows
            .iter()
            .position(|row| row.first() == Some(&"HELD UP"))?;
        Some(rows.get(heading + 1)?[..3].join(", "))
    };
    let text = until(&[&app.console, "--group"], |text| pair(text).is_some());
    assert_eq!(
        pair(&text).as_deref(),
        Some("GET /notified, GET /blocking, 1"),
        "{text}"
    );
}
