//! The figures for Prometheus.

use std::time::Duration;

use actix_web::{App, HttpResponse, web};
use holdup_testkit::app::serve;
use holdup_testkit::pause;
use holdup_testkit::prometheus::{Prometheus, check_metrics};
use holdup_watch::Watch;

use super::waits::{Shared, ask, line_of, locks};
use super::*;

/// The lines of `/metrics` of one metric, in order.
fn lines(console: SocketAddr, name: &str) -> Vec<String> {
    let figures = get(console, "/metrics").rest();
    check_metrics(&figures).unwrap_or_else(|complaint| panic!("{complaint}\n{figures}"));
    let lines = figures.lines().filter(|line| line.starts_with(name));
    let mut lines: Vec<_> = lines.map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn await_points_are_told_to_whoever_scrapes_and_are_zero_when_nobody_waits_there() {
    let (watch, shared) = (Watch::new(), Shared::new());
    let served = locks(&watch, &shared);
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0");
    let console = console.start().expect("a console");
    let clients = ask(served.address, 4);
    let at = |comment: &str| format!("{{at=\"{}\",in=\"", line_of(comment));
    let until = |holder: u32, lock: u32| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lines = lines(console.address(), "holdup_await_point_requests{");
            let is = |comment, requests: u32| {
                let ends = format!(" {requests}");
                let of = |line: &&String| line.contains(&at(comment)) && line.ends_with(&ends);
                lines.iter().any(|line| of(&line))
            };
            if is("the holder", holder) && is("the lock", lock) {
                return lines;
            }
            assert!(Instant::now() < deadline, "{lines:#?}");
            pause(Duration::from_millis(100));
        }
    };
    let lines = until(1, 3);
    let is_lock = |line: &&String| line.contains(&at("the lock"));
    let lock = lines.iter().find(is_lock).expect("it was there");
    assert!(lock.contains("Mutex::lock\"}"), "{lock}");
    shared.go_on.close();
    for client in clients {
        assert_eq!(client.join().expect("an answer"), 200);
    }
    until(0, 0);
}

#[test]
fn a_route_is_counted_under_its_own_name_whatever_is_in_it() {
    let watch = Watch::new();
    let patterns = [
        r"/a<b>/{id:\d+}",
        "/{name:<b>|[0-9]+}",
        "/\"quoted\" & \\one",
    ];
    let served = {
        let watch = watch.clone();
        serve(move || {
            let block = async || {
                pause(Duration::from_millis(150));
                HttpResponse::Ok().finish()
            };
            let app = patterns.iter().fold(App::new(), |app, path| {
                app.route(path, web::get().to(block))
            });
            app.wrap(watch.clone())
        })
    };
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0");
    let console = console.start().expect("a console");
    for path in ["/a%3Cb%3E/12", "/%3Cb%3E", "/%22quoted%22%20&%20%5Cone"] {
        assert_eq!(get(served.address, path).status, 200, "{path}");
    }
    let prometheus = Prometheus::start(console.address(), "/metrics");
    for pattern in patterns {
        let route = serde_json::to_string(&format!("GET {pattern}")).expect("a string");
        for name in [
            "hold_duration_seconds_count",
            "held_up_duration_seconds_count",
        ] {
            let expression = format!("holdup_{name}{{route={route}}}");
            prometheus.query_until(&expression, |found| found[0]["value"][1] == "1");
        }
        let blocked = format!("holdup_blocked_seconds_total{{route={route}}}");
        prometheus.query_until(&blocked, |found| found[0].is_object());
    }
    assert!(lines(console.address(), "holdup_blocked_seconds_total{").len() >= patterns.len());
}
