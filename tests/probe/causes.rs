//! The cause, on servers that people use: what a bystander, another session, another connection, a proxy or more
//! requests at once show.
//!
//! `scripts/causes` probes these and more, many times.

use holdup_testkit::external::{External, server};
use serde_json::Value;

use super::{REPEATS, json};
use crate::server::Server;

/// What is right. A text such as `limited 2|inconclusive` lists alternatives, with a number where it matters.
struct Truth<'a> {
    verdict: &'a str,
    /// The paths of bystanders, what becomes of them, and from how many requests on: `frozen 2`.
    beside: &'a [(&'a str, &'a str)],
    cause: &'a str,
}

fn fits(right: &str, word: &Value, number: &Value) -> bool {
    let fits = |right: &str| match right.split_once(' ') {
        Some((right, count)) => {
            let count: Value = serde_json::from_str(count).expect("a number or null");
            word == right && *number == count
        }
        None => word == right,
    };
    right.split('|').any(fits)
}

/// Whether it does not commit itself where it could, for which a busy machine is a reason.
fn is_open(document: &Value, truth: &Truth<'_>) -> bool {
    let bystanders = document["beside"].as_array().into_iter().flatten();
    let mut truths = truth.beside.iter();
    let may_be_open = truths.any(|(_, right)| right.contains("inconclusive"));
    (document["verdict"] == "inconclusive" && !truth.verdict.contains("inconclusive"))
        || !may_be_open
            && bystanders
                .into_iter()
                .any(|bystander| bystander["verdict"] == "inconclusive")
        || document["cause"]["kind"] == "unknown"
}

/// Probes a path of a server, again if it cannot tell. A wrong answer fails at once.
#[track_caller]
fn expect(server: &str, path: &str, arguments: &[&str], truth: &Truth<'_>) -> Value {
    let url = format!("{server}{path}");
    let bystanders: Vec<_> = truth
        .beside
        .iter()
        .map(|(path, _)| format!("{server}{path}"))
        .collect();
    let mut all = vec![url.as_str()];
    all.extend(arguments);
    for bystander in &bystanders {
        all.extend(["--beside", bystander]);
    }
    let mut document = json(&all);
    for _ in 0..REPEATS {
        if !is_open(&document, truth) {
            break;
        }
        document = json(&all);
    }
    let right = fits(truth.verdict, &document["verdict"], &document["at_a_time"]);
    assert!(right, "{}: {document:#}", truth.verdict);
    for (index, (path, right)) in truth.beside.iter().enumerate() {
        let bystander = &document["beside"][index];
        let right = fits(right, &bystander["verdict"], &bystander["frozen_by"]);
        assert!(right, "{path}: {document:#}");
    }
    let right = fits(truth.cause, &document["cause"]["kind"], &Value::Null);
    assert!(right, "{}: {document:#}", truth.cause);
    document
}

fn http(server: &External) -> String {
    format!("http://{}", server.address)
}

fn https(server: &External) -> String {
    format!("https://{}", server.address)
}

#[test]
fn tornados_blocking_handler_freezes_every_other_route_and_a_lock_freezes_none() {
    let tornado = server("tornado", &[], &[]);
    let blocking = Truth {
        verdict: "serialized 1",
        beside: &[("/fast", "frozen 1")],
        cause: "blocked_loop",
    };
    expect(&http(&tornado), "/blocking", &[], &blocking);
    let lock = Truth {
        verdict: "serialized 1",
        beside: &[("/fast", "untouched null")],
        cause: "own_queue",
    };
    expect(&http(&tornado), "/lock", &[], &lock);
}

#[test]
fn a_loop_that_is_blocked_in_several_pieces_is_told_from_cores() {
    let (fastapi, node) = (server("fastapi", &[], &[]), server("node", &[], &[]));
    let truth = |path| Truth {
        verdict: "serialized 1",
        beside: path,
        cause: "blocked_loop",
    };
    // What becomes of the other route depends on where the pieces fall.
    let any = "slowed|frozen|inconclusive";
    let documents = [
        expect(&http(&fastapi), "/pieces", &[], &truth(&[("/fast", any)])),
        expect(&http(&node), "/pieces", &[], &truth(&[("/quick", any)])),
    ];
    for document in documents {
        let sentence = document["cause"]["sentence"].as_str().expect("a sentence");
        // Node sometimes comes to nothing else between two pieces.
        let all = document["beside"][0]["frozen_by"] == 1;
        let pieces = sentence.contains(", again and again: ");
        assert_ne!(all, pieces, "{document:#}");
    }
}

#[test]
fn a_loop_that_is_blocked_after_an_await_is_held_for_a_part_of_the_time() {
    let node = server("node", &[], &[]);
    let truth = Truth {
        verdict: "inconclusive",
        beside: &[("/quick", "frozen 1|inconclusive")],
        cause: "blocked_loop",
    };
    let document = expect(&http(&node), "/render", &[], &truth);
    let sentence = document["cause"]["sentence"].as_str().expect("a sentence");
    assert!(
        sentence.contains(", for a part of its time: "),
        "{document:#}"
    );
}

