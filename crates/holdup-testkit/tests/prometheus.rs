//! What Prometheus and promtool make of an exposition.

use actix_web::{App, HttpResponse, web};

use holdup_testkit::app::serve;
use holdup_testkit::prometheus::{Prometheus, check_metrics};

const GOOD: &str = "\
# HELP holds_total Times that a worker was held.
# TYPE holds_total counter
holds_total{route=\"/a b\"} 42
";

#[test]
fn promtool_accepts_a_good_exposition_and_rejects_a_bad_one() {
    check_metrics(GOOD).expect("a good one");
    let twice = check_metrics(&GOOD.repeat(2)).expect_err("the same series twice");
    assert!(twice.contains("holds_total"), "{twice}");
    let unnamed = check_metrics("# TYPE holds counter\nholds 1\n").expect_err("a bad name");
    assert!(unnamed.contains("_total"), "{unnamed}");
}

#[test]
fn prometheus_scrapes_an_app() {
    let app = serve(|| {
        let metrics = || async { HttpResponse::Ok().content_type("text/plain").body(GOOD) };
        App::new().route("/metrics", web::get().to(metrics))
    });
    let prometheus = Prometheus::start(app.address, "/metrics");
    let expression = "sum by (route) (holds_total)";
    let found = prometheus.query_until(expression, |result| result[0].is_object());
    assert_eq!(found[0]["metric"]["route"], "/a b", "{found}");
    assert_eq!(found[0]["value"][1], "42", "{found}");
    assert_eq!(prometheus.query("up")[0]["value"][1], "1");
}
