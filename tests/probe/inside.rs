//! `--console`: what the app itself saw meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, web};
use holdup_console::Console;
use holdup_testkit::app::{Served, serve_on};
use holdup_testkit::client::get;
use holdup_testkit::console::state;
use holdup_testkit::{PATIENCE, pause};
use holdup_watch::Watch;
use serde_json::{Value, json};

use super::{REPEATS, expect, json, probe};
use crate::server::Server;

const TIME: Duration = Duration::from_millis(250);

/// An app with this many workers and its console.
struct Watched {
    app: Served,
    console: String,
    _console: Console,
}

/// `/report` and `/other` block their worker; `/locked` and `/pooled` wait for a lock and for a place of two,
/// without blocking it. `/quick` answers at once.
fn watched(workers: usize) -> Watched {
    let watch = Watch::new();
    let console = Console::builder(&watch, "127.0.0.1:0")
        .start()
        .expect("it starts");
    let lock = Arc::new(tokio::sync::Mutex::new(()));
    let pool = Arc::new(tokio::sync::Semaphore::new(2));
    let app = serve_on(workers, move || {
        let (lock, pool) = (Arc::clone(&lock), Arc::clone(&pool));
        let block = || async {
            pause(TIME);
            HttpResponse::Ok().body("done")
        };
        let locked = move || {
            let lock = Arc::clone(&lock);
            async move {
                let _guard = lock.lock().await;
                tokio::time::sleep(TIME).await;
                HttpResponse::Ok().body("done")
            }
        };
        let pooled = move || {
            let pool = Arc::clone(&pool);
            async move {
                let _place = pool.acquire().await.expect("it is never closed");
                tokio::time::sleep(2 * TIME).await;
                HttpResponse::Ok().body("done")
            }
        };
        App::new()
            .wrap(watch.clone())
            .route("/quick", web::get().to(HttpResponse::Ok))
            .route("/pooled", web::get().to(pooled))
            .route("/report/{name}", web::get().to(block))
            .route("/other", web::get().to(block))
            .route("/locked", web::get().to(locked))
    });
    Watched {
        app,
        console: console.address().to_string(),
        _console: console,
    }
}

impl Watched {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.address)
    }
}

/// Runs `work` while another client asks for `/other`, one request after the other.
fn beside_other_traffic<T>(watched: &Watched, work: impl FnOnce() -> T) -> T {
    let (address, over) = (watched.app.address, Arc::new(AtomicBool::new(false)));
    let is_over = Arc::clone(&over);
    let client = thread::spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            get(address, "/other").rest();
            pause(TIME / 5);
        }
    });
    let result = work();
    over.store(true, Ordering::Relaxed);
    client.join().expect("the client ends");
    result
}

fn routes(document: &Value) -> Vec<&str> {
    let holds = document["inside"]["holds"].as_array().expect("a list");
    holds
        .iter()
        .filter_map(|hold| hold["route"].as_str())
        .collect()
}

