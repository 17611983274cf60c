//! Attempts that fail or are cancelled, and the address that is waited for.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use holdup_testkit::external::folder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::job::{job_in, runs, wait_until, with_script};

/// A measurement of which a file could not be written.
const CANNOT_WRITE: &str = r#"#!/bin/sh
for argument; do
  case "$argument" in --json=*) report="${argument#--json=}" ;; esac
done
echo '{"verdict":"concurrent","sentence":"All.","cause":{"kind":"none","sentence":"Nothing."}}' >"$report"
echo "About to send at most: 1" >&2
echo "holdup: cannot write picture.svg: No space left on device" >&2
exit 4
"#;

/// A first measurement that is inconclusive, and a second one that fails.
const FAILS_LATER: &str = r#"#!/bin/sh
for argument; do
  case "$argument" in --json=*) report="${argument#--json=}" ;; esac
done
if [ ! -e "$RUNNER_TEMP/measured" ]; then
  touch "$RUNNER_TEMP/measured"
  echo '{"verdict":"inconclusive","cause":{"kind":"unknown"}}' >"$report"
  exit 3
fi
echo "holdup: the second one failed" >&2
exit 1
"#;

#[test]
fn the_report_of_an_earlier_attempt_is_not_that_of_the_last_one() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let folder = folder();
    let programs = with_script(&folder, "holdup", FAILS_LATER);
    let job = job_in(folder, &programs, &json!({ "url": url, "install": "no" }));
    job.ends("failure", "", "nothing was measured");
    job.says("log", "::error title=holdup::the second one failed");
    assert!(!job.kept().join("report.json").exists());
}

#[test]
fn a_report_that_could_not_be_written_is_not_said_to_be_unexpected() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let folder = folder();
    let programs = with_script(&folder, "holdup", CANNOT_WRITE);
    let job = job_in(folder, &programs, &json!({ "url": url, "install": "no" }));
    job.ends("failure", "concurrent", "the probe itself failed");
    job.says("log", "::error title=holdup::cannot write picture.svg");
}

#[test]
fn a_step_that_is_cancelled_leaves_no_probe_behind() {
    // It accepts connections, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let folder = folder();
    let script = "#!/bin/sh\necho $$ >\"$RUNNER_TEMP/id.new\"\nmv \"$RUNNER_TEMP/id.new\" \"$RUNNER_TEMP/id\"\n\
                  exec \"$PROGRAM\" \"$@\"\n";
    let programs = with_script(&folder, "holdup", script);
    let path = std::env::var("PATH").expect("a path");
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/action/probe"));
    for (name, value) in [
        ("URL", listener.local_addr().expect("bound").to_string()),
        ("WAIT_TIMEOUT", "60".to_owned()),
        ("EXPECT", "concurrent".to_owned()),
        ("ATTEMPTS", "1".to_owned()),
        ("STRICT", "false".to_owned()),
    ] {
        command.env(format!("INPUT_{name}"), value);
    }
    for name in [
        "COMMAND",
        "WORKING_DIRECTORY",
        "WAIT_FOR",
        "BESIDE",
        "TIMEOUT",
        "ARGS",
        "ARTIFACT",
    ] {
        command.env(format!("INPUT_{name}"), "");
    }
    let mut step = command
        .env("RUNNER_TEMP", &folder)
        .env("GITHUB_OUTPUT", folder.join("output"))
        .env("GITHUB_STEP_SUMMARY", folder.join("summary"))
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("PROGRAM", env!("CARGO_BIN_EXE_holdup"))
        .stdout(Stdio::null())
        .spawn()
        .expect("bash runs");
    let id = folder.join("id");
    let program = env!("CARGO_BIN_EXE_holdup");
    wait_until("the probe", || id.exists() && runs(&id, program));
    let step_id = i32::try_from(step.id()).expect("process ids fit");
    let step_id = Pid::from_raw(step_id).expect("not zero");
    kill_process(step_id, Signal::TERM).expect("it runs");
    let status = step.wait().expect("it ends");
    assert_eq!(status.code(), Some(143));
    wait_until("the end of the probe", || !runs(&id, program));
    fs::remove_dir_all(&folder).ok();
}

#[test]
fn the_address_of_a_url_is_that_of_its_host() {
    for (url, address) in [
        ("3000", "localhost 3000"),
        ("localhost:3000/a", "localhost 3000"),
        ("http://localhost/a", "localhost 80"),
        ("https://name@host/a", "host 443"),
        ("https://[::1]:8443?a", "::1 8443"),
        (
            "localhost:3000/fetch?url=http://example.com/",
            "localhost 3000",
        ),
        ("https://host/fetch?url=http://example.com:1/", "host 443"),
    ] {
        let output = Command::new("bash")
            .args([
                "-c",
                ". scripts/action/server.sh; address_of \"$1\"",
                "bash",
                url,
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("bash runs");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            address,
            "{url}"
        );
    }
}
