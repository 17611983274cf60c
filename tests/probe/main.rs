//! `holdup probe` against real servers.

mod beside;
mod causes;
mod client;
mod contrasts;
mod differs;
mod endless;
mod expect;
mod hostile;
mod http2;
mod inside;
mod junit;
mod limit;
mod output;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/server.rs"]
mod server;
mod shapes;
mod spread;
mod spread_beside;
mod terminal;

use std::collections::HashSet;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::{App, HttpRequest, HttpResponse, web};
use holdup_testkit::app::serve;
use holdup_testkit::external::{External, gunicorn, http_server, nginx, node, tornado};
use holdup_testkit::schema;
use serde_json::Value;

use crate::server::Server;

fn probe(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_holdup"))
        .arg("probe")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("holdup runs")
}

/// The document, which follows its schema, and the exit code, which follows the document.
fn json(arguments: &[&str]) -> Value {
    let output = probe(&[arguments, &["--json"]].concat());
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    schema::check_probe(&document);
    let code = match document["verdict"].as_str() {
        Some("concurrent") => 0,
        Some("inconclusive") => 3,
        _ => 1,
    };
    assert_eq!(output.status.code(), Some(code), "{document:#}");
    assert!(
        output.stderr.is_empty(),
        "stderr is no terminal: {output:?}"
    );
    document
}

/// How often a probe is repeated if a busy machine made it inconclusive, as its advice suggests. A wrong
/// verdict fails at once.
const REPEATS: usize = 2;

/// Probes a server's path; `-n` is 4 unless the arguments say otherwise.
#[track_caller]
fn expect(server: &str, arguments: &[&str], verdict: &str, at_a_time: Option<u64>) -> Value {
    let arguments = [&[server], arguments].concat();
    let mut document = json(&arguments);
    for _ in 0..REPEATS {
        if verdict == "inconclusive" || document["verdict"] != "inconclusive" {
            break;
        }
        document = json(&arguments);
    }
    assert_eq!(document["verdict"], verdict, "{document:#}");
    assert_eq!(document["at_a_time"].as_u64(), at_a_time, "{document:#}");
    document
}

fn url(server: &External, path: &str) -> String {
    format!("http://{}{path}", server.address)
}

#[test]
fn tornados_blocking_handler_is_serialized_and_the_three_cures_are_not() {
    let server = tornado();
    let document = expect(&url(&server, "/blocking"), &[], "serialized", Some(1));
    assert_eq!(
        document["identical"],
        Value::Null,
        "nothing to compare with"
    );
    for path in ["/coroutine", "/callback", "/threadpool"] {
        let document = expect(&url(&server, path), &[], "concurrent", Some(4));
        assert_eq!(
            document["identical"]["verdict"], "concurrent",
            "{document:#}"
        );
        assert_eq!(
            document["identical"]["answered_once"], false,
            "{document:#}"
        );
        assert_eq!(document["delivery"], "single");
    }
}

#[test]
fn pythons_own_server_serves_one_at_a_time_unless_it_is_the_threading_one() {
    let server = http_server(&["HTTPServer"]);
    expect(&url(&server, "/"), &[], "serialized", Some(1));
    let server = http_server(&["ThreadingHTTPServer"]);
    expect(&url(&server, "/"), &[], "concurrent", Some(4));
}

#[test]
fn gunicorn_serves_as_many_at_a_time_as_it_has_workers_or_threads() {
    let server = gunicorn(&["--workers=1"]);
    expect(&url(&server, "/"), &["-n8"], "serialized", Some(1));
    let server = gunicorn(&["--workers=2"]);
    expect(&url(&server, "/"), &["-n8"], "limited", Some(2));
    let server = gunicorn(&["--worker-class=gthread", "--threads=4"]);
    expect(&url(&server, "/"), &["-n8"], "limited", Some(4));
}

#[test]
fn a_node_handler_that_computes_is_serialized_and_a_timer_is_not() {
    let server = node();
    expect(&url(&server, "/blocking"), &[], "serialized", Some(1));
    expect(&url(&server, "/timer"), &[], "concurrent", Some(4));
}

#[test]
fn the_lab_is_as_the_faq_says() {
    let server = Server::start(&["--workers=1", "--pool-threads=8"]);
    let url = |handler: &str| format!("{}/{handler}?from=4&period=100ms", server.address);
    let document = expect(&url("blocking"), &[], "serialized", Some(1));
    assert_eq!(document["delivery"], "streamed");
    for handler in ["coroutine", "callback", "threadpool"] {
        let document = expect(&url(handler), &[], "concurrent", Some(4));
        assert_eq!(document["delivery"], "streamed");
        assert_eq!(
            document["identical"]["verdict"], "concurrent",
            "{document:#}"
        );
    }
    let whole = url("coroutine") + "&deliver=whole";
    assert_eq!(
        expect(&whole, &[], "concurrent", Some(4))["delivery"],
        "single"
    );
}

#[test]
fn with_two_workers_the_labs_blocking_handler_is_limited_to_two() {
    let server = Server::start(&["--workers=2", "--pool-threads=8"]);
    let url = |handler: &str| format!("{}/{handler}?from=4&period=100ms", server.address);
    expect(&url("blocking"), &[], "limited", Some(2));
    for handler in ["coroutine", "callback", "threadpool"] {
        expect(&url(handler), &[], "concurrent", Some(4));
    }
}

