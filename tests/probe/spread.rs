//! `--spread`, against servers that count their own requests.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use holdup_testkit::external::{External, server};
use holdup_testkit::{PATIENCE, pause, schema};
use serde_json::Value;

use super::{probe, url};
use crate::server::Server;

/// How many requests each worker got.
type Counts = BTreeMap<String, u64>;

/// The document, which follows its schema, and the exit code, which follows the document.
pub(super) fn spread(arguments: &[&str]) -> Value {
    let output = probe(&[arguments, &["--json"]].concat());
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    schema::check_spread(&document);
    let code = match document["spread"]["verdict"].as_str() {
        Some("even") => 0,
        Some("uneven") => 1,
        _ => 3,
    };
    assert_eq!(output.status.code(), Some(code), "{document:#}");
    assert!(output.stderr.is_empty(), "{output:?}");
    document["spread"].clone()
}

/// What the prober counted: `fresh` connections, or answers on `kept` ones.
fn found(spread: &Value, of: &str) -> Counts {
    let what = if of == "fresh" {
        "connections"
    } else {
        "answers"
    };
    let workers = spread[of]["workers"].as_array().expect("a list of workers");
    let count = |worker: &Value| {
        let id = match worker["replica"].as_str() {
            Some(replica) => format!("{replica}/{}", worker["worker"].as_str().expect("an id")),
            None => worker["worker"].as_str().expect("an id").to_owned(),
        };
        (id, worker[what].as_u64().expect("a count"))
    };
    workers.iter().map(count).collect()
}

/// Whether a request's label, such as `ab3d-fresh17`, is one of this kind.
pub(super) fn is_of(label: &str, kind: &str) -> bool {
    let name = label.split_once('-').map_or("", |(_, name)| name);
    name.starts_with(kind)
}

/// What the processes of a server counted themselves.
fn counted(server: &External, kind: &str) -> Counts {
    let folder = server.folder.as_ref().expect("a folder");
    let mut counts = Counts::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        let Some(process) = name.strip_prefix("counted-") else {
            continue;
        };
        let lines = fs::read_to_string(&path).expect("text");
        let labels = lines.lines().filter_map(|line| line.strip_prefix("x="));
        let count = labels.filter(|label| is_of(label, kind)).count() as u64;
        if count > 0 {
            counts.insert(process.to_owned(), count);
        }
    }
    counts
}

/// The prober counts what the server counts.
#[track_caller]
fn agree(server: &External, spread: &Value) {
    for kind in ["fresh", "kept"] {
        let own = counted(server, kind);
        assert_eq!(found(spread, kind), own, "{kind}: {spread:#}");
        assert!(!own.is_empty());
    }
    assert_eq!(found(spread, "fresh").values().sum::<u64>(), 100);
}

/// uvicorn says where it will be before its first worker listens.
fn wait_until_it_listens(server: &External) {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(server.address).is_err() {
        assert!(Instant::now() < deadline, "it does not listen");
        pause(Duration::from_millis(20));
    }
}

#[test]
fn uvicorns_workers_are_counted_as_they_count_themselves() {
    for (option, id) in [("--id-header", "x-worker"), ("--id-json", "/worker/pid")] {
        let server = server("uvicorn-spread", &["--workers=4"], &[]);
        wait_until_it_listens(&server);
        let spread = spread(&[&url(&server, "/"), "--spread=100", option, id]);
        agree(&server, &spread);
        // While only the first of them is ready, it does not show what becomes of a kept connection.
        let seen = ["fresh", "kept"].map(|kind| found(&spread, kind).len());
        let stays = if seen.iter().any(|workers| *workers > 1) {
            "stays"
        } else {
            "unclear"
        };
        assert_eq!(spread["kept"]["verdict"], stays, "{spread:#}");
    }
}

#[test]
fn gunicorns_workers_are_counted_and_keep_no_connection() {
    let server = server("gunicorn-spread", &["--workers=3"], &[]);
    let spread = spread(&[
        &url(&server, "/"),
        "--spread=100/3",
        "--id-header=x-worker",
        "-n8",
    ]);
    agree(&server, &spread);
    assert_eq!(spread["kept"]["verdict"], "closed", "{spread:#}");
    assert_eq!(spread["fresh"]["expected"], 3);
}

#[test]
fn nodes_cluster_is_counted_as_it_counts_itself() {
    let server = server("cluster-spread", &[], &[("WORKERS", "4")]);
    let url = url(&server, "/");
    let spread = spread(&[&url, "--spread=100/4", "--id-json=/worker/pid"]);
    agree(&server, &spread);
    assert_eq!(spread["kept"]["verdict"], "stays", "{spread:#}");
}

#[test]
fn an_id_of_each_request_is_no_worker() {
    let server = server("cluster-spread", &[], &[]);
    let url = url(&server, "/request");
    let spread = spread(&[&url, "--spread=50", "--id-header=x-worker"]);
    assert_eq!(spread["verdict"], "inconclusive", "{spread:#}");
    let reason = spread["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("the id seems to number requests"),
        "{reason}"
    );
}

