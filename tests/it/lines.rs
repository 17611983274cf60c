//! The line that blocks: an app that blocks in every way is built as its users build theirs, and what
//! it says of its holds is compared with its source.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{OnceLock, atomic};

use serde_json::Value;

const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/lines");

/// The app, built with or without optimizations. Both have line tables.
fn app(release: bool) -> &'static Path {
    static APPS: [OnceLock<PathBuf>; 2] = [OnceLock::new(), OnceLock::new()];
    APPS[usize::from(release)].get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lines");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "--quiet", "--manifest-path"]);
        build.arg(format!("{APP}/Cargo.toml"));
        build.arg("--target-dir").arg(&target);
        build.args(release.then_some("--release"));
        assert!(build.status().expect("cargo runs").success(), "it builds");
        let profile = if release { "release" } else { "debug" };
        target.join(profile).join("lines")
    })
}

/// The app without something that `strip` takes away.
fn stripped(release: bool, what: &str) -> PathBuf {
    let program = app(release);
    let stripped = program.with_file_name(format!("lines{what}"));
    let mut strip = Command::new("strip");
    let strip = strip.arg(what).arg("-o").arg(&stripped).arg(program);
    assert!(strip.status().expect("strip runs").success());
    stripped
}

/// What the app says: its lines, and its log.
struct Said {
    lines: Vec<Value>,
    log: String,
}

fn run(program: &Path, forms: &[&str], variables: &[(&str, &str)]) -> Said {
    static RUNS: atomic::AtomicU32 = atomic::AtomicU32::new(0);
    let run = RUNS.fetch_add(1, atomic::Ordering::Relaxed);
    let fifo = format!("holdup-lines-{}-{run}", std::process::id());
    let fifo = std::env::temp_dir().join(fifo);
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).expect("a FIFO");
    let output = Command::new(program)
        .args(forms)
        .env_remove("HOLDUP_LINES")
        .envs(variables.iter().copied())
        .env("HOSTALIASES", &fifo)
        // Files are told from here.
        .current_dir(APP)
        .stdin(Stdio::null())
        .output()
        .expect("the app runs");
    std::fs::remove_file(&fifo).expect("our own");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{:?}: {log}", output.status);
    let lines = String::from_utf8_lossy(&output.stdout);
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    Said {
        lines: lines.collect(),
        log,
    }
}

/// The number of the line that ends with that comment, in a file of the app.
fn line_of(file: &str, mark: &str) -> u64 {
    let source = std::fs::read_to_string(format!("{APP}/src/{file}")).expect("source");
    let mark = format!(" // {mark}");
    let line = source.lines().position(|line| line.ends_with(&mark));
    line.expect("the mark is there") as u64 + 1
}

/// What each form's blocking line calls, and what its thread is doing meanwhile.
fn expected(form: &str, release: bool) -> (&'static str, &'static str) {
    match form {
        // Inlined, of which the line tables have only the name; the rest is from its file.
        "lock" if release => ("std::sync::mutex::lock", "waiting for a lock"),
        "sleep" => ("std::thread::sleep", "sleeping"),
        "file" => ("std::fs::read", "reading a file"),
        "lock" => ("std::sync::Mutex::lock", "waiting for a lock"),
        "dns" => ("std::net::ToSocketAddrs::to_socket_addrs", "reading a file"),
        "sqlite" => ("rusqlite::Connection::execute_batch", "sleeping"),
        _ => unreachable!("{form}"),
    }
}

const WAITING: [&str; 5] = ["sleep", "file", "lock", "dns", "sqlite"];

fn assert_every_line_is_named(said: &Said, release: bool) {
    assert_eq!(said.lines.len(), (WAITING.len() + 2) * 3, "{}", said.log);
    assert!(said.log.contains("INFO holdup: lines: on"), "{}", said.log);
    let mut told_at_once = 0;
    for line in &said.lines {
        let (form, place) = (&line["form"], line["place"].as_str().expect("a place"));
        let hold = &line["hold"];
        match form.as_str().expect("a form") {
            "cpu" => {
                // It is at one of several lines, nearly always in the loop itself.
                let function = &hold["lines"][0]["function"];
                assert_eq!(function, "lines::forms::cpu", "{line}");
                assert_eq!(hold["activity"], "computing", "{line}");
                let number = hold["lines"][0]["line"].as_u64();
                let end = line_of("forms.rs", "the end of cpu");
                assert!(
                    number.is_some_and(|n| (end - 6..=end).contains(&n)),
                    "{line}"
                );
            }
            "three" => {
                let functions = hold["lines"].as_array().expect("lines").iter();
                let functions: Vec<_> = functions.map(|line| &line["function"]).collect();
                for function in ["first", "second", "third"] {
                    let function = format!("lines::forms::{function}");
                    assert!(functions.iter().any(|seen| **seen == function), "{line}");
                }
                assert!(
                    line["sentence"]
                        .as_str()
                        .is_some_and(|text| text.contains(" %, "))
                );
            }
            form => {
                let (called, activity) = expected(form, release);
                let number = line_of("forms.rs", form);
                // On a busy machine what comes before the line takes long as well, or the thread has no
                // turn in time to be told of at once.
                let first = &hold["lines"][0];
                assert_eq!(first["function"], format!("lines::forms::{form}"), "{line}");
                assert_eq!(first["file"], "src/forms.rs", "{line}");
                assert_eq!(first["line"], number, "{line}");
                assert_eq!(first["called"], called, "{line}");
                assert_eq!(hold["activity"], activity, "{line}");
                told_at_once += u32::from(line["held"]["lines"][0]["line"] == number);
                let sentence = line["sentence"].as_str().expect("text");
                let at = format!(", at lines::forms::{form} (src/forms.rs:{number})");
                assert!(sentence.contains(&at), "{sentence}");
            }
        }
        // The stack leads to where the form was called.
        let stack = hold["stack"].as_array().expect("a stack");
        let outermost = stack.last().and_then(Value::as_str).expect("a function");
        let (function, mark) = match place {
            "handler" => ("lines::in_the_handler", "the handler"),
            "extractor" => ("lines::Blocking::from_request", "the extractor"),
            _ => ("lines::in_the_body", "the body"),
        };
        let at = format!(" (src/main.rs:{})", line_of("main.rs", mark));
        if release {
            // It may be inlined; then it is an `async fn` without a name.
            assert!(outermost.ends_with(&at), "{line}");
        } else {
            assert_eq!(outermost, format!("{function}{at}"), "{line}");
        }
    }
    assert!(told_at_once > 0, "{}", said.log);
}

