//! What two clients receive on real connections: order, liveness, places, leaving.

use std::io::{Read as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use holdup_testkit::client::{Tick, connect, get};
use serde_json::Value;

use crate::server::Server;

/// Two clients of one handler. The second sends its request when the first has received a tick.
fn two_clients(server: &Server, handler: &str) -> (Vec<Tick>, Vec<Tick>) {
    let path = |x| format!("/{handler}?from=3&period=200ms&x={x}");
    let mut first = get(server.address, &path("A"));
    let first_tick = first.tick().expect("a first tick");
    let (address, second) = (server.address, path("B"));
    let second = thread::spawn(move || get(address, &second).ticks());
    let mut first_ticks = vec![first_tick];
    first_ticks.extend(first.ticks());
    (
        first_ticks,
        second.join().expect("the second client reads to the end"),
    )
}

fn assert_counts_down_live(ticks: &[Tick], label: &str) {
    let remaining: Vec<_> = ticks.iter().map(Tick::remaining).collect();
    assert_eq!(remaining, [3, 2, 1, 0], "{ticks:?}");
    assert!(
        ticks.iter().all(|tick| tick.json["x"] == label),
        "{ticks:?}"
    );
    // A burst at the end would arrive within a few milliseconds; live ticks take three periods.
    let spread = ticks[3].at - ticks[0].at;
    assert!(
        spread >= Duration::from_millis(300),
        "not live, {spread:?}: {ticks:?}"
    );
}

#[test]
fn a_blocking_countdown_is_live_and_the_next_begins_when_it_has_ended() {
    let server = Server::start(&[]);
    let (first, second) = two_clients(&server, "blocking");
    assert_counts_down_live(&first, "A");
    assert_counts_down_live(&second, "B");
    // The last tick of the first and the first tick of the second are sent at the same moment and read by
    // two threads, so their order is that of the server's log.
    assert!(
        first[2].at < second[0].at,
        "first {first:?}, second {second:?}"
    );
    let [ended, started] = server.logged_when("the end of A and the start of B", |lines| {
        let place = |message: &str, x: &str| {
            let stream = lines.iter().find(|line| line["x"] == x)?["stream"].clone();
            let is_it = |line: &Value| line["message"] == message && line["stream"] == stream;
            lines.iter().position(is_it)
        };
        Some([place("stream ended", "A")?, place("stream started", "B")?])
    });
    assert!(ended < started, "the log's lines {ended} and {started}");
}

#[test]
fn clients_that_wait_longer_than_actixs_default_time_out_are_still_served() {
    let server = Server::start(&[]);
    let mut first = get(server.address, "/blocking?from=6&period=1s");
    first.tick().expect("a first tick");
    let address = server.address;
    let waiting = ["blocking", "blocking", "coroutine"].map(|handler| {
        thread::spawn(move || get(address, &format!("/{handler}?from=1&period=1s")))
    });
    assert_eq!(first.ticks().len(), 6);
    for client in waiting {
        assert_eq!(client.join().expect("an answer").status, 200);
    }
}

#[test]
fn each_cure_lets_the_second_client_start_at_once() {
    let server = Server::start(&[]);
    for handler in ["coroutine", "callback", "threadpool"] {
        let (first, second) = two_clients(&server, handler);
        assert_counts_down_live(&first, "A");
        assert_counts_down_live(&second, "B");
        assert!(
            second[0].at < first[3].at,
            "{handler}: first {first:?}, second {second:?}"
        );
    }
}

#[test]
fn two_workers_run_two_blocking_countdowns_side_by_side() {
    let server = Server::start(&["--workers", "2"]);
    let (first, second) = two_clients(&server, "blocking");
    assert!(
        second[0].at < first[3].at,
        "first {first:?}, second {second:?}"
    );
    assert_ne!(first[0].json["worker"], second[0].json["worker"]);
}

#[test]
fn a_health_check_waits_for_a_blocking_countdown_and_for_no_other() {
    let server = Server::start(&[]);
    for (handler, waits) in [("blocking", true), ("coroutine", false)] {
        let mut countdown = get(server.address, &format!("/{handler}?from=3&period=200ms"));
        countdown.tick().expect("a first tick");
        let rest = thread::spawn(move || countdown.ticks());
        let health = get(server.address, "/healthz");
        assert_eq!(health.body(), "ok\n");
        let healthy_at = std::time::Instant::now();
        let rest = rest.join().expect("the countdown is read to the end");
        let ended_at = rest.last().expect("ticks").at;
        assert_eq!(
            waits,
            ended_at <= healthy_at + Duration::from_millis(100),
            "{handler}"
        );
    }
}

#[test]
fn a_blocking_countdown_delivered_whole_comes_at_the_end_with_its_length() {
    let server = Server::start(&[]);
    for handler in ["blocking", "coroutine", "callback", "threadpool"] {
        let reply = get(
            server.address,
            &format!("/{handler}?from=2&period=50ms&deliver=whole"),
        );
        assert_eq!(reply.status, 200);
        assert!(!reply.headers.contains_key("transfer-encoding"));
        let body = reply.body();
        let elapsed: Vec<f64> = body
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
            .map(|tick| tick["elapsed_ms"].as_f64().expect("a number"))
            .collect();
        assert_eq!(elapsed.len(), 3, "{body}");
        assert!(elapsed[1] >= 50.0 && elapsed[2] >= 100.0, "{body}");
    }
}

#[test]
fn ticks_are_numbered_and_contain_their_lateness() {
    let server = Server::start(&[]);
    for number in 1..=2 {
        let ticks = get(server.address, "/coroutine?from=3&period=20ms").ticks();
        for (k, tick) in (0u32..).zip(&ticks) {
            let ms = |key: &str| tick.json[key].as_f64().expect("a number");
            assert_eq!(tick.json["stream"], number);
            assert_eq!(tick.json["worker"], 0);
            assert!(tick.json.get("x").is_none());
            let due = f64::from(k) * 20.0;
            assert!(
                (ms("elapsed_ms") - due - ms("late_ms")).abs() < 0.25,
                "{tick:?}"
            );
        }
    }
}

#[test]
fn an_answer_on_a_kept_connection_does_not_wait_for_acknowledgements() {
    let server = Server::start(&[]);
    let mut connection = connect(server.address);
    let mut ask = || {
        let asked = Instant::now();
        connection
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: lab\r\n\r\n")
            .expect("sent");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok\n") {
            let mut part = [0; 1024];
            let length = connection.read(&mut part).expect("an answer");
            assert!(length > 0, "{answer:?}");
            answer.extend_from_slice(&part[..length]);
        }
        asked.elapsed()
    };
    // The first few segments are acknowledged immediately.
    let fastest = (0..40).map(|_| ask()).skip(20).min();
    // The shortest delay with which Linux acknowledges a segment (TCP_DELACK_MIN).
    assert!(fastest < Some(Duration::from_millis(40)), "{fastest:?}");
}