/// A lab's route that logs each request with its worker.
pub(super) const LOGGED: &str = "/coroutine?from=1&period=1ms";

/// The requests of this kind, by worker, from the log of a lab. It waits until all are there.
pub(super) fn logged(lab: &Server, kind: &str, count: Option<usize>) -> Counts {
    lab.logged_when(&format!("{count:?} requests, {kind}"), |lines| {
        let mut counts = Counts::new();
        let mut all = 0;
        for line in lines {
            let label = line["x"].as_str().unwrap_or_default();
            if line["message"] == "stream started" && is_of(label, kind) {
                *counts.entry(line["worker"].to_string()).or_default() += 1;
                all += 1;
            }
        }
        count.is_none_or(|count| count == all).then_some(counts)
    })
}

#[test]
fn the_labs_workers_are_found_without_being_named() {
    let lab = Server::start(&["--workers=4", "--replica=a"]);
    let spread = spread(&[&format!("{}{LOGGED}", lab.address), "--spread=100"]);
    for (kind, count) in [("fresh", 100), ("kept", 300)] {
        let own = logged(&lab, kind, Some(count));
        let own = own
            .into_iter()
            .map(|(worker, count)| (format!("a/{worker}"), count));
        assert_eq!(found(&spread, kind), own.collect(), "{spread:#}");
    }
    assert_eq!(spread["verdict"], "even", "{spread:#}");
    assert_eq!(spread["kept"]["verdict"], "stays", "{spread:#}");
}

#[test]
fn replicas_behind_nginx_are_counted_as_they_count_themselves() {
    for method in ["round_robin", "least_conn"] {
        let names = ["a", "b", "c"];
        let labs = names.map(|name| Server::start(&["--workers=2", "--replica", name]));
        let addresses = [0, 1, 2].map(|lab: usize| labs[lab].address.to_string());
        let upstreams = [method, &addresses[0], &addresses[1], &addresses[2]];
        let server = server("balance", &upstreams, &[]);
        let spread = spread(&[&url(&server, LOGGED), "--spread=120"]);
        for kind in ["fresh", "kept"] {
            let found = found(&spread, kind);
            for (name, lab) in names.iter().zip(&labs) {
                let of = format!("{name}/");
                let of_lab = found.iter().filter_map(|(id, count)| {
                    let worker = id.strip_prefix(&of)?;
                    Some((worker.to_owned(), *count))
                });
                let of_lab: Counts = of_lab.collect();
                let all = usize::try_from(of_lab.values().sum::<u64>()).expect("few");
                assert_eq!(
                    logged(lab, kind, Some(all)),
                    of_lab,
                    "{method} {name}: {spread:#}"
                );
            }
        }
        let all: u64 = found(&spread, "fresh").values().sum();
        assert_eq!(all, 120, "{spread:#}");
        // The other method prefers a replica that has just answered more quickly.
        if method == "round_robin" {
            assert_eq!(spread["verdict"], "even", "{spread:#}");
        }
        // nginx chooses a replica for each request, also on one connection.
        assert_eq!(spread["kept"]["verdict"], "moves", "{spread:#}");
        let replicas = spread["fresh"]["replicas"].as_array().expect("replicas");
        assert_eq!(replicas.len(), 3, "{spread:#}");
    }
}

#[test]
fn a_balancer_with_weights_is_uneven() {
    let labs = ["a", "b"].map(|name| Server::start(&["--replica", name]));
    let heavy = format!("{} weight=7", labs[0].address);
    let light = labs[1].address.to_string();
    let server = server("balance", &["round_robin", &heavy, &light], &[]);
    let spread = spread(&[&url(&server, LOGGED), "--spread=80", "-n2"]);
    assert_eq!(spread["verdict"], "uneven", "{spread:#}");
    let expected = [("a/0", 70), ("b/0", 10)].map(|(id, count)| (id.to_owned(), count));
    assert_eq!(found(&spread, "fresh"), expected.into());
    for (lab, count) in labs.iter().zip([70, 10]) {
        let own = logged(lab, "fresh", Some(count));
        assert_eq!(own.values().sum::<u64>(), count as u64);
    }
    let advice = spread["advice"].to_string();
    assert!(
        advice.contains("the balancer's method and weights"),
        "{advice}"
    );
}

