//! The holds that the lab logs and counts for its own handlers.

use std::thread;
use std::time::{Duration, Instant};

use holdup_testkit::client::get;
use holdup_testkit::{PATIENCE, pause};

use crate::server::Server;

#[test]
fn the_labs_blocking_countdown_is_exactly_one_hold_and_the_next_client_another() {
    let server = Server::start(&[]);
    let mut first = get(server.address, "/blocking?from=3&period=200ms");
    first.tick().expect("a first tick");
    let address = server.address;
    let second = thread::spawn(move || get(address, "/blocking?from=2&period=200ms").ticks());
    // This hold is logged while the first countdown is still running: after 0.6 s, and again after
    // one second.
    server.logged("the first hold", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        text.starts_with("GET /blocking (body, ") && text.contains(" holds worker 0 for ")
    });
    assert_eq!(first.ticks().len(), 3);
    assert_eq!(second.join().expect("read to the end").len(), 3);
    let ended = |line: &serde_json::Value| line["duration_ms"].as_f64();
    let two = server.logged_when("the ends of two holds", |lines| {
        let two: Vec<_> = lines
            .iter()
            .filter(|line| ended(line).is_some())
            .cloned()
            .collect();
        (two.len() >= 2).then_some(two)
    });
    assert_eq!(two.len(), 2, "{two:?}");
    // The first poll is short. It counts only if a tick of the clock fell into it.
    for (line, polls, least) in [(&two[0], [4, 5], 590.0), (&two[1], [3, 4], 390.0)] {
        let text = line["message"].as_str().expect("text");
        let named = |n: &u32| text.starts_with(&format!("GET /blocking (body, {n} polls"));
        assert!(
            polls.iter().any(named) && text.contains(" held worker 0 for "),
            "{text}"
        );
        assert!(
            ended(line).is_some_and(|duration| duration >= least),
            "{text}"
        );
    }
}

#[test]
fn a_hold_that_lasts_is_logged_again_after_a_second() {
    let server = Server::start(&[]);
    let mut blocking = get(server.address, "/blocking?from=30&period=1s");
    blocking.tick().expect("a first tick");
    let lasted = |line: &serde_json::Value| {
        let text = line["message"].as_str()?;
        let (_, lasted) = text.split_once(" holds worker 0 for ")?;
        lasted
            .split_once(" so far")
            .map(|(lasted, _)| lasted.to_owned())
    };
    let told = server.logged_when("the hold, twice", |lines| {
        let told: Vec<_> = lines.iter().filter_map(lasted).collect();
        (told.len() >= 2).then_some(told)
    });
    // The hold lasts half a minute, because the first look at it may come late on a busy machine.
    let seconds = |text: &String| match text.split_once(' ') {
        Some((number, "ms")) => number.parse().map(|number: f64| number / 1000.0),
        Some((number, "s")) => number.parse(),
        _ => panic!("{told:?}"),
    };
    let lasted: Vec<_> = told
        .iter()
        .map(|text| seconds(text).expect("a number"))
        .collect();
    let mark = [1.0, 10.0].into_iter().find(|mark| lasted[0] < *mark);
    let mark = mark.expect("it is looked at within ten seconds");
    assert!(lasted[1] >= mark, "{told:?}");
}

#[test]
fn the_metrics_page_answers_while_the_worker_is_held() {
    let server = Server::start(&[]);
    let metrics = server.console();
    let mut blocking = get(server.address, "/blocking?from=30&period=1s");
    blocking.tick().expect("a first tick");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = get(metrics, "/metrics").body();
        if page.contains("\nholdup_workers_held 1\n") {
            assert!(page.contains("# TYPE holdup_polls_total counter"), "{page}");
            break;
        }
        assert!(Instant::now() < deadline, "{page}");
        pause(Duration::from_millis(20));
    }
    // The client leaves long before the countdown ends.
}
