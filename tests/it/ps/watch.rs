//! `--watch`: on a terminal, in a pipe, and how it ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use holdup_testkit::odd::{serve_paths, write};
use holdup_testkit::{PATIENCE, pause};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::app::App;
use super::refused;

/// Runs it on a terminal of 80 columns, where Ctrl-C is typed once `interrupt` has been shown.
fn on_terminal(arguments: &[&str], interrupt: &str) -> Output {
    on_terminal_of("xterm-256color", arguments, interrupt)
}

/// The same on a terminal of this kind.
fn on_terminal_of(kind: &str, arguments: &[&str], interrupt: &str) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/probe/terminal.py");
    Command::new("python3")
        .args([script, interrupt, env!("CARGO_BIN_EXE_holdup"), "ps"])
        .args(arguments)
        .env("TERM", kind)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .expect("python3 runs")
}

fn in_pipe(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_holdup"))
        .arg("ps")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("holdup starts")
}

/// Its exit code, when it has ended by itself.
fn code(mut child: Child) -> Option<i32> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("our own child") {
            return status.code();
        }
        if begun.elapsed() > PATIENCE {
            child.kill().ok();
            panic!("it does not end");
        }
        pause(Duration::from_millis(20));
    }
}

#[test]
fn a_terminal_shows_one_table_that_is_drawn_anew_until_ctrl_c() {
    let app = App::start();
    let _open = [app.ask("/locked"), app.ask("/locked")];
    // It goes up to the first line to draw the next table over it.
    let output = on_terminal(&[&app.console, "--watch", "0.1"], "A\x1b[J");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("\x1b[1mAGE\x1b[0m"), "{text:?}");
    for line in text.split(['\n', '\r']) {
        // Each control sequence ends with a letter.
        let mut plain = String::new();
        let mut is_code = false;
        for c in line.chars() {
            match c {
                '\x1b' => is_code = true,
                _ if is_code => is_code = !c.is_ascii_alphabetic(),
                _ => plain.push(c),
            }
        }
        assert!(plain.chars().count() <= 80, "{plain:?}");
    }
}

#[test]
fn a_terminal_gets_colours_unless_they_are_not_wanted() {
    let app = App::start();
    let _open = app.ask("/locked");
    super::until(&[&app.console], |text| text.contains("GET /locked"));
    let plain = on_terminal(&[&app.console, "--color=never"], "");
    assert!(!plain.stdout.contains(&b'\x1b'), "{plain:?}");
    let coloured = on_terminal(&[&app.console], "");
    assert!(coloured.stdout.contains(&b'\x1b'), "{coloured:?}");
}

#[test]
fn a_terminal_without_control_sequences_gets_one_table_below_the_other() {
    let document =
        json!({ "schema": 1, "now_ms": 0, "more": 0, "requests": [], "why_no_lines": null });
    let (empty, asked) = (refused::answer(&document), AtomicUsize::new(0));
    // It ends with the third answer.
    let address = serve_paths(move |stream, _| {
        let is_over = asked.fetch_add(1, Ordering::Relaxed) >= 2;
        write(&stream, if is_over { "" } else { &empty });
    });
    let output = on_terminal_of("dumb", &[&address.to_string(), "--watch=0.1"], "");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let tables = "no request is open\r\n\r\nno request is open\r\nholdup: the console at ";
    assert!(text.starts_with(tables), "{text:?}");
    assert!(!text.contains('\x1b'), "{text:?}");
}

#[test]
fn a_pipe_gets_one_document_a_line_until_the_signal_of_ctrl_c() {
    let app = App::start();
    let mut child = in_pipe(&[&app.console, "--watch=0.1", "--json"]);
    let stdout = child.stdout.take().expect("piped");
    let mut lines = BufReader::new(stdout).lines();
    for _ in 0..3 {
        let line = lines.next().expect("a line").expect("text");
        let document: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(document["schema"], 1);
    }
    let id = Pid::from_raw(i32::try_from(child.id()).expect("fits")).expect("not zero");
    kill_process(id, Signal::INT).expect("it runs");
    assert_eq!(code(child), Some(0));
}

#[test]
fn it_ends_when_nobody_reads_what_it_shows() {
    let app = App::start();
    let mut child = in_pipe(&[&app.console, "--watch=0.1"]);
    let stdout = child.stdout.take().expect("piped");
    let mut lines = BufReader::new(stdout).lines();
    let two: Vec<_> = lines.by_ref().take(3).map_while(Result::ok).collect();
    assert_eq!(two, ["no request is open", "", "no request is open"]);
    drop(lines);
    assert_eq!(code(child), Some(0));
}

#[test]
fn it_ends_with_an_error_when_the_console_goes_away() {
    let app = App::start();
    let mut child = in_pipe(&[&app.console, "--watch=0.1"]);
    let stdout = child.stdout.take().expect("piped");
    let mut lines = BufReader::new(stdout).lines();
    lines.next().expect("a line").expect("text");
    drop(app);
    let mut error = String::new();
    let stderr = child.stderr.take().expect("piped");
    for _ in lines {}
    BufReader::new(stderr).read_line(&mut error).expect("text");
    // Either nothing answers any more, or the console has just said that it stops.
    assert!(error.contains("cannot be read"), "{error}");
    assert_eq!(code(child), Some(2));
}
