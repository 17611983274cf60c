//! The events that readers receive, and when.

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use holdup_testkit::client::{Reply, connect};
use holdup_testkit::pause;

use super::*;
use crate::server::Server;

#[test]
fn two_blocking_countdowns_are_published_while_the_worker_is_blocked() {
    let server = Server::start(&[]);
    let console = server.console();
    let mut events = Events::read(console);
    let snapshot = events.next().expect("a message");
    assert!(is(&snapshot, "snapshot"), "{snapshot}");
    assert_eq!(snapshot["workers"][0]["held"], Value::Null);

    let lab = server.address;
    let mut first = get(lab, "/blocking?from=4&period=700ms&x=one");
    first.tick().expect("the worker has it");
    let second = thread::spawn(move || get(lab, "/blocking?from=1&period=50ms&x=two").ticks());

    let opened = events.until("the first is opened", |m| is(m, "opened"));
    assert_eq!(opened["path"], "/blocking?from=4&period=700ms&x=one");
    assert_eq!(opened["waited_ms"], Value::Null);
    let told = events.until("the worker is held", |m| is(m, "held"));
    let hold = &told["hold"];
    assert_eq!(hold["culprits"][0]["route"], "/blocking");
    assert_eq!(hold["culprits"][0]["lane"], opened["lane"]);
    assert!(
        hold["ongoing"] == true
            && hold["sentence"]
                .as_str()
                .is_some_and(|s| s.contains("so far"))
    );
    // The second request waits, and the console answers while the worker is blocked.
    events.until("the second waits", |m| {
        is(m, "waiting") && m["waiting"].as_array().is_some_and(|all| all.len() == 1)
    });
    for path in ["/healthz", "/state", "/metrics", "/"] {
        let asked = Instant::now();
        assert_eq!(get(console, path).status, 200, "{path}");
        // The limit is wider than the 50 ms of an idle machine, because this is not a timing test.
        assert!(asked.elapsed() < Duration::from_secs(1), "{path}");
    }
    let now = state(console);
    assert_eq!(
        now["workers"][0]["held"]["culprits"][0]["route"],
        "/blocking"
    );
    assert_eq!(now["waiting"].as_array().map(Vec::len), Some(1));

    let ended = events.until("the first has ended", |m| is(m, "ended"));
    assert_eq!(ended["lane"], opened["lane"]);
    assert!(ended["finished_ms"].is_number(), "{ended}");
    assert_eq!(ended["finished_ms"], ended["ended_ms"]);
    let second_opened = events.until("the second is opened", |m| is(m, "opened"));
    assert!(milliseconds(&second_opened, "opened_ms") >= milliseconds(&ended, "ended_ms"));
    let waited = milliseconds(&second_opened, "waited_ms");
    assert!(waited > 0.0, "{second_opened}");
    assert_eq!(first.ticks().len(), 4);
    assert_eq!(second.join().expect("ticks").len(), 2);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = state(console);
        let waiting = now["waiting"].as_array().map(Vec::len);
        if now["workers"][0]["held"].is_null() && waiting == Some(0) {
            assert_eq!(now["holds"][0]["culprits"][0]["route"], "/blocking");
            break;
        }
        assert!(Instant::now() < deadline, "{now}");
        pause(Duration::from_millis(20));
    }
}

