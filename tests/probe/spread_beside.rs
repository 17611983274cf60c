//! `--spread` with `--beside`: by which connections wait for a request that holds its worker.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use holdup_testkit::pause;
use serde_json::Value;

use super::spread::{LOGGED, is_of, logged, spread};
use super::{REPEATS, probe};
use crate::server::Server;

/// How many requests beside the one that held its worker fell on the same worker, in each round, by the lab's log.
fn frozen_by_log(lab: &Server, connections: usize) -> Vec<u64> {
    logged(lab, "beside", Some(connections));
    lab.logged_when("all rounds", |lines| {
        let of = |kind: String| {
            let is_of = move |line: &&Value| {
                let label = line["x"].as_str().unwrap_or_default();
                line["message"] == "stream started" && is_of(label, &kind)
            };
            lines
                .iter()
                .filter(is_of)
                .map(|line| line["worker"].clone())
        };
        let round = |number: usize| {
            let held = of(format!("held{number}")).next()?;
            let beside = of(format!("beside{number}-"));
            Some(beside.filter(|worker| *worker == held).count() as u64)
        };
        (1..=5).map(round).collect()
    })
}

#[test]
fn connections_that_wait_show_how_many_workers_there_are() {
    // On a busy machine, an answer may come too late to be clear.
    let patience = 3 * REPEATS;
    for repeat in 0..=patience {
        let lab = Server::start(&["--workers=4"]);
        let held = format!("{}/blocking?from=4&period=250ms", lab.address);
        let beside = format!("{}{LOGGED}", lab.address);
        let spread = spread(&[&held, "--spread=100", "--beside", &beside]);
        let rounds = spread["frozen"]["rounds"].as_array().cloned();
        let rounds = rounds.unwrap_or_default();
        let unclear = |round: &Value| round["unclear"] != 0 || round["failed"] != 0;
        if (rounds.is_empty() || rounds.iter().any(unclear)) && repeat < patience {
            continue;
        }
        assert_eq!(rounds.len(), 5, "{spread:#}");
        let frozen: Vec<_> = rounds
            .iter()
            .map(|round| round["frozen"].as_u64())
            .collect();
        let own = frozen_by_log(&lab, 100);
        let own: Vec<_> = own.into_iter().map(Some).collect();
        assert_eq!(frozen, own, "{spread:#}");
        assert_eq!(spread["verdict"], "even", "{spread:#}");
        let workers = &spread["frozen"]["workers"];
        let number = |end: &str| workers[end].as_f64().expect("a number");
        assert!(
            number("least") <= 4.0 && number("most") >= 4.0,
            "{spread:#}"
        );
        return;
    }
}

#[test]
fn without_workers_that_are_held_nothing_waits() {
    let lab = Server::start(&["--workers=2"]);
    let free = format!("{}/coroutine?from=4&period=150ms", lab.address);
    let beside = format!("{}/healthz", lab.address);
    // On a busy machine, an answer may come too late to be clear.
    let patience = 3 * REPEATS;
    for repeat in 0..=patience {
        let found = spread(&[&free, "--spread=10", "--beside", &beside]);
        let sentence = found["sentence"].as_str().expect("a sentence");
        let none = sentence.contains("none of 10 connections waited");
        if !none && repeat < patience {
            continue;
        }
        assert!(none, "{sentence}");
        assert_eq!(found["verdict"], "inconclusive", "{found:#}");
        break;
    }
    let soon = spread(&[&beside, "--spread=10", "--beside", &free]);
    let sentence = soon["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("but has to take at least"), "{sentence}");
}

/// Answers at once, or on `/slow` after 0.4 s. After the second request to another path, it answers those with 503, as a
/// balancer does for a server that is gone.
fn fails_later() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let asked = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let asked = Arc::clone(&asked);
            thread::spawn(move || {
                let mut line = String::new();
                let mut reader = BufReader::new(&stream);
                reader.read_line(&mut line).ok();
                // The rest of the head.
                for header in reader.lines().map_while(Result::ok) {
                    if header.is_empty() {
                        break;
                    }
                }
                let status = if line.starts_with("GET /slow") {
                    pause(Duration::from_millis(400));
                    "200 OK"
                } else if asked.fetch_add(1, Ordering::Relaxed) < 2 {
                    "200 OK"
                } else {
                    "503 Service Unavailable"
                };
                let head =
                    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                (&stream).write_all(head.as_bytes()).ok();
            });
        }
    });
    address
}

#[test]
fn an_error_beside_the_request_is_no_answer_of_a_worker() {
    let address = fails_later();
    let (slow, fast) = (format!("{address}/slow"), format!("{address}/fast"));
    let found = spread(&[&slow, "--spread=12", "--beside", &fast]);
    assert_eq!(
        found["sentence"],
        "Inconclusive: 12 of 12 connections failed (refused, cut off, answered with an error, or too late).",
        "{found:#}"
    );
    let lab = Server::start(&[]);
    let (missing, health) = (
        format!("{}/missing", lab.address),
        format!("{}/healthz", lab.address),
    );
    for (measured, beside, told) in [
        (
            &missing,
            &health,
            "a request alone failed: status 404 Not Found",
        ),
        (
            &slow,
            &missing,
            "/missing alone failed: status 404 Not Found",
        ),
    ] {
        let found = spread(&[measured, "--spread=10", "--beside", beside]);
        assert_eq!(found["verdict"], "inconclusive", "{found:#}");
        let sentence = found["sentence"].as_str().expect("a sentence");
        assert!(sentence.contains(told), "{sentence}");
    }
}

#[test]
fn with_beside_a_fifth_of_the_connections_are_open_at_a_time() {
    let lab = Server::start(&[]);
    let (url, beside) = (
        format!("{}/healthz", lab.address),
        format!("{}/coroutine?from=1&period=1ms", lab.address),
    );
    let output = probe(&[&url, "--spread=12", "--beside", &beside, "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(document["at_once"], 3, "{document:#}");
}
