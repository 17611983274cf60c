//! `--watch`: on a terminal, in a pipe, and how it ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use holdup_testkit::{PATIENCE, pause};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::app::App;

/// Runs it on a terminal of 80 columns, where Ctrl-C is typed once `interrupt` has been shown.
fn on_terminal(arguments: &[&str], interrupt: &str) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/probe/terminal.py");
    Command::new("python3")
        .args([script, interrupt, env!("CARGO_BIN_EXE_holdup"), "ps"])
        .args(arguments)
        .env("TERM", "xterm-256color")
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
    assert!(error.contains("cannot be read: "), "{error}");
    assert_eq!(code(child), Some(2));
}