#[test]
fn a_later_reader_gets_the_earlier_lanes_and_the_chunks_from_then_on() {
    let server = Server::start(&[]);
    let console = server.console();
    let mut stream = get(server.address, "/coroutine?from=600&period=100ms&x=old");
    stream.tick().expect("it has begun");
    assert_eq!(get(server.address, "/nowhere").status, 404);
    let deadline = Instant::now() + PATIENCE;
    while state(console)["totals"]["finished"] != 1 {
        assert!(Instant::now() < deadline, "{}", state(console));
        pause(Duration::from_millis(10));
    }
    let mut events = Events::read(console);
    let snapshot = events.next().expect("a message");
    let lanes = snapshot["lanes"].as_array().expect("lanes");
    let by_route = |route: &str| lanes.iter().find(|lane| lane["route"] == route);
    let old = by_route("/coroutine").expect("it was recorded before anybody read");
    assert!(old["ended_ms"].is_null() && old["status"] == 200, "{old}");
    let none = by_route("unmatched").expect("this one, too");
    assert!(
        none["finished_ms"].is_number() && none["status"] == 404,
        "{none}"
    );
    let chunks = events.until("its chunks", |m| is(m, "chunks"));
    assert_eq!(chunks["lane"], old["lane"]);
    let totals = events.until("the time", |m| is(m, "now"))["totals"].clone();
    assert_eq!(
        (&totals["requests"], &totals["open"]),
        (&2.into(), &1.into()),
        "{totals}"
    );
    // Every reader receives the chunks.
    let mut another = Events::read(console);
    another.until("its chunks", |m| is(m, "chunks"));
    drop(stream);
    let cut = |m: &Value| is(m, "ended") && m["finished_ms"].is_null() && m["ended_ms"].is_number();
    events.until("the client has left", cut);
    another.until("the client has left", cut);
}

#[test]
fn only_a_hundred_lanes_are_published_and_the_others_counted() {
    let server = Server::start(&[]);
    let mut events = Events::read(server.console());
    let streams: Vec<_> = (0..130)
        .map(|n| {
            get(
                server.address,
                &format!("/coroutine?from=600&period=60s&x={n}").replace("60s", "100ms"),
            )
        })
        .collect();
    let now = events.until("thirty are hidden", |m| {
        is(m, "now") && m["totals"]["open"] == 130 && m["totals"]["hidden"] == 30
    });
    assert_eq!(now["totals"]["open"], 130);
    let lanes = state(server.console())["lanes"].clone();
    let lanes = lanes.as_array().expect("lanes");
    assert_eq!(lanes.len(), 100);
    let path = lanes[99]["path"].as_str().expect("a path");
    assert!(path.ends_with("x=129"), "the newest are shown: {path}");
    drop(streams);
}

#[test]
fn the_browser_experiments_requests_get_lanes_among_hundreds_of_others() {
    let server = Server::start(&[]);
    let mut events = Events::read(server.console());
    let streams = |first: usize| {
        (first..first + 250).map(|n| {
            let path = format!("/coroutine?from=60&period=1s&x=other-{n}");
            get(server.address, &path)
        })
    };
    let mut open: Vec<_> = streams(0).collect();
    let path = "/coroutine?from=2&period=600ms&x=browser-unique-";
    open.extend([1, 2].map(|n| get(server.address, &format!("{path}{n}"))));
    open.extend(streams(250));
    // The newest of those that wait is drawn first, so either may come first.
    let is_own =
        |m: &Value| is(m, "opened") && m["path"].as_str().is_some_and(|p| p.starts_with(path));
    let lanes = [1, 2].map(|_| events.until("its lane", is_own)["lane"].clone());
    assert_ne!(lanes[0], lanes[1]);
    drop(open);
}

#[test]
fn only_the_beginning_of_a_long_path_is_published() {
    let server = Server::start(&[]);
    let path = format!("/{}", "a".repeat(60_000));
    assert_eq!(get(server.address, &path).status, 404);
    let deadline = Instant::now() + PATIENCE;
    let lane = loop {
        let state = state(server.console());
        if let Some(lane) = state["lanes"].get(0) {
            break lane.clone();
        }
        assert!(Instant::now() < deadline, "no lane");
        pause(Duration::from_millis(10));
    };
    assert_eq!(lane["path"], path[..1024]);
}

#[test]
fn a_reader_that_falls_behind_gets_a_message_and_a_new_one_a_fresh_snapshot() {
    let server = Server::start(&[]);
    let console = server.console();
    // This reader reads nothing. The buffers of its connection fill up, and then it misses events.
    let mut lazy = connect(console);
    lazy.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("sent");
    let streams: Vec<_> = (0..100)
        .map(|n| {
            get(
                server.address,
                &format!("/coroutine?from=600&period=20ms&x={n}"),
            )
        })
        .collect();
    // A hundred lanes with chunks twenty times a second are some 150 kB a second.
    let deadline = Instant::now() + PATIENCE;
    let mut events = Events::read(console);
    events.until("many chunks", |m| {
        assert!(Instant::now() < deadline, "too few chunks: {m}");
        is(m, "now") && m["totals"]["chunks"].as_u64() > Some(60_000)
    });
    let mut lazy = Events::from(Reply::read(lazy).expect("its head"));
    let behind = lazy.until("it is behind", |m| is(m, "behind"));
    assert!(
        behind["detail"]
            .as_str()
            .is_some_and(|text| text.contains("fell behind")),
        "{behind}"
    );
    assert_eq!(lazy.next(), None, "and it ends");
    assert!(is(
        &Events::read(console).next().expect("a message"),
        "snapshot"
    ));
    drop(streams);
}