#[test]
fn answers_that_are_not_read_to_their_end_keep_no_connection() {
    let lab = Server::start(&["--workers=2", "--replica=a"]);
    let url = format!("http://{}/coroutine?from=2&period=10ms", lab.address);
    let output = probe(&[&url, "--spread=20", "-n2", "--first=1"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!(
            "About to send 1 request to {url}, then 20 on a connection each, 2 at a time (--spread).\n"
        )
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("20 connections: 10, 10."), "{text}");
    assert!(!text.contains("kept"), "{text}");
    assert!(!text.contains("closes each connection"), "{text}");
    let found = spread(&[&url, "--spread=20", "--first=1"]);
    assert_eq!(found["kept"], Value::Null, "{found:#}");
}

#[test]
fn what_is_expected_of_a_spread_decides_the_exit_code() {
    let lab = Server::start(&["--workers=2"]);
    let url = format!("{}/healthz", lab.address);
    for (arguments, code, told) in [
        (&["--spread=50/2", "--expect=spread=even"][..], 0, ""),
        (
            &["--spread=50/2", "--expect=spread=uneven"],
            1,
            "holdup: expected spread=uneven, but the spread is even: 50 connections: 25, 25",
        ),
        (
            &["--spread=50/10", "--expect=spread=even"],
            1,
            "holdup: expected spread=even, but the spread is uneven: 50 connections: 25, 25, 0, 0",
        ),
        (
            &["--spread=50", "--id-header=x-none", "--expect=spread=even"],
            3,
            "holdup: expected spread=even, which cannot be told: the answers do not say",
        ),
    ] {
        let output = probe(&[&[url.as_str(), "--json"], arguments].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.starts_with(told), "{arguments:?}: {error}");
        assert_eq!(error.is_empty(), told.is_empty(), "{error}");
    }
}

#[test]
fn the_text_has_a_row_for_each_worker_and_says_what_will_be_sent() {
    let lab = Server::start(&["--workers=2", "--replica=a"]);
    let url = format!("http://{}/healthz", lab.address);
    let output = probe(&[&url, "--spread=20", "-n2"]);
    let before = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        before,
        format!(
            "About to send 1 request to {url}, then 20 on a connection each, and 60 on 20 connections that are kept, \
             2 at a time (--spread).\n"
        )
    );
    let text = String::from_utf8_lossy(&output.stdout);
    for line in [
        "20 connections: 10, 10. The 2 workers get them in turn.",
        "a/0  10  ██████████████████████████████  50 % (from 29.9 to 70.1 %)",
        "A kept connection stays with its worker: on each of 20 connections, one worker",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_server_that_says_nothing_is_inconclusive_with_the_flags_that_help() {
    let server = super::node();
    let output = probe(&[&url(&server, "/quick"), "--spread=20"]);
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stdout).replace('\n', " ");
    for part in [
        "Inconclusive: it is not known by what the answers of different workers differ",
        "--id-header NAME names a header",
        "--beside URL",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn options_that_do_not_fit_to_a_spread_are_refused_in_one_sentence() {
    for (arguments, told) in [
        (
            &["--spread=5"][..],
            "is no whole number from 10 to 10000; use for example 100, or 100/4",
        ),
        (
            &["--spread=100/1"],
            "the number of workers is \"1\"; use a whole number, 2 or more",
        ),
        (
            &["--spread=20", "--limit"],
            "so --limit cannot be used with it",
        ),
        (
            &["--spread=20", "--svg=/nowhere/a.svg"],
            "so --svg cannot be used with it",
        ),
        (
            &["--spread=20", "--expect=concurrent"],
            "--expect concurrent cannot be used with --spread",
        ),
        (
            &["--expect=spread=even"],
            "--expect spread=even needs --spread M",
        ),
        (
            &["--spread=20", "--expect=spread=even,spread=uneven"],
            "spread=even and spread=uneven cannot both hold",
        ),
        (
            &["--spread=20", "--id-header=a b"],
            "--id-header: \"a b\" is not the name of a header",
        ),
        (
            &["--spread=20", "--id-json=pid"],
            "--id-json: \"pid\" is not a JSON pointer (RFC 6901)",
        ),
        (
            &["--spread=20", "--id-json=/a", "--id-header=b"],
            "leave one of them out",
        ),
        (
            &["--spread=20", "--id-json=/a", "--first=1"],
            "--id-json needs the whole answer",
        ),
        (&["--id-json=/a"], "--id-json needs --spread M"),
        (&["--id-header=a"], "--id-header needs --spread M"),
        (
            &["--spread=20", "--beside=h/a", "--id-header=b"],
            "so it cannot be used with --id-header",
        ),
        (&["--spread=20/2", "--beside=h/a"], "write --spread M"),
        (
            &["--spread=1001", "--beside=h/a"],
            "--spread is 1001, but with --beside at most 1000",
        ),
        (
            &["--spread=20", "--beside=h/a", "--beside=h/b"],
            "--beside is given 2 times",
        ),
        (
            &["--spread=20", "--beside=localhost:1"],
            "is the URL that is to hold a worker",
        ),
        (
            &["--spread=20", "--beside=localhost:1#part"],
            "is the URL that is to hold a worker",
        ),
        (&["--spread=20", "--beside=ftp://h"], "--beside: "),
    ] {
        let output = probe(&[&["localhost:1"], arguments].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}
