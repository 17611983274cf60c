//! Flags and environment variables, and the errors for wrong values.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use holdup_testkit::client::{get, send};
use rustix::process::{Pid, Signal, kill_process};

use crate::server::Server;

fn holdup(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdup"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("holdup runs")
}

#[test]
fn a_wrong_flag_is_a_usage_error_that_names_what_is_allowed() {
    for (arguments, told) in [
        (["--bind", "nowhere"], "such as 127.0.0.1:8080"),
        (["--workers", "0"], "from 1 to 512"),
        (["--workers", "513"], "from 1 to 512"),
        (["--grace", "10"], "such as 250ms, 1s or 2m"),
        (["--max-duration", "soon"], "such as 250ms, 1s or 2m"),
        (["--max-duration", "300000000000y"], "--max-duration"),
        (["--max-streams", "0"], "--max-streams"),
        (["--log-format", "xml"], "text, json"),
        (
            ["--allow-host", "http://a.example"],
            "such as console.example",
        ),
        (["--allow-host", "a.example,b.example:80"], "b.example:80"),
        (["--allow-host", ""], "such as console.example"),
    ] {
        let output = holdup(&["serve", arguments[0], arguments[1]]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
        assert!(error.contains(arguments[0]), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_error_for_a_taken_address_names_it_and_the_cause() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let output = holdup(&["serve", "--bind", &address]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error.contains(&format!("cannot listen on {address}: Address already")),
        "{error}"
    );
}

#[test]
fn more_streams_than_open_files_allow_is_refused() {
    let output = holdup(&[
        "serve",
        "--bind",
        "127.0.0.1:0",
        "--max-streams",
        "4000000000",
    ]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("--max-streams is 4000000000"), "{error}");
}

#[test]
fn more_workers_than_open_files_allow_are_refused_and_as_many_as_fit_start() {
    let start = |files: u32, workers: u32| {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {files}; exec \"$0\" serve --workers {workers}");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_holdup")]);
        command
    };
    for (files, workers, told) in [
        (
            1024,
            120,
            "--workers is 120, but that needs a limit of 1263 open files, and the limit is 1024, which leaves room for \
             97; raise it (ulimit -n), or ask for fewer",
        ),
        (
            48,
            1,
            "--workers is 1, but that needs a limit of 49 open files, and the limit is 48; raise it (ulimit -n)",
        ),
    ] {
        let output = start(files, workers).output().expect("sh runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert_eq!(error, format!("holdup: {told}\n"));
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    for (files, workers) in [(49, 1), (1024, 97)] {
        let server = Server::start_as(start(files, workers));
        assert_eq!(get(server.address, "/healthz").status, 200);
        let ticks = get(server.address, "/coroutine?from=1&period=1ms").ticks();
        assert_eq!(ticks.len(), 2, "{files} files, {workers} workers");
        assert_eq!(get(server.console(), "/healthz").status, 200);
    }
}

#[test]
fn a_variable_sets_a_flag() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdup"));
    command
        .arg("serve")
        .env("HOLDUP_MAX_DURATION", "2s")
        .env("HOLDUP_WORKERS", "2");
    let server = Server::start_as(command);
    let line = server.logged("the start", |line| line["message"] == "lab is listening");
    assert_eq!(line["workers"], 2);
    let reply = get(server.address, "/coroutine?from=3");
    assert_eq!(reply.status, 400);
    assert!(reply.body().contains("at most 2 s"));
}

#[test]
fn a_variable_turns_a_flag_on_and_off() {
    for (value, is_on) in [
        ("1", true),
        ("yes", true),
        ("True", true),
        ("0", false),
        ("NO", false),
        ("false", false),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdup"));
        command.arg("serve").env("HOLDUP_NO_CONSOLE", value);
        let server = Server::start_as(command);
        server.signal(Signal::TERM);
        let has_console = server.logged_when("the whole log", |lines| {
            let has = |message: &str| lines.iter().any(|line| line["message"] == message);
            has("stopped").then(|| has("console is listening"))
        });
        assert_eq!(has_console, !is_on, "{value}");
    }
    for value in ["", "2", "maybe"] {
        let output = Command::new(env!("CARGO_BIN_EXE_holdup"))
            .args(["serve", "--bind=127.0.0.1:0"])
            .env("HOLDUP_NO_CONSOLE", value)
            .output()
            .expect("holdup runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{value}: {error}");
        for part in ["--no-console", "use 1, yes or true, or 0, no or false"] {
            assert!(error.contains(part), "{value}: {error}");
        }
    }
}

#[test]
fn a_variable_allows_several_hosts() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdup"));
    command
        .arg("serve")
        .env("HOLDUP_ALLOW_HOST", "a.example, B.example");
    let server = Server::start_as(command);
    let console = server.console();
    for (host, status) in [
        ("a.example", 200),
        ("b.example:8081", 200),
        ("c.example", 403),
    ] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let reply = send(console, request.as_bytes()).expect("an answer");
        assert_eq!(reply.status, status, "{host}");
    }
}

#[test]
fn a_reader_that_closed_the_pipe_is_no_error() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut child = Command::new(env!("CARGO_BIN_EXE_holdup"))
        .args([
            "serve",
            "--bind",
            "127.0.0.1:0",
            "--no-console",
            "--log-format",
            "json",
        ])
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .expect("holdup starts");
    let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
    let first = log.next().expect("a line").expect("text");
    let first: serde_json::Value = serde_json::from_str(&first).expect("JSON");
    let address = first["address"]
        .as_str()
        .expect("an address")
        .parse()
        .expect("an address");
    assert_eq!(get(address, "/healthz").status, 200);

    let id = Pid::from_raw(i32::try_from(child.id()).expect("fits")).expect("not zero");
    kill_process(id, Signal::TERM).expect("it runs");
    assert_eq!(child.wait().expect("our own child").code(), Some(0));
}

#[test]
fn the_exit_code_is_the_same_if_nobody_can_read_the_error() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    for (arguments, code) in [
        (["probe", "ftp://localhost"], 2),
        (["ps", "ftp://localhost"], 2),
        (["ps", "localhost:1"], 2),
        (["replay", "/no/such/record"], 2),
        (["serve", &format!("--bind={address}")], 1),
        (["serve", "--bind=nowhere"], 2),
    ] {
        let (reader, closed) = std::io::pipe().expect("a pipe");
        drop(reader);
        let full = OpenOptions::new().write(true).open("/dev/full");
        for stderr in [
            Stdio::from(closed),
            Stdio::from(full.expect("a full device")),
        ] {
            let status = Command::new(env!("CARGO_BIN_EXE_holdup"))
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(stderr)
                .status()
                .expect("holdup runs");
            assert_eq!(status.code(), Some(code), "{arguments:?}");
        }
    }
}