#[test]
fn there_is_room_for_sixteen_readers() {
    let server = Server::start(&[]);
    let console = server.console();
    let mut readers: Vec<_> = (0..16).map(|_| Events::read(console)).collect();
    for reader in &mut readers {
        assert!(is(&reader.next().expect("a message"), "snapshot"));
    }
    let refused = get(console, "/events");
    assert_eq!(
        (refused.status, refused.headers["retry-after"].as_str()),
        (503, "1")
    );
    drop(readers.pop());
    let deadline = Instant::now() + PATIENCE;
    while get(console, "/events").status != 200 {
        assert!(Instant::now() < deadline, "the place is not free");
        pause(Duration::from_millis(20));
    }
}

#[test]
fn a_trace_has_the_holds_by_worker_and_the_requests_as_tracks() {
    let server = Server::start(&[]);
    let ticks = |path: &str| get(server.address, path).ticks().len();
    // The first poll of a handler may take 10 ms, which would be listed as a cause of its own.
    assert_eq!(ticks("/blocking?from=1&period=1ms"), 2);
    assert_eq!(ticks("/blocking?from=2&period=100ms"), 3);
    let deadline = Instant::now() + PATIENCE;
    // Wait until the worker is free; otherwise the next request is read in the same
    // hold.
    while state(server.console())["holds"][0].is_null() {
        assert!(Instant::now() < deadline, "{}", state(server.console()));
        pause(Duration::from_millis(20));
    }
    assert_eq!(ticks("/coroutine?from=1&period=50ms"), 2);
    let events = loop {
        let reply = get(server.console(), "/trace.json");
        let trace: Value = serde_json::from_str(&reply.rest()).expect("JSON");
        let events = trace["traceEvents"].as_array().expect("events").clone();
        let ended = events.iter().filter(|e| e["ph"] == "e").count();
        if ended == 3 && events.iter().any(|e| e["ph"] == "X") {
            break events;
        }
        assert!(Instant::now() < deadline, "{events:#?}");
        pause(Duration::from_millis(20));
    };
    let hold = events.iter().find(|e| e["ph"] == "X").expect("just found");
    assert_eq!(
        (&hold["name"], &hold["tid"]),
        (&"held by GET /blocking".into(), &1.into()),
        "{hold}"
    );
    assert!(
        hold["dur"].as_f64() >= Some(190_000.0),
        "microseconds: {hold}"
    );
    for begun in events.iter().filter(|e| e["ph"] == "b") {
        let ended = events
            .iter()
            .find(|e| e["ph"] == "e" && e["id"] == begun["id"]);
        let ended = ended.expect("an end for each beginning");
        assert_eq!(ended["name"], begun["name"]);
        assert!(ended["ts"].as_f64() >= begun["ts"].as_f64());
    }
}

#[test]
fn the_labs_index_leads_to_the_console() {
    let server = Server::start(&[]);
    let link = format!("http://127.0.0.1:{}/", server.console().port());
    let text = get(server.address, "/").rest();
    assert!(text.contains(&format!("in a browser: {link}\n")), "{text}");
    let without = Server::start(&["--no-console"]);
    let text = get(without.address, "/").rest();
    assert!(
        !text.contains("in a browser") && !text.contains("{console}"),
        "{text}"
    );
    let elsewhere = Server::start(&["--public-url", "http://lab.example:9000"]);
    assert!(!get(elsewhere.address, "/").rest().contains("in a browser"));
    let lab = state(elsewhere.console())["app_url"].clone();
    assert_eq!(lab, "http://lab.example:9000");
}