/// Blocks the lab until a hold has a line, if it is built with stacks. A debug build on a busy machine takes
/// seconds to read its line tables; holds that end meanwhile have no line.
fn name_first_line(server: &Server) {
    let begun = Instant::now();
    while cfg!(feature = "stacks") {
        get(server.address, "/blocking?from=1&period=300ms").rest();
        let holds = state(server.console())["holds"].clone();
        let lines = |hold: &Value| {
            hold["lines"]
                .as_array()
                .is_some_and(|lines| !lines.is_empty())
        };
        if holds
            .as_array()
            .is_some_and(|holds| holds.iter().any(lines))
        {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{holds:#}");
    }
}

#[test]
fn the_labs_blocking_handler_is_named_with_its_worker() {
    let server = Server::start(&["--workers=1"]);
    let url = format!("{}/blocking?from=2&period=150ms", server.address);
    name_first_line(&server);
    let console = format!("--console={}", server.console());
    let document = expect(&url, &[&console], "serialized", Some(1));
    let holds = document["inside"]["holds"].as_array().expect("a list");
    let total: f64 = holds.iter().filter_map(|hold| hold["ms"].as_f64()).sum();
    let makespan = document["makespan_ms"].as_f64().expect("a time");
    assert!(total >= makespan * 0.9, "{holds:#?}");
    for hold in holds {
        assert_eq!(
            (&hold["method"], &hold["route"]),
            (&"GET".into(), &"/blocking".into())
        );
        assert_eq!(hold["worker"], 0);
    }
    let line = holds.iter().find_map(|hold| hold["line"].as_str());
    let is_built_with_stacks = cfg!(feature = "stacks");
    assert_eq!(line.is_some(), is_built_with_stacks, "{holds:#?}");
    if let Some(line) = line {
        assert!(line.starts_with("src/handlers.rs:"), "{line}");
    }

    let text = probe(&[&url, &console]);
    let text = String::from_utf8_lossy(&text.stdout).replace('\n', " ");
    assert!(
        text.contains("Inside the app: GET /blocking blocks worker 0"),
        "{text}"
    );
    assert!(
        text.contains("(sleeping): 4 requests one at a time. "),
        "{text}"
    );

    let other = format!("{}/coroutine?from=2&period=150ms", server.address);
    let text = probe(&[&other, &console]);
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(
        text.contains("Inside the app: no worker was held meanwhile."),
        "{text}"
    );
    let document = json(&[&other]);
    assert_eq!(document["inside"], Value::Null, "it was not asked");
}

#[test]
fn the_probed_route_is_named_beside_another_one_that_blocks_workers_too() {
    let watched = watched(2);
    let console = format!("--console={}", watched.console);
    // Which requests meet at which worker differs from run to run, and so does the verdict.
    let text = beside_other_traffic(&watched, || probe(&[&watched.url("/report/{}"), &console]));
    let text = String::from_utf8_lossy(&text.stdout).replace('\n', " ");
    assert!(
        text.contains("Inside the app: GET /report/{name} blocks worker"),
        "{text}"
    );
}

#[test]
fn a_route_that_blocks_all_the_time_is_not_blamed_for_a_lock() {
    let watched = watched(2);
    let console = format!("--console={}", watched.console);
    let url = watched.url("/locked");
    let document = beside_other_traffic(&watched, || json(&[&url, &console]));
    assert!(
        routes(&document).contains(&"/other"),
        "{:#}",
        document["inside"]
    );
    let text = beside_other_traffic(&watched, || probe(&[&url, &console]));
    let text = String::from_utf8_lossy(&text.stdout).replace('\n', " ");
    assert!(
        text.contains("but no route explains most of the time"),
        "{text}"
    );
}

/// The line in this file that has this text, as a culprit's line names it.
fn line_of(text: &str) -> String {
    let source = include_str!("inside.rs");
    let line = source.lines().position(|line| line.contains(text));
    format!("tests/probe/inside.rs:{}", line.expect("it is here") + 1)
}

/// Probes until the cause is known and the app has named a culprit. Where requests wait is asked once a second, so a
/// busy machine may show too little of it. A wrong cause fails at once.
fn named(arguments: &[&str], kind: &str) -> Value {
    let mut document = Value::Null;
    for _ in 0..5 * REPEATS {
        document = json(arguments);
        let cause = &document["cause"];
        let is_named = cause["culprit"] != Value::Null || !cfg!(feature = "stacks");
        if cause["kind"] == kind && is_named {
            break;
        }
        let is_known = cause["kind"] != "unknown";
        assert!(!is_known || cause["kind"] == kind, "{document:#}");
    }
    document
}

#[test]
fn the_line_of_a_lock_that_is_kept_across_an_await_is_in_the_cause() {
    let watched = watched(2);
    let (url, console) = (
        watched.url("/locked"),
        format!("--console={}", watched.console),
    );
    let beside = format!("--beside={}", watched.url("/quick"));
    let document = named(&[&url, &beside, &console, "-n8"], "own_queue");
    let cause = &document["cause"];
    assert_eq!(cause["kind"], "own_queue", "{document:#}");
    if cfg!(feature = "stacks") {
        let line = line_of("lock.lock().await");
        assert_eq!(
            cause["culprit"],
            json!({ "method": "GET", "route": "/locked", "line": line }),
            "{document:#}"
        );
        let evidence = cause["evidence"].to_string();
        assert!(
            evidence.contains(&format!("GET /locked waits at {line}, in tokio::sync::")),
            "{evidence}"
        );
    } else {
        assert_eq!(cause["culprit"], Value::Null, "{document:#}");
    }
}

#[test]
fn the_line_of_a_pool_is_named_without_another_route_too() {
    let watched = watched(1);
    let (url, console) = (
        watched.url("/pooled"),
        format!("--console={}", watched.console),
    );
    let document = named(&[&url, &console, "-n8"], "unknown");
    assert_eq!(document["cause"]["kind"], "unknown", "{document:#}");
    let line = cfg!(feature = "stacks").then(|| line_of("pool.acquire().await"));
    assert_eq!(
        document["cause"]["culprit"]["line"].as_str(),
        line.as_deref(),
        "{document:#}"
    );
}

#[test]
fn a_console_that_is_none_is_wrong_usage() {
    let server = Server::start(&["--workers=1"]);
    let lab = server.address.to_string();
    let url = format!("{lab}/coroutine?from=1&period=50ms");
    let told = |console: &str| {
        let output = probe(&[&url, "--console", console]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        let text = String::from_utf8(output.stderr).expect("text");
        // What will be sent may be said before.
        let mut errors = text.lines().filter(|line| line.starts_with("holdup: "));
        let error = errors.next().unwrap_or_else(|| panic!("an error: {text}"));
        assert_eq!(errors.next(), None, "{text}");
        error.to_owned()
    };
    let app = told(&lab);
    let begins = format!("holdup: --console: http://{lab}/ is not a console of holdup: ");
    assert!(app.starts_with(&begins), "{app}");
    let port = server.console().port();
    let name = format!("localhost.localdomain:{port}");
    let named = told(&format!("http://user:secret@{name}"));
    assert!(
        named.contains("leave them out") && !named.contains("secret"),
        "{named}"
    );
    let scheme = told("ftp://localhost");
    assert!(
        scheme.starts_with("holdup: --console: the URL \"ftp://localhost/\" has the scheme ftp"),
        "{scheme}"
    );
}
