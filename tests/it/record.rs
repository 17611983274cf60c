//! `serve --record` and `replay`: what is recorded is there after the process was killed, and can be read.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdup_testkit::client::{get, send};
use holdup_testkit::console::{Events, state};
use holdup_testkit::pause;
use holdup_testkit::schema::{check_event, check_record, check_requests, check_state};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::recorded::{Replay, folder, lines, segments, summary, text, wait_for_line};
use crate::server::Server;

/// Begins a request, and reads on until the connection ends.
fn begin(server: &Server, path: &str) -> thread::JoinHandle<()> {
    let mut reply = get(server.address, path);
    reply.tick().expect("it has begun");
    thread::spawn(move || while matches!(reply.chunk(), Ok(Some(_))) {})
}

fn unix_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs_f64() * 1e3
}

/// The record of a lab that was killed while its worker was held, and when.
fn killed_in_a_hold(test: &str) -> (PathBuf, f64) {
    let folder = folder(test);
    let mut server = Server::start(&["--record", text(&folder)]);
    let victim = begin(&server, "/coroutine?from=50&x=victim");
    wait_for_line(&folder, "where it waits", |line| {
        line["event"] == "survey" && line["waits"] != json!([])
    });
    let culprit = begin(&server, "/blocking?from=30&x=culprit");
    wait_for_line(&folder, "a hold that lasts", |line| {
        line["event"] == "updated" && line["lines"] != json!([])
    });
    pause(Duration::from_millis(1500));
    server.signal(Signal::KILL);
    let killed = unix_ms();
    server.ended();
    victim.join().expect("no panic");
    culprit.join().expect("no panic");
    (folder, killed)
}

