//! Where requests wait: an app whose requests wait in every way is built as its users build theirs, and what
//! `Watch::requests` says about them is compared with its source.
//!
//! With the environment variable `HOLDUP_HEAVY=1`, sqlx and reqwest are among the libraries. They are left out
//! otherwise, because they take a minute and more of CPU to build.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/waits-app");

/// How often each case is asked.
const ROUNDS: usize = 20;

/// A route, the function of the app in which it waits, and at which marked lines in which functions.
type Case = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// All of it waits at a line of the app.
#[rustfmt::skip]
const CASES: &[Case] = &[
    ("mutex", "primitives::mutex", &[("mutex", "tokio::sync::Mutex::lock")]),
    ("rwlock_read", "primitives::rwlock_read", &[("rwlock_read", "tokio::sync::RwLock::read")]),
    ("rwlock_write", "primitives::rwlock_write", &[("rwlock_write", "tokio::sync::RwLock::write")]),
    ("semaphore", "primitives::semaphore", &[("semaphore", "tokio::sync::Semaphore::acquire")]),
    ("notify", "primitives::notify", &[("notify", "tokio::sync::Notify::notified")]),
    ("mpsc_recv", "primitives::mpsc_recv", &[("mpsc_recv", "tokio::sync::mpsc::Receiver::recv")]),
    ("mpsc_send", "primitives::mpsc_send", &[("mpsc_send", "tokio::sync::mpsc::Sender::send")]),
    ("broadcast_recv", "primitives::broadcast_recv", &[("broadcast_recv", "tokio::sync::broadcast::Receiver::recv")]),
    ("oneshot", "primitives::oneshot", &[("oneshot", "tokio::sync::oneshot::Receiver")]),
    ("watch", "primitives::watch", &[("watch", "tokio::sync::watch::Receiver::changed")]),
    ("barrier", "primitives::barrier", &[("barrier", "tokio::sync::Barrier::wait")]),
    ("join_handle", "primitives::join_handle", &[("join_handle", "tokio::task::JoinHandle")]),
    ("block", "primitives::block", &[("block", "actix_web::web::block")]),
    ("sleeps", "primitives::sleeps", &[("sleeps", "tokio::time::sleep")]),
    ("socket", "primitives::socket", &[("socket", "tokio::io::AsyncReadExt::read")]),
    ("awc", "libraries::awc", &[("awc", "awc::SendClientRequest")]),
    ("deadpool", "libraries::deadpool", &[("deadpool", "deadpool::managed::Pool::get")]),
    ("join", "around::join", &[
        ("join", "tokio::sync::Mutex::lock"),
        ("join", "tokio::time::sleep"),
        ("join block", "tokio::sync::Notify::notified"),
    ]),
    ("select", "around::select", &[
        ("select", "tokio::sync::Mutex::lock"),
        ("select", "tokio::time::sleep"),
        ("select block", "tokio::sync::Notify::notified"),
    ]),
    ("both", "around::both", &[
        ("both one", "tokio::sync::Mutex::lock"),
        ("both one", "tokio::time::sleep"),
        ("both other", "tokio::sync::Notify::notified"),
        ("both other", "tokio::time::sleep"),
    ]),
    ("timeouts", "around::timeouts", &[
        ("timeouts", "tokio::sync::Mutex::lock"),
        ("timeouts", "tokio::time::timeout"),
    ]),
    ("boxed", "around::boxed", &[("boxed", "tokio::sync::Notify::notified")]),
    ("boxed_primitive", "around::boxed_primitive", &[("boxed_primitive", "tokio::time::sleep")]),
    ("mapped", "around::mapped", &[("mapped", "tokio::time::sleep")]),
    ("all", "around::all", &[("all", "tokio::sync::Mutex::lock")]),
    ("unordered", "around::unordered", &[("unordered", "futures_util::stream::FuturesUnordered")]),
    ("native_trait", "around::Waits::wait", &[("native_trait", "tokio::sync::Notify::notified")]),
    ("boxed_trait", "around::Waits::wait", &[("boxed_trait", "tokio::sync::Notify::notified")]),
    ("nested", "around::inner", &[("nested", "tokio::sync::Mutex::lock")]),
    ("payload", "parts::payload", &[("payload", "actix_web::web::Payload")]),
    ("multipart", "parts::multipart", &[("multipart", "actix_multipart::Multipart")]),
    ("middleware", "parts::middleware", &[("middleware", "tokio::sync::Notify::notified")]),
    ("behind", "parts::behind", &[("behind", "tokio::sync::Notify::notified")]),
    ("stream", "parts::stream", &[("stream", "tokio::sync::Notify::notified")]),
];