#[test]
fn every_form_of_blocking_is_named_with_its_line() {
    assert_every_line_is_named(&run(app(false), &[], &[]), false);
}

#[test]
fn every_form_of_blocking_is_named_with_its_line_in_a_release_build() {
    assert_every_line_is_named(&run(app(true), &[], &[]), true);
}

#[test]
fn without_line_tables_the_function_is_named() {
    for release in [false, true] {
        let said = run(&stripped(release, "--strip-debug"), &WAITING, &[]);
        assert_eq!(said.lines.len(), WAITING.len() * 3, "{}", said.log);
        for line in &said.lines {
            let form = line["form"].as_str().expect("a form");
            let lines = line["hold"]["lines"].as_array().expect("lines");
            assert!(!lines.is_empty(), "{line}");
            assert_eq!(
                lines[0]["function"],
                format!("lines::forms::{form}"),
                "{line}"
            );
            assert_eq!(lines[0]["file"], Value::Null, "{line}");
            assert_eq!(lines[0]["line"], Value::Null, "{line}");
            let sentence = line["sentence"].as_str().expect("text");
            assert!(sentence.contains(" (no line tables)"), "{sentence}");
        }
    }
}

/// Asserts that the app says why it is off, that holds have no lines, and what they are doing all the
/// same.
fn assert_off(said: &Said, why: &str) {
    let off = format!("INFO holdup: lines: off: {why}");
    assert!(said.log.contains(&off), "{}", said.log);
    for line in &said.lines {
        assert_eq!(line["hold"]["lines"], Value::Array(Vec::new()), "{line}");
        assert_eq!(line["hold"]["stack"], Value::Array(Vec::new()), "{line}");
        assert_eq!(line["hold"]["activity"], "sleeping", "{line}");
    }
    assert_eq!(said.lines.len(), 3, "{}", said.log);
}

#[test]
fn a_stripped_program_says_why_it_cannot() {
    let said = run(&stripped(true, "--strip-all"), &["sleep"], &[]);
    assert_off(&said, "the program is stripped of its symbols");
}

#[test]
fn it_is_off_when_the_environment_says_so() {
    let said = run(app(false), &["sleep"], &[("HOLDUP_LINES", "0")]);
    assert_off(&said, "HOLDUP_LINES is 0");
}

/// A library that walks stacks in its own way, and is asked before libgcc, which is loaded all the same.
#[test]
fn another_unwinder_than_libgccs_is_not_called_in_a_handler() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, library) = (folder.join("unwinds.c"), folder.join("libunwinds.so"));
    let code = "int _Unwind_Backtrace(void *step, void *walk) { return 5; }";
    std::fs::write(&source, code).expect("written");
    let mut compile = Command::new("cc");
    compile
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source);
    assert!(compile.status().expect("a C compiler").success());
    let path = library.to_str().expect("UTF-8");
    let said = run(app(false), &["sleep"], &[("LD_PRELOAD", path)]);
    assert_off(
        &said,
        &format!("{path} walks stacks, and may take a lock for it"),
    );
}

#[test]
fn a_handler_of_the_apps_own_is_respected() {
    let said = run(app(false), &["urgent", "sleep"], &[]);
    assert_off(&said, "the program has a handler for SIGURG");
}

#[test]
fn a_handler_that_the_app_installs_later_is_respected_too() {
    let said = run(app(false), &["sleep", "urgent-late", "sleep"], &[]);
    let warned = said
        .log
        .matches("lines: off: the program has taken SIGURG")
        .count();
    assert_eq!(warned, 1, "{}", said.log);
    let lines = |line: &Value| line["hold"]["lines"].as_array().map(Vec::len);
    let lines: Vec<_> = said
        .lines
        .iter()
        .map(|line| lines(line).unwrap_or(0))
        .collect();
    assert!(lines[..3].iter().all(|&n| n > 0), "{}", said.log);
    assert_eq!(lines[3..], [0, 0, 0], "{}", said.log);
}