#[test]
fn another_route_of_the_same_session_is_named_as_such_until_the_cookie_is_left_out() {
    let node = server("node", &[], &[]);
    let cookie = ["-H", "Cookie: id=kept"];
    let truth = |cause| Truth {
        verdict: "serialized 1",
        beside: &[("/me", "frozen 1")],
        cause,
    };
    let document = expect(&http(&node), "/session", &cookie, &truth("blocked_loop"));
    let sentence = document["cause"]["sentence"].as_str().expect("a sentence");
    assert!(
        sentence.contains("a lock by session: /me gets"),
        "{document:#}"
    );
    let advice = document["advice"].to_string();
    assert!(advice.contains("--cookie-contrast"), "{document:#}");

    let both = [&cookie[..], &["--cookie-contrast"]].concat();
    expect(&http(&node), "/session", &both, &truth("by_session"));
}

#[test]
fn fastapis_threads_are_enough_for_four() {
    let fastapi = server("fastapi", &[], &[]);
    let truth = Truth {
        verdict: "concurrent 4",
        beside: &[("/fast", "untouched null"), ("/def-fast", "untouched null")],
        cause: "none",
    };
    expect(&http(&fastapi), "/def", &[], &truth);
}

#[test]
fn two_threads_of_fastapi_are_a_queue_for_what_runs_in_them_and_for_nothing_else() {
    let fastapi = server("fastapi", &[], &[("POOL", "2")]);
    let truth = Truth {
        verdict: "limited 2",
        beside: &[("/fast", "untouched null")],
        cause: "own_queue",
    };
    expect(&http(&fastapi), "/def", &[], &truth);
    let truth = Truth {
        verdict: "limited 2",
        beside: &[("/def-fast", "frozen 2")],
        cause: "workers",
    };
    expect(&http(&fastapi), "/def", &[], &truth);
}

#[test]
fn both_of_gunicorns_workers_are_held_by_two() {
    let gunicorn = server("gunicorn", &["--workers=2"], &[]);
    let truth = Truth {
        verdict: "limited 2",
        beside: &[("/fast", "frozen 2")],
        cause: "workers",
    };
    expect(&http(&gunicorn), "/slow", &[], &truth);
}

#[test]
fn nodes_thread_pool_holds_no_timer() {
    let node = server("node", &[], &[]);
    // The times of what computes depend on whatever else the machine does.
    let truth = Truth {
        verdict: "limited|serialized|inconclusive",
        beside: &[("/quick", "untouched|slowed")],
        cause: "own_queue|cores|unknown",
    };
    // More than the pool has threads, for machines that have a core for each of them.
    expect(&http(&node), "/pbkdf2", &["-n8"], &truth);
}

#[test]
fn processes_of_node_that_are_held_have_no_queue_of_their_own() {
    let cluster = server("cluster", &[], &[]);
    let truth = Truth {
        verdict: "concurrent|serialized|limited",
        beside: &[("/quick", "some_frozen|frozen")],
        cause: "blocked_loop|workers|one_worker_of_several",
    };
    expect(&http(&cluster), "/blocking", &["-n2"], &truth);
}

#[test]
fn one_of_the_labs_two_workers_holds_up_its_own_connections() {
    let lab = Server::start(&["--workers=2", "--pool-threads=8"]);
    let truth = Truth {
        verdict: "limited 2",
        beside: &[("/healthz", "some_frozen 1")],
        cause: "one_worker_of_several",
    };
    let address = format!("http://{}", lab.address);
    expect(&address, "/blocking?from=3&period=100ms", &[], &truth);
}

#[test]
fn a_mutex_in_go_is_a_queue_of_one_route() {
    let go = server("go", &[], &[]);
    let truth = Truth {
        verdict: "serialized 1",
        beside: &[("/fast", "untouched null")],
        cause: "own_queue",
    };
    expect(&http(&go), "/mutex", &[], &truth);
}

#[test]
fn a_loop_in_go_shares_its_one_core() {
    let go = server("go", &[], &[("GOMAXPROCS", "1")]);
    let truth = Truth {
        verdict: "serialized 1|limited 1",
        beside: &[("/fast", "slowed null")],
        cause: "cores",
    };
    expect(&http(&go), "/loop", &[], &truth);
}

#[test]
fn a_loop_in_pythons_threads_shares_the_interpreter() {
    let flask = server("flask", &[], &[]);
    let truth = Truth {
        verdict: "serialized 1",
        beside: &[("/fast", "slowed null")],
        cause: "cores",
    };
    let document = expect(&http(&flask), "/loop", &[], &truth);
    assert!(document["reason"].is_string(), "{document:#}");
}

#[test]
fn phps_sessions_are_a_lock_by_cookie() {
    let php = server("php", &[], &[("PHP_CLI_SERVER_WORKERS", "16")]);
    let truth = Truth {
        verdict: "serialized 1",
        beside: &[("/fast", "untouched null")],
        cause: "by_session",
    };
    let arguments = ["-H", "Cookie: PHPSESSID=kept", "--cookie-contrast"];
    let document = expect(&http(&php), "/session", &arguments, &truth);
    let session = &document["session"];
    // A process may take a connection although it is about to answer another one.
    let right = fits(
        "concurrent|limited",
        &session["verdict"],
        &session["at_a_time"],
    );
    assert!(right, "{document:#}");
}

