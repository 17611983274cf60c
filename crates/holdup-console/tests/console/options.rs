//! The settings of the builder other than buttons and names.

use std::time::Duration;

use actix_web::web;
use actix_web::{App, HttpResponse};
use holdup_console::{Builder, Button, Console, Parameter, Section, StartError};
use holdup_testkit::app::{Served, serve};
use holdup_testkit::client::Reply;
use holdup_testkit::pause;
use holdup_watch::Watch;

use super::*;

/// An app that answers immediately, or blocks its worker for 150 ms first.
fn app(watch: &Watch) -> Served {
    let watch = watch.clone();
    serve(move || {
        let block = async || {
            pause(Duration::from_millis(150));
            HttpResponse::Ok().finish()
        };
        App::new()
            .route("/block", web::get().to(block))
            .wrap(watch.clone())
    })
}

fn builder(watch: &Watch) -> Builder {
    Console::builder(watch, "127.0.0.1:0")
}

fn started(builder: Builder) -> (Console, SocketAddr) {
    let console = builder.start().expect("a console");
    let address = console.address();
    (console, address)
}

/// What the console says of itself when `met` by it.
fn state_when(console: SocketAddr, met: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = state(console);
        if met(&now) {
            return now;
        }
        assert!(Instant::now() < deadline, "{now}");
        pause(Duration::from_millis(20));
    }
}

#[test]
fn the_number_of_lanes_can_be_set() {
    let watch = Watch::new();
    let served = app(&watch);
    let (_console, address) = started(builder(&watch).lanes(3));
    for n in 0..5 {
        assert_eq!(get(served.address, &format!("/{n}")).status, 404);
    }
    let state = state_when(address, |state| state["totals"]["finished"] == 5);
    let lanes = state["lanes"].as_array().expect("lanes");
    let paths: Vec<_> = lanes.iter().map(|lane| &lane["path"]).collect();
    assert_eq!(paths, ["/2", "/3", "/4"]);
    assert_eq!(state["limits"]["lanes"], 3);
}

#[test]
fn the_number_of_readers_can_be_set() {
    let watch = Watch::new();
    let (_console, address) = started(builder(&watch).readers(1).connections(3));
    let mut first = Events::read(address);
    assert!(first.next().is_some());
    let second = get(address, "/events");
    assert_eq!(second.status, 503);
    let told = second.rest();
    assert!(
        told.contains("all 1 places for readers are taken"),
        "{told}"
    );
}

#[test]
fn the_histogram_buckets_can_be_set() {
    let watch = Watch::new();
    let served = app(&watch);
    let buckets = [125, 5000].map(Duration::from_millis);
    let (_console, address) = started(builder(&watch).histogram_buckets(buckets));
    assert_eq!(get(served.address, "/block").status, 200);
    state_when(address, |state| !state["holds"][0].is_null());
    let figures = get(address, "/metrics").rest();
    let bounds: Vec<_> = figures
        .lines()
        .filter(|line| line.starts_with("holdup_hold_duration_seconds_bucket{"))
        .filter_map(|line| line.split("le=\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(bounds, ["0.125", "5", "+Inf"], "{figures}");
}

#[test]
fn the_longest_round_can_be_set() {
    let watch = Watch::new();
    let second = Duration::from_secs(1);
    let naps = Button::new("/nap")
        .parameter(Parameter::integer("naps", 1..=5))
        .expects(move |values| second * u32::try_from(values.integer("naps")).expect("5 at most"));
    let console = builder(&watch)
        .app("http://127.0.0.1:1")
        .button(naps)
        .longest_round(8 * second);
    let (_console, address) = started(console);
    let asked = |naps| {
        let body = format!(r#"{{"button":0,"requests":2,"naps":{naps}}}"#);
        order(address, JSON, &body)
    };
    let (status, problem) = asked(5);
    assert_eq!(status, 400);
    assert_eq!(
        problem["detail"],
        "requests, naps is \"requests=2, naps=5\"; allowed: values with which a round takes at most \
         8 s, not 10 s"
    );
    assert_eq!(asked(4).0, 202);
}

#[test]
fn a_bound_out_of_range_is_refused_at_the_start() {
    let watch = Watch::new();
    for (builder, told) in [
        (builder(&watch).lanes(0), "Builder::lanes is 0"),
        (builder(&watch).readers(0), "Builder::readers is 0"),
        (
            builder(&watch).connections(16),
            "Builder::connections is 16; allowed: 17 to 20000",
        ),
        (
            builder(&watch).longest_round(Duration::ZERO),
            "Builder::longest_round is 0ns; allowed: 1s to 3600s",
        ),
        (
            builder(&watch).unread_timeout(Duration::from_millis(1)),
            "Builder::unread_timeout is 1ms; allowed: 1s to 3600s",
        ),
        (
            builder(&watch).histogram_buckets([]),
            "Builder::histogram_buckets is []; allowed: one or more",
        ),
    ] {
        let error = builder.start().expect_err(told);
        assert!(matches!(error, StartError::Bound { .. }), "{error}");
        assert!(error.to_string().starts_with(told), "{error}");
    }
}

/// The sources to which the page's policy allows connections.
fn connects_to(page: &Reply) -> &str {
    let policy = &page.headers["content-security-policy"];
    let connects = policy.split("connect-src ").nth(1).expect("it is there");
    connects.split(';').next().expect("a list")
}

#[test]
fn a_section_that_the_app_adds_is_part_of_the_page() {
    let watch = Watch::new();
    let section = |name: &str| {
        let html = format!("<section id=\"{name}\">its own</section>");
        Section::new(name, html, "// its script")
    };
    let console = builder(&watch)
        .app("http://127.0.0.1:9")
        .public_url("https://app.example:8443/")
        .intro("Try it at {app}:", ["curl {app}/report"])
        .section(section("orders"));
    let (_console, address) = started(console.clone());
    let page = get(address, "/");
    assert_eq!(connects_to(&page), "'self'");
    let page = page.rest();
    assert!(page.contains("<section id=\"orders\">its own</section>"));
    assert!(page.contains("<script type=\"module\" src=\"/section/orders.js\"></script>"));
    let script = get(address, "/section/orders.js");
    assert_eq!(
        script.headers["content-type"],
        "text/javascript; charset=utf-8"
    );
    assert_eq!(script.rest(), "// its script");
    assert_eq!(get(address, "/section/others.js").status, 404);
    let told = state(address);
    assert_eq!(told["app_url"], "https://app.example:8443");
    assert_eq!(
        told["intro"]["commands"][0],
        "curl https://app.example:8443/report"
    );
    assert_eq!(
        told["intro"]["sentence"],
        "Try it at https://app.example:8443:"
    );

    let asks = section("live").connects_to_app();
    let (_console, address) = started(console.clone().section(asks));
    assert_eq!(
        connects_to(&get(address, "/")),
        "'self' https://app.example:8443"
    );

    for name in ["", "Orders", "a/b", "../x", "orders"] {
        let error = console.clone().section(section(name)).start();
        let error = error.expect_err(name);
        assert!(matches!(error, StartError::Section { .. }), "{error}");
        assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
    let error = builder(&watch).public_url("app.example").start();
    assert!(matches!(error, Err(StartError::App { .. })));
}

#[test]
fn without_an_app_its_url_is_unknown() {
    let watch = Watch::new();
    let (_console, address) = started(builder(&watch));
    let told = state(address);
    assert!(
        told["app_url"].is_null() && told["intro"].is_null(),
        "{told}"
    );
    assert_eq!(told["buttons"], serde_json::json!([]));
}
