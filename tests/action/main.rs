//! The GitHub action, run as GitHub's runner does: `runner.py` reads `action.yml`, and runs its scripts for real.

mod attempts;
mod install;
mod job;

use std::fs;
use std::net::TcpListener;
use std::time::Instant;

use holdup_testkit::PATIENCE;
use serde_json::{Value, json};

use job::{free_port, is_gone, job, lab_job, nobody_listens, quiet_lab_job};

#[test]
fn a_healthy_server_is_as_expected() {
    let (job, port) = quiet_lab_job(
        "/coroutine?from=4&period=100ms",
        &json!({ "expect": "concurrent,streamed", "args": "-n\n3\n\n--header\nX-Any: a b\n" }),
    );
    job.ends("success", "concurrent", "as expected");
    assert_eq!(job.output("cause"), "none");
    job.says(
        "summary",
        "| Concurrent\\: all 3 requests ran at the same time\\,",
    );
    job.says("summary", "\n```text\nhttp://127.0.0.1:");
    assert!(
        !job.text("log").contains("title=holdup"),
        "{:#}",
        job.result
    );
    let report = fs::read_to_string(job.output("report")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["verdict"], "concurrent");
    for file in [
        "report.json",
        "report.txt",
        "picture.svg",
        "junit.xml",
        "server.log",
    ] {
        assert!(job.kept().join(file).is_file(), "{file}");
    }
    nobody_listens(port);
}

#[test]
fn a_server_that_blocks_fails_the_job_and_the_summary_says_why() {
    let port = free_port();
    // Two processes, of which only the second one is the server: all of them are stopped.
    let command = format!(
        "sleep 1000 &\necho $! >other; holdup serve --bind 127.0.0.1:{port} --no-console; true"
    );
    let probed = || {
        job(&json!({
            "command": command,
            "url": format!("127.0.0.1:{port}/blocking?from=4&period=250ms"),
            "wait-for": format!("http://127.0.0.1:{port}/healthz"),
            "beside": format!("127.0.0.1:{port}/healthz\n"),
            "expect": "concurrent,beside=untouched",
        }))
    };
    let mut job = probed();
    for _ in 0..2 {
        if job.output("cause") != "unknown" {
            break;
        }
        job = probed();
    }
    job.ends("failure", "serialized", "not as expected");
    assert_eq!(job.output("cause"), "blocked_loop");
    job.says(
        "summary",
        "- expected concurrent\\, but the verdict is serialized\n",
    );
    job.says("summary", "Each request holds the event loop");
    job.says("summary", "━");
    job.says(
        "log",
        "::error title=holdup::expected concurrent, but the verdict is serialized%0Aexpected beside=untouched, but ",
    );
    assert!(job.kept().join("report.json").is_file());
    nobody_listens(port);
    is_gone(&job.folder.join("other"));
}

#[test]
fn what_cannot_be_told_warns_and_fails_only_if_strict() {
    for (strict, conclusion, kind) in [
        ("false", "success", "warning"),
        ("true", "failure", "error"),
    ] {
        let (job, port) = lab_job("/missing", &json!({ "strict": strict, "attempts": "2" }));
        job.ends(conclusion, "inconclusive", "inconclusive");
        job.says(
            "log",
            &format!("::{kind} title=holdup::expected concurrent, which cannot be told: "),
        );
        nobody_listens(port);
    }
}

#[test]
fn a_server_that_never_answers_fails_the_job_and_is_stopped() {
    let job = job(&json!({
        "command": "echo I wait; echo '::error::not a command'; echo $$ >id; exec sleep 1000",
        "url": format!("127.0.0.1:{}/", free_port()), "wait-timeout": "1",
    }));
    job.ends("failure", "", "nothing was measured");
    job.says("log", "was not answered within 1 s (wait-timeout)\n");
    job.says("log", "I wait\n");
    let quoted = job.text("log").find("::stop-commands::").expect("quoted");
    assert!(job.text("log").find("::error::not").expect("the log") > quoted);
    is_gone(&job.folder.join("id"));
}

#[test]
fn a_command_that_fails_ends_the_job_at_once() {
    let begun = Instant::now();
    let (job, _) = lab_job(
        "/",
        &json!({ "command": "echo it is broken >&2; exit 7", "wait-timeout": "1000" }),
    );
    job.ends("failure", "", "nothing was measured");
    job.says("log", "it is broken\n");
    job.says(
        "log",
        "::error title=holdup::the command ended with exit code 7 before 127.0.0.1:",
    );
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn another_server_at_the_address_is_not_measured() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let job = job(&json!({ "command": "touch started", "url": url }));
    job.ends("failure", "", "nothing was measured");
    job.says("log", "another server is there");
    assert!(!job.folder.join("started").exists());
}

#[test]
fn wrong_inputs_are_named() {
    for (inputs, told) in [
        (
            json!({ "strict": "yes" }),
            "strict is \"yes\", but has to be true or false",
        ),
        (
            json!({ "attempts": "0" }),
            "attempts is \"0\", but has to be a whole number from 1 to 99",
        ),
        (
            json!({ "wait-timeout": "soon" }),
            "wait-timeout is \"soon\"",
        ),
        (json!({ "url": "" }), "url is empty"),
        (
            json!({ "artifact": "a\nfolder=/" }),
            "artifact has a line break",
        ),
    ] {
        let (job, _) = lab_job("/", &inputs);
        assert_eq!(job.text("conclusion"), "failure");
        job.says("log", told);
    }
    let (job, port) = lab_job("/", &json!({ "expect": "fast" }));
    job.ends("failure", "", "nothing was measured");
    job.says("log", "invalid value 'fast'");
    nobody_listens(port);
}

#[test]
fn no_input_is_run_as_a_command_but_the_command() {
    let harm = "$(touch harm)`touch harm`\";touch harm;'|```";
    for input in [
        "url",
        "expect",
        "beside",
        "timeout",
        "attempts",
        "args",
        "wait-for",
        "artifact",
        "strict",
        "wait-timeout",
        "working-directory",
    ] {
        let mut inputs = json!({ "url": "127.0.0.1:1/", "wait-timeout": "0", "command": "true" });
        inputs[input] = json!(harm);
        let job = job(&inputs);
        assert!(
            !job.folder.join("harm").exists(),
            "{input}: {:#}",
            job.result
        );
    }
    // Where all of it is used.
    let args = format!("-H\nX-Any: {harm}");
    let (job, _) = lab_job(
        "/missing",
        &json!({ "args": args, "artifact": harm, "working-directory": "/" }),
    );
    job.ends("success", "inconclusive", "inconclusive");
    assert_eq!(job.result["used"][0]["with"]["name"], harm);
    assert!(!job.folder.join("harm").exists());
}