#[test]
fn nginxs_lock_on_a_cache_entry_is_by_url() {
    let limits = server("limits", &[], &[]);
    let nginx = server("nginx", &[&limits.address.to_string()], &[]);
    let truth = Truth {
        verdict: "concurrent 4",
        beside: &[],
        cause: "by_url",
    };
    expect(&http(&nginx), "/locked/none", &[], &truth);
}

#[test]
fn a_proxy_that_lets_two_through_is_told_from_the_server_behind_it() {
    let limits = server("limits", &[], &[]);
    let haproxy = server("haproxy", &[&limits.address.to_string()], &[]);
    let truth = Truth {
        verdict: "limited 2",
        beside: &[],
        cause: "proxy",
    };
    let direct = format!("{}/none", http(&limits));
    let document = expect(&http(&haproxy), "/none", &["--versus", &direct], &truth);
    assert_eq!(document["versus"]["verdict"], "concurrent", "{document:#}");
    assert_eq!(document["versus"]["url"], direct, "{document:#}");
}

#[test]
fn of_two_processes_one_connection_meets_one() {
    let cluster = server("cluster-http2", &[], &[]);
    let truth = Truth {
        verdict: "limited 2",
        beside: &[],
        cause: "by_connection",
    };
    let document = expect(&https(&cluster), "/blocking", &["--insecure"], &truth);
    let connection = &document["connection"];
    assert_eq!(connection["verdict"], "serialized", "{document:#}");
    assert_eq!(connection["protocol"], "h2", "{document:#}");
}

#[test]
fn the_streams_that_a_connection_may_have_are_a_limit_and_the_setting_is_shown() {
    let truth = Truth {
        verdict: "concurrent 6",
        beside: &[],
        cause: "by_connection",
    };
    let streams = [("STREAMS", "3")];
    let h2c = server("h2c", &[], &streams);
    let tls = server("http2", &[], &streams);
    let documents = [
        expect(&https(&tls), "/", &["-n6", "--insecure"], &truth),
        expect(&http(&h2c), "/", &["-n6", "--http2"], &truth),
    ];
    for document in documents {
        let connection = &document["connection"];
        assert_eq!(connection["verdict"], "limited", "{document:#}");
        assert_eq!(connection["at_a_time"], 3, "{document:#}");
        assert_eq!(connection["max_concurrent_streams"], 3, "{document:#}");
    }
}

#[test]
fn a_semaphore_is_found_whatever_its_size() {
    let limits = server("limits", &[], &[]);
    for (size, verdict) in [
        (1, "serialized 1"),
        (3, "limited 3"),
        (8, "concurrent 4|limited 8"),
    ] {
        let truth = Truth {
            verdict,
            beside: &[("/fast", "untouched null")],
            cause: "own_queue",
        };
        let path = format!("/wait?limit={size}&ms=200");
        let document = expect(&http(&limits), &path, &["--limit"], &truth);
        let limit = &document["limit"];
        assert_eq!(limit["at_a_time"], size, "{document:#}");
        assert_eq!(limit["confirmed"], true, "{document:#}");
        assert_eq!(limit["beyond"], "waits", "{document:#}");
    }
}

#[test]
fn a_server_that_rejects_beyond_its_limit_is_asked_no_further() {
    let limits = server("limits", &[], &[]);
    let truth = Truth {
        verdict: "concurrent 4|limited 8",
        beside: &[("/fast", "untouched null")],
        cause: "own_queue|none",
    };
    let path = "/reject?limit=8&ms=200";
    let document = expect(&http(&limits), path, &["--limit"], &truth);
    let limit = &document["limit"];
    assert_eq!(limit["at_a_time"], 8, "{document:#}");
    assert_eq!(limit["beyond"], "rejected", "{document:#}");
    assert_eq!(limit["status"], 503, "{document:#}");
}

#[test]
fn a_server_without_a_limit_is_asked_up_to_the_most_that_may_be() {
    let limits = server("limits", &[], &[]);
    let truth = Truth {
        verdict: "concurrent",
        beside: &[("/fast", "untouched null")],
        cause: "none",
    };
    let arguments = ["--limit", "--max", "32"];
    let document = expect(&http(&limits), "/none?ms=200", &arguments, &truth);
    assert_eq!(document["limit"]["asked_up_to"], 32, "{document:#}");
    assert_eq!(document["limit"]["beyond"], Value::Null, "{document:#}");
}

#[test]
fn answers_of_a_language_model_begin_as_its_slots_become_free() {
    let limits = server("limits", &[], &[]);
    let truth = Truth {
        verdict: "inconclusive|limited 2",
        beside: &[("/fast", "untouched null")],
        cause: "own_queue",
    };
    let document = expect(&http(&limits), "/tokens?limit=2", &["-n6"], &truth);
    assert_eq!(document["began"]["verdict"], "limited", "{document:#}");
    assert_eq!(document["began"]["at_a_time"], 2, "{document:#}");
}
