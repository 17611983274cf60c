//! The figures of the lab, as a real Prometheus reads them.

use std::thread;

use holdup_testkit::client::Reply;
use holdup_testkit::prometheus::{Prometheus, check_metrics};

use super::*;
use crate::server::Server;

/// The value of the first series of a result; NaN if there is none.
fn value(result: &Value) -> f64 {
    let text = result[0]["value"][1].as_str();
    text.and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

#[test]
fn a_prometheus_reads_the_figures() {
    let server = Server::start(&[]);
    let (address, console) = (server.address, server.console());
    let prometheus = Prometheus::start(console, "/metrics");
    let until = |expression: &str, wanted: &dyn Fn(f64) -> bool| {
        value(&prometheus.query_until(expression, |result| wanted(value(result))))
    };
    let until_is = |expression: &str, number: &str| {
        prometheus.query_until(expression, |result| result[0]["value"][1] == number);
    };

    // One worker. Three countdowns are held up by a fourth one, which blocks it for fifteen seconds.
    let victims: Vec<_> = (0..3)
        .map(|n| get(address, &format!("/coroutine?from=12&format=ndjson&x={n}")))
        .collect();
    let blocking = thread::spawn(move || get(address, "/blocking?from=15").rest());
    // While it lasts.
    until_is("holdup_workers_held", "1");
    let blocked = "holdup_blocked_seconds_total{route=\"GET /blocking\"}";
    let first = until(blocked, &|seconds| seconds >= 1.0);
    let lasts = until(
        "holdup_current_hold_seconds{route=\"GET /blocking\"}",
        &|seconds| seconds > 1.0,
    );
    assert!(lasts < 16.0, "{lasts}");
    until(blocked, &|seconds| seconds > first);
    assert!(!blocking.is_finished(), "it was counted before it was over");
    blocking.join().expect("it ends");

    // When it is over.
    until_is("holdup_workers_held", "0");
    until_is("max(holdup_current_hold_seconds)", "0");
    let hold = "holdup_hold_duration_seconds_count{kind=\"blocked\",route=\"GET /blocking\",part=\"body\"}";
    until_is(hold, "1");
    let seconds = until(blocked, &|seconds| seconds >= 14.0);
    assert!((14.0..=16.0).contains(&seconds), "{seconds}");

    victims.into_iter().map(Reply::ticks).for_each(drop);
    until_is("holdup_requests_open", "0");
    until_is("holdup_requests_total", "4");
    // Each request is in the histogram of what requests lost, also the one that lost nothing.
    until_is("sum(holdup_held_up_duration_seconds_count)", "4");
    let lost = until(
        "holdup_held_up_duration_seconds_sum{route=\"GET /coroutine\"}",
        &|lost| lost > 15.0,
    );
    let counted = value(&prometheus.query("holdup_held_up_seconds_total{by=\"GET /blocking\"}"));
    assert!((lost - counted).abs() <= 1.5, "{lost} s, {counted} s");
    let p99 = "histogram_quantile(0.99, sum by (le) (holdup_held_up_duration_seconds_bucket))";
    assert!(value(&prometheus.query(p99)) >= 5.0);
    until_is("holdup_workers", "1");

    let text = get(console, "/metrics").rest();
    check_metrics(&text).unwrap_or_else(|complaint| panic!("{complaint}\n{text}"));
}