#[rustfmt::skip]
const HEAVY: &[Case] = &[
    ("reqwest", "libraries::heavy::reqwest", &[("reqwest", "reqwest::Pending")]),
    ("sqlx", "libraries::heavy::sqlx", &[("sqlx", "sqlx::Pool::acquire")]),
    ("sqlx_query", "libraries::heavy::sqlx_query", &[("sqlx_query", "sqlx::Query::execute")]),
];

/// Those that wait where no code of the app's is on the stack: in an extractor, and in a body of a library's.
const OUTSIDE: &[(&str, &str)] = &[
    ("bytes", "actix_web::web::Bytes::from_request"),
    ("text", "String::from_request"),
    ("json", "actix_web::web::Json::from_request"),
    ("channel", "tokio_stream::wrappers::ReceiverStream"),
];

fn is_heavy() -> bool {
    std::env::var("HOLDUP_HEAVY").is_ok_and(|value| value == "1")
}

fn cases() -> impl Iterator<Item = &'static Case> {
    let heavy = if is_heavy() { HEAVY } else { &[] };
    CASES.iter().chain(heavy)
}

/// The app, built with or without optimizations. Both have line tables.
fn app(release: bool) -> &'static Path {
    static APPS: [OnceLock<PathBuf>; 2] = [OnceLock::new(), OnceLock::new()];
    APPS[usize::from(release)].get_or_init(|| {
        // Beside the app of the other test: what they share is built once.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lines");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "--quiet", "--manifest-path"]);
        build.arg(format!("{APP}/Cargo.toml"));
        build.arg("--target-dir").arg(&target);
        build.args(release.then_some("--release"));
        build.args(is_heavy().then_some("--features=heavy"));
        assert!(build.status().expect("cargo runs").success(), "it builds");
        let profile = if release { "release" } else { "debug" };
        target.join(profile).join("waits")
    })
}

/// The app without the sections that `strip` removes with this option.
fn stripped(release: bool, what: &str) -> PathBuf {
    let program = app(release);
    let stripped = program.with_file_name(format!("waits{what}"));
    let mut strip = Command::new("strip");
    let strip = strip.arg(what).arg("-o").arg(&stripped).arg(program);
    assert!(strip.status().expect("strip runs").success());
    stripped
}

/// What the app printed: one value for each round.
fn run(program: &Path, rounds: usize, routes: &[&str], variables: &[(&str, &str)]) -> Vec<Value> {
    let output = Command::new(program)
        .arg(rounds.to_string())
        .args(routes)
        .env_remove("HOLDUP_LINES")
        .env_remove("HOLDUP_STACKS")
        .envs(variables.iter().copied())
        // File paths are printed relative to this folder.
        .current_dir(APP)
        .stdin(Stdio::null())
        .output()
        .expect("the app runs");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {log}", output.status);
    let lines = String::from_utf8_lossy(&output.stdout);
    let lines = lines.lines();
    let lines: Vec<_> = lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), rounds, "{log}");
    lines
}

/// The file and the line that ends with that comment, in the app's source.
fn line_of(mark: &str) -> (String, u64) {
    let mark = format!(" // {mark}");
    let found = ["around", "libraries", "parts", "primitives"]
        .into_iter()
        .flat_map(|name| {
            let file = format!("src/{name}.rs");
            let source = std::fs::read_to_string(format!("{APP}/{file}")).expect("source");
            let lines = (1..).zip(source.lines());
            let marked = lines.filter(|(_, line)| line.ends_with(&mark));
            let marked: Vec<_> = marked.map(|(line, _)| (file.clone(), line)).collect();
            marked
        });
    let found: Vec<_> = found.collect();
    assert_eq!(found.len(), 1, "{mark} marks one line");
    found.into_iter().next().expect("it is one")
}

/// The request of a route in a round, and where it waits.
fn waiting<'a>(round: &'a Value, route: &str) -> (&'a Value, &'a [Value]) {
    let requests = round["requests"].as_array().expect("requests");
    let mut of_route = requests
        .iter()
        .filter(|request| request["route"] == format!("/{route}"));
    let request = of_route.next().expect("it is open");
    assert_eq!(of_route.next(), None, "one of each is open");
    assert_eq!(request["state"], "waiting", "{request}");
    (request, request["at"].as_array().expect("places"))
}