#[test]
fn a_client_that_leaves_ends_its_stream() {
    let server = Server::start(&[]);
    for (number, handler) in (1..).zip(["coroutine", "callback", "threadpool", "blocking"]) {
        // The countdown would take twelve seconds if the client stayed.
        let mut reply = get(server.address, &format!("/{handler}?from=600&period=20ms"));
        reply.tick().expect("a first tick");
        drop(reply);
        let end = server.stream_ended(number);
        assert_eq!(
            (&end["ended"], &end["open"]),
            (&"client left".into(), &0.into()),
            "{end}"
        );
        assert_eq!(end["handler"], handler);
    }
}

#[test]
fn when_all_places_are_taken_the_next_gets_503_until_one_is_free() {
    let server = Server::start(&["--max-streams", "2"]);
    let path = "/coroutine?from=600&period=50ms";
    let mut first = get(server.address, path);
    let mut second = get(server.address, path);
    first.tick().expect("a first tick");
    second.tick().expect("a first tick");

    let third = get(server.address, path);
    assert_eq!(third.status, 503);
    assert_eq!(third.headers["retry-after"], "1");
    assert_eq!(third.headers["content-type"], "application/problem+json");
    assert!(third.body().contains("2 streams are open"));
    // Requests that count nothing need no place.
    assert_eq!(get(server.address, "/healthz").status, 200);

    drop(first);
    server.stream_ended(1);
    assert_eq!(get(server.address, path).status, 200);
    second.tick().expect("the other stream goes on");
}

#[test]
fn with_few_open_files_every_one_of_200_clients_gets_an_answer() {
    let mut limited = std::process::Command::new("sh");
    let command = "ulimit -n 120; exec \"$0\" serve";
    limited.args(["-c", command, env!("CARGO_BIN_EXE_holdup")]);
    let server = Server::start_as(limited);
    let line = server.logged("the start", |line| line["message"] == "lab is listening");
    assert_eq!(line["max_streams"], 72);

    let clients: Vec<_> = (0..200)
        .map(|_| {
            let address = server.address;
            thread::spawn(move || {
                let reply = get(address, "/coroutine?from=2&period=20ms");
                let status = reply.status;
                if status == 200 {
                    assert_eq!(reply.ticks().len(), 3);
                } else {
                    assert_eq!(reply.headers["retry-after"], "1");
                }
                status
            })
        })
        .collect();
    let statuses: Vec<_> = clients
        .into_iter()
        .map(|c| c.join().expect("an answer"))
        .collect();
    assert!(
        statuses.iter().all(|status| [200, 503].contains(status)),
        "{statuses:?}"
    );
    assert!(statuses.contains(&200));
    assert_eq!(
        get(server.address, "/coroutine?from=1&period=1ms")
            .ticks()
            .len(),
        2
    );
}

#[test]
fn curl_in_two_terminals_shows_the_blocking() {
    let curl = |server: &Server, handler: &str, x: &str| {
        let url = format!(
            "http://{}/{handler}?from=2&period=200ms&x={x}",
            server.address
        );
        let mut curl = std::process::Command::new("curl");
        curl.args(["--no-buffer", "--silent", "--show-error", "--fail", &url]);
        curl.output().expect("curl is installed")
    };
    let server = Server::start(&[]);
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| curl(&server, "blocking", "1"));
        server.logged("the first stream", |line| {
            line["message"] == "stream started"
        });
        let second = curl(&server, "blocking", "2");
        (first.join().expect("curl runs"), second)
    });
    for output in [&first, &second] {
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 3);
    }
    // The second request was not even read before the first countdown had ended.
    let events: Vec<_> = [("stream started", 2), ("stream ended", 1)]
        .map(|(message, stream)| {
            let line = server.logged(message, |line| {
                line["message"] == message && line["stream"] == stream
            });
            line["timestamp"].as_str().expect("a time").to_owned()
        })
        .to_vec();
    assert!(events[0] >= events[1], "{events:?}");
}
