//! What Prometheus reports, and what nginx does, when a replica is blocked or killed.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use holdup_testkit::client::{Tick, get};
use holdup_testkit::pause;
use serde_json::Value;

use crate::fleet::{Fleet, Load, waited};

/// Is shown although the test passes.
fn report(line: &str) {
    writeln!(io::stderr(), "{line}").expect("stderr is open");
}

#[test]
fn a_blocked_worker_is_reported_with_its_replica_and_its_route() {
    let fleet = Fleet::start();
    let load = Load::start(fleet.nginx, &["/coroutine?from=2&period=50ms"]);
    let mut blocking = get(fleet.nginx, "/blocking?from=60");
    let replica = blocking.headers["x-holdup-replica"].clone();
    blocking.tick().expect("the first tick");
    let began = Instant::now();

    let alert = waited("the alert", || fleet.firing("HoldupWorkerBlocked").pop());
    let seen = began.elapsed();
    let all = fleet.firing("HoldupWorkerBlocked");
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(alert["labels"]["instance"], *replica, "{alert}");
    assert_eq!(alert["labels"]["route"], "GET /blocking", "{alert}");
    let summary = alert["annotations"]["summary"].as_str().expect("a text");
    let begins = format!("GET /blocking has blocked a worker of {replica} for ");
    assert!(summary.starts_with(&begins), "{summary}");
    report(&format!(
        "HoldupWorkerBlocked fired {:.1} s after the hold began: {summary}",
        seen.as_secs_f64()
    ));

    // Its console answers, so the replica is not said to be down.
    assert_eq!(fleet.firing("HoldupReplicaDown"), Vec::<Value>::new());
    // The client leaves, and the hold ends.
    drop(blocking);
    waited("the end of the alert", || {
        fleet.firing("HoldupWorkerBlocked").is_empty().then_some(())
    });
    load.end();
}

#[test]
fn a_replica_without_a_free_worker_is_reported() {
    let fleet = Fleet::start();
    let lab = &fleet.labs[0];
    // actix gives connections to its two workers in turn.
    let blocking = [1, 2].map(|_| get(lab.address, "/blocking?from=60"));
    let alert = waited("the alert", || fleet.firing("HoldupNoWorkerFree").pop());
    assert_eq!(alert["labels"]["instance"], *lab.name, "{alert}");
    let summary = "All 2 workers of lab-1 are blocked";
    assert_eq!(alert["annotations"]["summary"], summary);
    drop(blocking);
    waited("the end of the alert", || {
        fleet.firing("HoldupNoWorkerFree").is_empty().then_some(())
    });
}

/// A stream: the replica that sent it, its ticks, and whether it came to its proper end.
struct Streamed {
    replica: String,
    ticks: Vec<Tick>,
    is_whole: bool,
}

fn streamed(address: SocketAddr) -> Streamed {
    let mut reply = get(address, "/coroutine?from=200&period=100ms");
    let replica = reply.headers["x-holdup-replica"].clone();
    let mut ticks = Vec::new();
    // nginx may pass two ticks on together if it comes late to them.
    while let Ok(Some(chunk)) = reply.chunk() {
        let at = Instant::now();
        for line in chunk.lines() {
            let json = serde_json::from_str(line).expect("JSON");
            ticks.push(Tick { at, json });
        }
    }
    let is_whole = ticks.last().is_some_and(|tick| tick.remaining() == 0);
    Streamed {
        replica,
        ticks,
        is_whole,
    }
}

#[test]
fn the_streams_of_the_others_go_on_when_a_replica_is_killed() {
    const STREAMS: usize = 12;
    let fleet = Fleet::start();
    let streams: Vec<_> = (0..STREAMS)
        .map(|_| {
            let address = fleet.nginx;
            thread::spawn(move || streamed(address))
        })
        .collect();
    let open = |lab: usize| {
        let requests = get(fleet.labs[lab].console, "/requests").rest();
        let requests: Value = serde_json::from_str(&requests).expect("JSON");
        requests["requests"].as_array().expect("a list").len()
    };
    let counts = waited("all streams", || {
        let counts = [0, 1, 2].map(open);
        (counts.iter().sum::<usize>() == STREAMS).then_some(counts)
    });
    // nginx takes the labs in turn.
    assert_eq!(counts, [STREAMS / 3; 3]);
    // Ticks have arrived from each.
    pause(Duration::from_secs(1));
    let killed = Instant::now();
    fleet.labs[0].kill();

    // nginx sends every new request to the others.
    let mut answered = BTreeMap::<_, u32>::new();
    for number in 0..60 {
        let reply = get(fleet.nginx, "/healthz");
        assert_eq!(reply.status, 200, "request {number} after the kill");
        let replica = reply.headers["x-holdup-replica"].clone();
        *answered.entry(replica).or_default() += 1;
    }
    let others: Vec<_> = answered.keys().collect();
    assert_eq!(others, ["lab-2", "lab-3"], "{answered:?}");
    let streams = streams.into_iter().map(JoinHandle::join);
    let streams = streams.map(|told| told.expect("no panic"));
    let (whole, cut): (Vec<_>, Vec<_>) = streams.partition(|one| one.is_whole);
    let cut: Vec<_> = cut.iter().map(|one| &*one.replica).collect();
    assert_eq!(cut, ["lab-1"; STREAMS / 3]);
    let mut longest = Duration::ZERO;
    for Streamed { ticks, .. } in &whole {
        let remaining: Vec<_> = ticks.iter().map(Tick::remaining).collect();
        assert_eq!(remaining, (0..=200).rev().collect::<Vec<_>>());
        assert!(ticks[200].at > killed, "it went on");
        let gaps = ticks.windows(2).map(|pair| pair[1].at - pair[0].at);
        longest = longest.max(gaps.max().expect("many ticks"));
    }
    report(&format!(
        "{} streams with a tick every 100 ms went on after a SIGKILL of one of three replicas; longest gap {} ms",
        whole.len(),
        longest.as_millis()
    ));
    assert!(longest < Duration::from_secs(5), "{longest:?}");

    let said = "lab-1 was killed by signal 9";
    waited(said, || {
        fleet.said().iter().any(|line| line == said).then_some(())
    });
    let alert = waited("the alert", || fleet.firing("HoldupReplicaDown").pop());
    assert_eq!(alert["labels"]["instance"], "lab-1", "{alert}");
}