#[test]
fn nginx_buffers_a_stream_by_default() {
    let node = node();
    let server = nginx(node.address);
    let delivery = |server, path| {
        let document = expect(&url(server, path), &[], "concurrent", Some(4));
        document["delivery"].as_str().map(str::to_owned)
    };
    let direct = delivery(&node, "/stream?bytes=3000");
    assert_eq!(direct.as_deref(), Some("streamed"));
    // A stream that fits into one of nginx's buffers arrives as one chunk, which no client can distinguish
    // from a short answer.
    let small = delivery(&server, "/stream?bytes=100");
    assert_eq!(small.as_deref(), Some("single"));
    let large = delivery(&server, "/gathered/stream?bytes=3000");
    assert_eq!(large.as_deref(), Some("buffered"));

    let lab = Server::start(&["--workers=1"]);
    let server = nginx(lab.address);
    let ticks = delivery(&server, "/coroutine?from=4&period=100ms");
    assert_eq!(
        ticks.as_deref(),
        Some("streamed"),
        "it says X-Accel-Buffering: no"
    );
}

#[test]
fn a_lock_on_a_cache_entry_answers_identical_urls_once() {
    let node = node();
    let server = nginx(node.address);
    let document = expect(&url(&server, "/locked/timer"), &[], "concurrent", Some(4));
    let identical = &document["identical"];
    let locked = identical["answered_once"] == true || identical["verdict"] == "serialized";
    assert!(locked, "{document:#}");
}

#[test]
fn an_answer_that_is_kept_is_told_from_a_server_that_is_warming_up() {
    let asked = web::Data::new(Mutex::new(HashSet::<String>::new()));
    let kept = |request: HttpRequest, asked: web::Data<Mutex<HashSet<String>>>| async move {
        let is_kept = |asked: &Mutex<HashSet<String>>| {
            let asked = asked.lock().expect("nobody panics with it");
            asked.contains(request.query_string())
        };
        if !is_kept(&asked) {
            sleep(Duration::from_millis(400)).await;
            let mut asked = asked.lock().expect("nobody panics with it");
            asked.insert(request.query_string().to_owned());
        }
        HttpResponse::Ok().finish()
    };
    let warms = |asked: web::Data<AtomicU64>| async move {
        let faster = 30 * asked.fetch_add(1, SeqCst);
        sleep(Duration::from_millis(
            600_u64.saturating_sub(faster).max(100),
        ))
        .await;
        HttpResponse::Ok().finish()
    };
    let warm = web::Data::new(AtomicU64::new(0));
    let app = serve(move || {
        App::new()
            .app_data(asked.clone())
            .app_data(warm.clone())
            .route("/kept", web::get().to(kept))
            .route("/warms", web::get().to(warms))
    });
    let url = |path: &str| format!("http://{}{path}", app.address);
    let document = json(&[&url("/warms")]);
    assert_ne!(document["identical"]["answered_once"], true, "{document:#}");
    let mut document = json(&[&url("/kept")]);
    for _ in 0..REPEATS {
        if document["identical"]["answered_once"] == true {
            break;
        }
        document = json(&[&url("/kept")]);
    }
    let identical = &document["identical"];
    assert_eq!(identical["answered_once"], true, "{document:#}");
    let sentence = identical["sentence"].as_str().expect("a sentence");
    assert!(
        sentence.contains(" later, but one for a new URL "),
        "{sentence}"
    );
}

#[test]
fn a_lock_by_url_is_distinguished_from_connections_that_met_by_chance() {
    let server = node();
    let identical = |path| {
        let document = expect(&url(&server, path), &["-n3"], "concurrent", Some(3));
        document["identical"]["verdict"].clone()
    };
    // Noise may spoil a comparison and make it inconclusive.
    let mut verdict = identical("/lock");
    for _ in 0..REPEATS {
        if verdict != "inconclusive" {
            break;
        }
        verdict = identical("/lock");
    }
    assert_eq!(verdict, "serialized");
    assert_eq!(identical("/meeting"), "inconclusive");
}

#[test]
fn two_requests_that_met_by_chance_are_not_serialized() {
    let expected = "two measurements differ: first 1 at a time, then 2 at a time; part of the server may \
                    have been starting up";
    let mut reasons = Vec::new();
    for _ in 0..=REPEATS {
        let server = node();
        let document = json(&[&url(&server, "/pause"), "-n2"]);
        assert_eq!(document["verdict"], "inconclusive", "{document:#}");
        let reason = document["reason"].as_str().expect("a reason");
        if reason == expected {
            return;
        }
        reasons.push(reason.to_owned());
    }
    panic!("{reasons:#?}");
}

#[test]
fn two_hundred_requests_at_once_are_one_step() {
    let server = Server::start(&["--workers=1"]);
    let url = format!("{}/coroutine?from=5&period=200ms", server.address);
    expect(&url, &["-n200"], "concurrent", Some(200));
}

#[test]
fn a_request_of_two_milliseconds_is_inconclusive() {
    let server = node();
    let document = expect(&url(&server, "/quick"), &[], "inconclusive", None);
    let reason = document["reason"].as_str().expect("a reason");
    assert!(reason.contains("too short to judge"), "{reason}");
}