fn assert_every_place_is_named(release: bool) {
    let routes: Vec<_> = cases().map(|(route, ..)| *route).collect();
    let outside = OUTSIDE.iter().map(|(route, _)| *route);
    let routes: Vec<_> = routes.into_iter().chain(outside).collect();
    let rounds = run(app(release), ROUNDS, &routes, &[]);
    for round in &rounds {
        assert_eq!(
            round["requests"].as_array().map(Vec::len),
            Some(routes.len())
        );
        assert_eq!(round["why_no_lines"], Value::Null);
        for (route, function, expected) in cases() {
            let (request, at) = waiting(round, route);
            let point = |point: &Value| {
                let line = &point["line"];
                assert_eq!(line["library"], false, "{request}");
                assert_eq!(line["function"], format!("waits::{function}"), "{request}");
                let file = line["file"].as_str().expect("a file").to_owned();
                let within = point["in"].as_str().expect("a function").to_owned();
                (file, line["line"].as_u64().expect("a line"), within)
            };
            let points: BTreeSet<_> = at.iter().map(point).collect();
            let expected = expected.iter().map(|(mark, within)| {
                let (file, line) = line_of(mark);
                (file, line, (*within).to_owned())
            });
            assert_eq!(points, expected.collect(), "{request}");
            for point in at {
                assert_is_clean(&point["stack"]);
            }
        }
        for (route, within) in OUTSIDE {
            let (request, at) = waiting(round, route);
            let [point] = at else { panic!("{request}") };
            assert_eq!(point["line"], Value::Null, "{request}");
            assert_eq!(point["in"], *within, "{request}");
            assert_is_clean(&point["stack"]);
        }
    }
}

/// A stack begins with what is waited for, and not with how its waker is kept.
fn assert_is_clean(stack: &Value) {
    let stack = stack.as_array().expect("a stack");
    let first = stack.first().and_then(Value::as_str).expect("a function");
    for machinery in ["core::task::", "AtomicWaker", "catch_unwind", "__rust_try"] {
        assert!(!first.contains(machinery), "{stack:?}");
    }
}

#[test]
fn every_place_is_named_with_its_line() {
    assert_every_place_is_named(false);
}

#[test]
fn every_place_is_named_with_its_line_in_a_release_build() {
    assert_every_place_is_named(true);
}

#[test]
fn without_line_tables_the_function_is_named() {
    for release in [false, true] {
        let routes: Vec<_> = cases().map(|(route, ..)| *route).collect();
        let rounds = run(&stripped(release, "--strip-debug"), 1, &routes, &[]);
        for (route, function, expected) in cases() {
            let (request, at) = waiting(&rounds[0], route);
            assert!(!at.is_empty(), "{request}");
            for point in at {
                let line = &point["line"];
                assert_eq!(line["line"], Value::Null, "{request}");
                let found = line["function"].as_str();
                if release {
                    // What is inlined has no name; it is inlined into what calls handlers, or middleware.
                    let handler = format!("the handler of POST /{route}");
                    let function = format!("waits::{function}");
                    let is_right = |found| found == handler || found == function;
                    assert!(found.is_none_or(is_right), "{request}");
                } else {
                    assert_eq!(
                        found,
                        Some(format!("waits::{function}").as_str()),
                        "{request}"
                    );
                    let within = point["in"].as_str().expect("a function");
                    let mut expected = expected.iter().map(|(_, within)| *within);
                    assert!(expected.any(|expected| expected == within), "{request}");
                }
            }
        }
        // Of most of them it is known in a release build, too.
        let named = cases().filter(|(route, ..)| {
            let (_, at) = waiting(&rounds[0], route);
            at.iter().all(|point| point["line"]["function"].is_string())
        });
        assert!(named.count() * 10 >= routes.len() * 9, "{rounds:?}");
    }
}

/// Asserts that it says why it does not know where requests wait, and has their states nevertheless.
fn assert_off(program: &Path, variables: &[(&str, &str)], why: &str) {
    for round in run(program, 1, &["mutex", "join"], variables) {
        assert_eq!(round["why_no_lines"], why);
        for route in ["mutex", "join"] {
            let (request, at) = waiting(&round, route);
            assert!(at.is_empty(), "{request}");
        }
    }
}

#[test]
fn a_stripped_program_says_why_places_are_not_known() {
    let why = "the program is stripped of its symbols";
    assert_off(&stripped(true, "--strip-all"), &[], why);
}

#[test]
fn it_is_off_when_the_environment_variable_is_0() {
    let off = [("HOLDUP_STACKS", "0")];
    assert_off(app(false), &off, "HOLDUP_STACKS is 0");
}