#[test]
fn a_process_that_is_killed_leaves_the_hold_in_its_record() {
    let (folder, killed) = killed_in_a_hold("killed");
    let lines = lines(&folder);
    lines.iter().for_each(check_record);
    let origin = lines[0]["origin_unix_ms"].as_f64().expect("a number");
    let is_hold = |line: &&Value| line["event"] == "held" || line["event"] == "updated";
    let last = lines.iter().rfind(is_hold).expect("a hold");
    let number = |name: &str| last[name].as_f64().expect("a number");
    let known = origin + number("started_ms") + number("duration_ms");
    // Within about a second; a busy machine may be late with both.
    let unknown = killed - known;
    assert!(
        (-500.0..4000.0).contains(&unknown),
        "{unknown} ms before the end are missing"
    );
    // It was written while it lasted, and not just at its beginning and before the end.
    let of_it = |line: &&Value| is_hold(line) && line["started_ms"] == last["started_ms"];
    let durations = lines.iter().filter(of_it);
    let durations = durations.map(|line| line["duration_ms"].as_f64());
    let durations: Vec<_> = durations.map(|ms| ms.expect("a number")).collect();
    assert!(
        durations
            .windows(2)
            .any(|two| two[1] > two[0] && two[1] - two[0] <= 1000.0),
        "{durations:?}"
    );
    assert_eq!(last["ongoing"], true);
    assert_eq!(last["culprits"][0]["route"], "/blocking");
    let line = last["lines"][0].to_string();
    assert!(line.contains("src/handlers.rs"), "{line}");

    // Those that it held up were open, and the record has them all the same.
    let opened = |path: &str| {
        let is_its = |line: &Value| line["event"] == "opened" && line["path"] == path;
        lines.iter().filter(|line| is_its(line)).count()
    };
    assert_eq!(opened("/coroutine?from=50&x=victim"), 1);
    assert_eq!(opened("/blocking?from=30&x=culprit"), 1);

    let output = summary(&folder);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    // A busy machine may have held the worker before, too.
    assert!(
        told.contains("One hold:") || told.contains("holds, the longest first:"),
        "{told}"
    );
    for part in [
        "GET /blocking",
        "src/handlers.rs",
        "and the record ends",
        "Where requests waited",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn what_happens_while_the_process_stops_is_in_its_record() {
    let folder = folder("stopped");
    let mut server = Server::start(&["--record", text(&folder), "--grace", "1m"]);
    let victim = begin(&server, "/coroutine?from=2&period=500ms&x=victim");
    let culprit = begin(&server, "/blocking?from=20&period=100ms&x=culprit");
    server.signal(Signal::TERM);
    assert_eq!(server.ended().code(), Some(0));
    victim.join().expect("no panic");
    culprit.join().expect("no panic");

    let lines = lines(&folder);
    lines.iter().for_each(check_record);
    let released = lines.iter().rfind(|line| line["event"] == "released");
    let released = released.expect("the end of the hold");
    assert_eq!(released["culprits"][0]["route"], "/blocking", "{released}");
    for path in [
        "/coroutine?from=2&period=500ms&x=victim",
        "/blocking?from=20&period=100ms&x=culprit",
    ] {
        let opened = lines.iter().find(|line| line["path"] == path);
        let lane = &opened.expect("it was open")["lane"];
        let is_end = |line: &&Value| line["event"] == "ended" && line["lane"] == *lane;
        let ended = lines.iter().find(is_end).expect("its end");
        assert_eq!(ended["finished"], true, "{ended}");
    }
    let victims = lines.iter().rfind(|line| line["event"] == "victims");
    let victims = victims.expect("who held up whom").to_string();
    assert!(
        victims.contains("/coroutine") && victims.contains("/blocking"),
        "{victims}"
    );
}

#[test]
fn a_record_is_replayed_on_the_consoles_page() {
    let (folder, _) = killed_in_a_hold("replayed");
    // Its last line is torn, and one in the middle is damaged.
    let file = &segments(&folder)[0];
    let mut text = fs::read_to_string(file).expect("text");
    text.insert_str(text.find('\n').expect("a header") + 1, "{\"event\":\"hel\n");
    fs::write(file, text + "{\"event\":\"upd").expect("room");

    let replay = Replay::start(&folder);
    for part in ["The last line is incomplete", "1 damaged line was left out"] {
        assert!(replay.about.contains(part), "{}", replay.about);
    }
    let mut events = Events::read(replay.address);
    let mut until = |what: &str, matches: &dyn Fn(&Value) -> bool| {
        loop {
            let message = events.next().unwrap_or_else(|| panic!("no {what}"));
            check_event(&message);
            if matches(&message) {
                return message;
            }
        }
    };
    let snapshot = until("snapshot", &|m| m["event"] == "snapshot");
    let place = until("place", &|m| m["event"] == "replay");
    assert_eq!(
        (&place["playing"], &place["damaged"]),
        (&json!(true), &json!(1))
    );
    let number = |of: &Value| of.as_f64().expect("a number");
    let started = number(&place["holds"][0]["started_ms"]);
    // It begins a little before the hold, and plays.
    assert!(number(&snapshot["now_ms"]) < started, "{snapshot}");
    let held = until("hold", &|m| m["event"] == "held");
    assert_eq!(held["hold"]["culprits"][0]["route"], "/blocking");

    let control = |body: &str| {
        let request = format!(
            "POST /replay HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        send(replay.address, request.as_bytes()).expect("an answer")
    };
    assert_eq!(control("{\"at_ms\":0,\"playing\":false}").status, 204);
    let anew = until("snapshot", &|m| m["event"] == "snapshot");
    assert!(number(&anew["now_ms"]) <= started, "{anew}");
    assert_eq!(anew["workers"][0]["held"], Value::Null);
    assert_eq!(
        control("{\"at_ms\":1e9,\"playing\":true,\"speed\":60}").status,
        204
    );
    let end = until("snapshot", &|m| m["event"] == "snapshot");
    assert_eq!(end["now_ms"], place["to_ms"]);
    assert_eq!(end["workers"][0]["held"]["ongoing"], true);
    let paused = until("place", &|m| {
        m["event"] == "replay" && m["playing"] == false
    });
    assert_eq!(paused["at_ms"], place["to_ms"]);

    check_state(&state(replay.address));
    for path in ["/requests", "/waits"] {
        check_requests(&serde_json::from_str(&get(replay.address, path).body()).expect("JSON"));
    }
    assert_eq!(get(replay.address, "/healthz").body(), "ok\n");
    // Its requests are not open now, and nothing happens behind it.
    let page = replay.address.to_string();
    let told = format!("http://{page}/ shows a record, and no app is behind it; ");
    let console = format!("--console={page}");
    for arguments in [
        &["ps", &page][..],
        &["ps", &page, "--group", "--json"],
        &["probe", "localhost:1", &console],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_holdup"))
            .args(arguments)
            .output()
            .expect("holdup starts");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(&told), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    for (body, says) in [
        ("{\"speed\":0}", "speed is 0; allowed"),
        ("{\"at_ms\":-1}", "the time is -1; allowed"),
        ("{\"at\":1}", "unknown field"),
    ] {
        let refused = control(body);
        assert_eq!(refused.status, 400, "{body}");
        let body = refused.body();
        assert!(body.contains(says), "{body}");
    }
}

#[test]
fn a_folder_that_cannot_be_recorded_into_is_refused_at_the_start() {
    let folder = folder("refused");
    let serve = |into: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdup"));
        command.args(["serve", "--bind", "127.0.0.1:0", "--no-console", "--record"]);
        let output = command.arg(into).output().expect("holdup starts");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let missing = serve(&folder.join("none"));
    assert!(
        missing.contains("does not exist; create it, or give another folder with --record\n"),
        "{missing}"
    );
    let first = Server::start(&["--record", text(&folder)]);
    let used = serve(&folder);
    assert!(
        used.contains(&format!("process {} already records into ", first.id())),
        "{used}"
    );
    assert!(
        used.contains("; give this process another folder with --record\n"),
        "{used}"
    );
}

#[test]
fn what_is_no_record_is_a_usage_error() {
    let folder = folder("no-record");
    let file = folder.join("notes.txt");
    fs::write(&file, "hello\n").expect("room");
    let pipe = folder.join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    for (path, says) in [
        (folder.clone(), "has no record"),
        (file, "is not a record of holdup"),
        (folder.join("none"), "cannot read"),
        (pipe, "is neither a file nor a folder; give the folder of"),
        ("/dev/zero".into(), "is neither a file nor a folder"),
    ] {
        let output = summary(&path);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_record_that_cannot_be_written_is_logged_and_the_app_is_served() {
    let folder = folder("full");
    // No file of it may be longer than 4 KiB, so that writing fails as on a full disk.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""]);
    command.args([
        env!("CARGO_BIN_EXE_holdup"),
        "serve",
        "--record",
        text(&folder),
    ]);
    let server = Server::start_as(command);
    for n in 0..3 {
        let ticks = get(server.address, &format!("/blocking?from=1&x={n}")).ticks();
        assert_eq!(ticks.len(), 2);
        pause(Duration::from_millis(600));
    }
    let line = server.logged("that lines are lost", |line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("cannot be written")
    });
    let message = line["message"].as_str().expect("text");
    assert!(message.contains("are lost so far"), "{message}");
    assert_eq!(line["level"], "WARN");
    assert_eq!(get(server.console(), "/healthz").body(), "ok\n");
    // What was written before can be read.
    let mut text = String::new();
    let mut file = fs::File::open(&segments(&folder)[0]).expect("a file");
    file.read_to_string(&mut text).expect("text");
    assert!(text.len() <= 4096, "{}", text.len());
    let output = summary(&folder);
    assert!(output.status.success(), "{output:?}");
}
