//! A console for a user's own app.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse};
use holdup_console::StartError;
use holdup_testkit::app::{Served, serve};
use holdup_testkit::{PATIENCE, pause};
use holdup_watch::Watch;

use super::*;

#[test]
fn the_buttons_are_the_routes_given_to_the_builder() {
    let watch = Watch::new();
    let served = {
        let watch = watch.clone();
        serve(move || {
            App::new()
                .route(
                    "/report/{days}",
                    web::get().to(async || {
                        actix_web::rt::time::sleep(Duration::from_millis(200)).await;
                        HttpResponse::Ok().body("done")
                    }),
                )
                .wrap(watch.clone())
        })
    };
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0")
        .app(format!("http://{}", served.address))
        .button("/report/7?secret=1")
        .start()
        .expect("a console");
    let address = console.address();
    let mut events = Events::read(address);
    let snapshot = events.next().expect("a message");
    // The browser finds the app at the host under which it reached the console.
    assert_eq!(snapshot["app_url"], format!("http://{}", served.address));
    let button = &snapshot["buttons"][0];
    assert_eq!(button["label"], "/report/7?secret=1");
    assert_eq!(button["parameters"], serde_json::json!([]));
    let start = || {
        let (status, started) = order(address, JSON, r#"{"button":0,"requests":3}"#);
        assert_eq!(status, 202);
        started["id"].clone()
    };
    let mut id = start();
    let opened = events.until("its request", |m| is(m, "opened"));
    assert_eq!(opened["route"], "/report/{days}");
    assert_eq!(
        opened["path"], "/report/7",
        "without the query, which may have secrets"
    );
    let mut verdict = |id: &Value| {
        events.until("its verdict", |m| {
            is(m, "probe") && m["id"] == *id && m["state"] != "running"
        })
    };
    let mut done = verdict(&id);
    // The probe is repeated when its verdict is inconclusive, on a busy machine. A wrong verdict
    // fails at once.
    for _ in 0..2 {
        if done["findings"]["verdict"] == "inconclusive" {
            id = start();
            done = verdict(&id);
        }
    }
    assert_eq!(done["findings"]["verdict"], "concurrent", "{done}");
    assert_eq!(done["values"], serde_json::json!({}));

    // When the console is dropped, its readers are disconnected and its port is free again.
    drop(console);
    while matches!(events.0.chunk(), Ok(Some(_))) {}
    TcpListener::bind(address).expect("the port is free");
}

#[test]
fn settings_that_cannot_be_used_are_refused_at_the_start() {
    let watch = Watch::new();
    let console = || holdup_console::Console::builder(&watch, "127.0.0.1:0");
    let error = |builder: holdup_console::Builder| builder.start().expect_err("refused");
    let bad = error(console().app("ftp://h"));
    assert!(
        matches!(bad, StartError::App { .. }) && bad.to_string().contains("ftp"),
        "{bad}"
    );
    assert!(matches!(
        error(console().app("nonsense")),
        StartError::App { .. }
    ));
    assert!(matches!(error(console().button("/a")), StartError::NoApp));
    for path in ["healthz", "//evil.example/"] {
        let bad = error(console().app("http://127.0.0.1:1").beside(path));
        let named = matches!(&bad, StartError::Beside { given, .. } if given == path);
        assert!(named, "{bad}");
    }
    for path in ["report", "//evil.example/", "http://evil.example/", ""] {
        let bad = error(console().app("http://127.0.0.1:1").button(path));
        assert!(matches!(bad, StartError::Button { .. }), "{path}: {bad}");
        assert!(bad.to_string().contains(&format!("{path:?}")), "{bad}");
    }
    for host in ["", "http://a.example", "a.example:80", "*.example", "a b"] {
        let bad = error(console().allow_host(host));
        assert!(matches!(bad, StartError::Host { .. }), "{host}: {bad}");
        assert!(bad.to_string().contains(&format!("{host:?}")), "{bad}");
    }
    let first = console().start().expect("a console");
    let taken = error(holdup_console::Console::builder(
        &watch,
        first.address().to_string(),
    ));
    assert!(matches!(taken, StartError::Bind { .. }), "{taken}");
    assert!(taken.to_string().contains(&first.address().to_string()));
    assert!(matches!(
        error(holdup_console::Console::builder(&watch, "nowhere")),
        StartError::Bind { .. }
    ));
}

/// An app with a handler that blocks until it is `let_go`.
fn blocks(watch: &Watch, let_go: &Arc<AtomicBool>) -> Served {
    let (watch, let_go) = (watch.clone(), Arc::clone(let_go));
    serve(move || {
        let block = async |let_go: Data<AtomicBool>| {
            let deadline = Instant::now() + PATIENCE;
            while !let_go.load(Ordering::Relaxed) && Instant::now() < deadline {
                pause(Duration::from_millis(10));
            }
            HttpResponse::Ok().finish()
        };
        App::new()
            .app_data(Data::from(Arc::clone(&let_go)))
            .route("/block", web::get().to(block))
            .wrap(watch.clone())
    })
}

#[test]
fn bytes_left_unread_after_a_hold_do_not_count_as_waiting() {
    let (watch, let_go) = (Watch::new(), Arc::default());
    let served = blocks(&watch, &let_go);
    // Nothing accepts these connections, as when an app has reached its limit of connections.
    let full = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = full.local_addr().expect("bound").port();
    let mut unread = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    unread.write_all(b"GET / HTTP/1.1\r\n").expect("sent");
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0");
    let console = console.app(format!("http://127.0.0.1:{port}"));
    let console = console.start().expect("a console");
    let mut events = Events::read(console.address());
    let address = served.address;
    let held = thread::spawn(move || get(address, "/block").status);
    let waits =
        |n| move |m: &Value| is(m, "waiting") && m["waiting"].as_array().map(Vec::len) == Some(n);
    events.until("it is unread while the worker is held", waits(1));
    let_go.store(true, Ordering::Relaxed);
    events.until("the worker is free", |m| is(m, "released"));
    events.until("nobody is held any more", waits(0));
    assert_eq!(held.join().expect("an answer"), 200);
}

#[test]
fn a_second_console_counts_from_its_own_start() {
    let watch = Watch::new();
    let served = blocks(&watch, &Arc::default());
    let first = holdup_console::Console::builder(&watch, "127.0.0.1:0")
        .start()
        .expect("a console");
    assert_eq!(get(served.address, "/nowhere").status, 404);
    let mut events = Events::read(first.address());
    let requests = |n| move |m: &Value| is(m, "now") && m["totals"]["requests"] == n;
    events.until("it is counted", requests(1));
    let second = holdup_console::Console::builder(&watch, "127.0.0.1:0")
        .start()
        .expect("another");
    assert_eq!(get(served.address, "/nowhere").status, 404);
    let mut news = Events::read(second.address());
    news.until("only the second is counted", requests(1));
    events.until("here both are", requests(2));
    assert_eq!(state(second.address())["totals"]["requests"], 1);
    drop(first);
    assert_eq!(state(second.address())["totals"]["requests"], 1);
}
