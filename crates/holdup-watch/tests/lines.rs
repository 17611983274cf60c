//! The line that blocks: an app that blocks in every way is built as its users build theirs, and what
//! it prints about its holds is compared with its source.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use holdup_testkit::fifo::Fifo;

const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lines-app");

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

/// The app without the sections that `strip` removes with this option.
fn stripped(release: bool, what: &str) -> PathBuf {
    let program = app(release);
    let stripped = program.with_file_name(format!("lines{what}"));
    let mut strip = Command::new("strip");
    let strip = strip.arg(what).arg("-o").arg(&stripped).arg(program);
    assert!(strip.status().expect("strip runs").success());
    stripped
}

/// The app's output: its lines of JSON, and its log.
struct Printed {
    lines: Vec<Value>,
    log: String,
}

fn run(program: &Path, forms: &[&str], variables: &[(&str, &str)]) -> Printed {
    let fifo = Fifo::new();
    let output = Command::new(program)
        .args(forms)
        .env_remove("HOLDUP_LINES")
        .envs(variables.iter().copied())
        .env("HOSTALIASES", &*fifo)
        // File paths are printed relative to this folder.
        .current_dir(APP)
        .stdin(Stdio::null())
        .output()
        .expect("the app runs");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{:?}: {log}", output.status);
    let lines = String::from_utf8_lossy(&output.stdout);
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    Printed {
        lines: lines.collect(),
        log,
    }
}

/// Runs the app with the line tables read before its first form.
fn run_warm(program: &Path, forms: &[&str]) -> Printed {
    run(program, &[&["warm"], forms].concat(), &[])
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

fn assert_every_line_is_named(printed: &Printed, release: bool) {
    assert_eq!(
        printed.lines.len(),
        (WAITING.len() + 2) * 3,
        "{}",
        printed.log
    );
    assert!(
        printed.log.contains("INFO holdup: lines: on"),
        "{}",
        printed.log
    );
    let mut named_at_once = 0;
    for line in &printed.lines {
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
                    assert!(
                        functions.iter().any(|sampled| **sampled == function),
                        "{line}"
                    );
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
                // On a busy machine, the code before the line takes long as well, or the thread does not
                // run in time for the first publication to have the line.
                let first = &hold["lines"][0];
                assert_eq!(first["function"], format!("lines::forms::{form}"), "{line}");
                assert_eq!(first["file"], "src/forms.rs", "{line}");
                assert_eq!(first["line"], number, "{line}");
                assert_eq!(first["called"], called, "{line}");
                assert_eq!(hold["activity"], activity, "{line}");
                named_at_once += u32::from(line["held"]["lines"][0]["line"] == number);
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
    assert!(named_at_once > 0, "{}", printed.log);
}

#[test]
fn every_form_of_blocking_is_named_with_its_line() {
    assert_every_line_is_named(&run_warm(app(false), &[]), false);
}

#[test]
fn every_form_of_blocking_is_named_with_its_line_in_a_release_build() {
    assert_every_line_is_named(&run_warm(app(true), &[]), true);
}

/// Asserts that each of these routes was printed once, at that function and the marked line.
fn assert_named(printed: &Printed, expected: &[(&str, &str, &str)]) {
    assert_eq!(printed.lines.len(), expected.len(), "{}", printed.log);
    for (line, (route, function, mark)) in printed.lines.iter().zip(expected) {
        assert_eq!(line["form"], *route, "{line}");
        let first = &line["hold"]["lines"][0];
        assert_eq!(first["function"], *function, "{line}");
        assert_eq!(first["file"], "src/named.rs", "{line}");
        assert_eq!(first["line"], line_of("named.rs", mark), "{line}");
        assert_eq!(first["library"], false, "{line}");
        // Where the handler is, it is named as well.
        let stack = line["hold"]["stack"].as_array().expect("a stack");
        let outermost = stack.last().and_then(Value::as_str).expect("a function");
        assert!(outermost.starts_with("lines::named::"), "{line}");
    }
}

#[test]
fn functions_keep_their_names() {
    let routes = ["/export", "/copy", "/derived", "/log-in"];
    let named = |copy, derived| {
        [
            ("/export", "lines::named::export", "export"),
            ("/copy", copy, "clone"),
            ("/derived", derived, "derived"),
            ("/log-in", "lines::named::log_in", "log in"),
        ]
    };
    let [copy, derived] = [
        "lines::named::Cart::clone",
        "lines::named::Report::serialize",
    ];
    assert_named(&run_warm(app(false), &routes), &named(copy, derived));
    // Of what was inlined, line tables alone have no type.
    let [copy, derived] = ["lines::named::clone", "lines::named::serialize"];
    assert_named(&run_warm(app(true), &routes), &named(copy, derived));
}

#[test]
fn a_mounted_library_is_named_when_no_code_of_the_app_is_on_the_stack() {
    for (release, called) in [(false, "std::fs::File::open"), (true, "std::fs::open")] {
        let printed = run_warm(app(release), &["/files/slow"]);
        let [line] = printed.lines.as_slice() else {
            panic!("{}", printed.log)
        };
        let hold = &line["hold"];
        assert_eq!(hold["culprits"][0]["route"], "/files", "{line}");
        assert_eq!(hold["activity"], "reading a file", "{line}");
        let first = &hold["lines"][0];
        let function = "actix_files::named::NamedFile::open_async";
        assert_eq!(first["function"], function, "{line}");
        assert_eq!(first["called"], called, "{line}");
        assert_eq!(first["library"], true, "{line}");
        let file = first["file"].as_str().expect("a file");
        assert!(
            file.starts_with("actix-files-") && file.contains("/src/"),
            "{line}"
        );
        let sentence = line["sentence"].as_str().expect("text");
        assert!(
            sentence.ends_with(&format!(
                "in {called}, with no code of the app's own on the stack"
            )),
            "{sentence}"
        );
    }
}

/// What the app logged of one route, in order.
fn logged<'a>(printed: &'a Printed, route: &str) -> Vec<&'a str> {
    let message = |line: &'a str| {
        line.split_once(" WARN holdup: ")
            .map(|(_, message)| message)
    };
    let messages = printed.log.lines().filter_map(message);
    messages.filter(|message| message.contains(route)).collect()
}

#[test]
fn the_first_hold_is_logged_at_once_then_its_line_and_again_after_a_second() {
    let printed = run(app(true), &["/long"], &[]);
    let messages = logged(&printed, "GET /long");
    let [first, line, again, end] = messages.as_slice() else {
        panic!("{}", printed.log)
    };
    let number = line_of("named.rs", "long");
    let at = format!("at lines::named::long (src/named.rs:{number}), in std::thread::sleep");
    // The line tables are not read yet.
    assert!(first.starts_with("GET /long (future, 1 poll, "), "{first}");
    assert!(first.contains(" ms so far, sleeping worker=0"), "{first}");
    assert_eq!(
        *line,
        format!("worker 0, held by GET /long, is {at} worker=0")
    );
    assert!(
        again.contains(&format!(" s so far, sleeping, {at} worker=0")),
        "{again}"
    );
    assert!(end.contains(" held worker 0 for 3."), "{end}");
    let (_, duration) = end.split_once(" duration_ms=").expect("a duration");
    let decimals = duration
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    assert!(decimals <= 3, "{end}");
}

#[test]
fn the_worker_that_perhaps_holds_the_lock_another_one_waits_for_is_named() {
    for release in [false, true] {
        let printed = run_warm(app(release), &["two", "/shared"]);
        let number = |mark| line_of("named.rs", mark);
        let at = |mark| {
            format!(
                "at lines::named::shared_lock (src/named.rs:{})",
                number(mark)
            )
        };
        let (waits, holds) = (at("shared lock"), at("shared hold"));
        let messages = logged(&printed, "GET /shared");
        let so_far = messages
            .into_iter()
            .filter(|message| message.contains(" so far, "));
        let (waiting, holding): (Vec<&str>, Vec<&str>) =
            so_far.partition(|message| message.contains("waiting for a lock"));
        assert!(
            !waiting.is_empty() && !holding.is_empty(),
            "{}",
            printed.log
        );
        for message in holding {
            assert!(!message.contains("perhaps"), "{message}");
        }
        let named = |message: &&str| {
            let holder = "; the lock is perhaps held by GET /shared on worker ";
            message.contains(&waits) && message.contains(holder) && message.contains(&holds)
        };
        assert!(waiting.iter().any(named), "{}", printed.log);
    }
}

#[test]
fn without_line_tables_the_function_is_named() {
    for release in [false, true] {
        let printed = run_warm(&stripped(release, "--strip-debug"), &WAITING);
        assert_eq!(printed.lines.len(), WAITING.len() * 3, "{}", printed.log);
        for line in &printed.lines {
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
    // A handler that is inlined has no name at all.
    let printed = run_warm(&stripped(true, "--strip-debug"), &["/export"]);
    let sentence = printed.lines[0]["sentence"].as_str().expect("text");
    let at = ", at the handler of GET /export (no line tables), in std::thread::sleep";
    assert!(sentence.ends_with(at), "{sentence}");
}

/// Asserts that the app logs why the feature is off, and that holds have no lines but still name the
/// activity.
fn assert_off(printed: &Printed, why: &str) {
    let off = format!("INFO holdup: lines: off: {why}");
    assert!(printed.log.contains(&off), "{}", printed.log);
    for line in &printed.lines {
        assert_eq!(line["hold"]["lines"], Value::Array(Vec::new()), "{line}");
        assert_eq!(line["hold"]["stack"], Value::Array(Vec::new()), "{line}");
        assert_eq!(line["hold"]["activity"], "sleeping", "{line}");
    }
    assert_eq!(printed.lines.len(), 3, "{}", printed.log);
}

#[test]
fn a_stripped_program_logs_why_stacks_are_off() {
    let printed = run(&stripped(true, "--strip-all"), &["sleep"], &[]);
    assert_off(&printed, "the program is stripped of its symbols");
}

#[test]
fn it_is_off_when_the_environment_variable_is_0() {
    let printed = run(app(false), &["sleep"], &[("HOLDUP_LINES", "0")]);
    assert_off(&printed, "HOLDUP_LINES is 0");
}

#[test]
fn a_handler_of_the_apps_own_is_respected() {
    let printed = run(app(false), &["urgent", "sleep"], &[]);
    assert_off(&printed, "the program has a handler for SIGURG");
}

#[test]
fn a_handler_that_the_app_installs_later_is_respected_too() {
    let printed = run_warm(app(false), &["sleep", "urgent-late", "sleep"]);
    let warned = printed
        .log
        .matches("lines: off: the program has taken SIGURG")
        .count();
    assert_eq!(warned, 1, "{}", printed.log);
    let lines = |line: &Value| line["hold"]["lines"].as_array().map(Vec::len);
    let lines: Vec<_> = printed
        .lines
        .iter()
        .map(|line| lines(line).unwrap_or(0))
        .collect();
    assert!(lines[..3].iter().all(|&n| n > 0), "{}", printed.log);
    assert_eq!(lines[3..], [0, 0, 0], "{}", printed.log);
}
