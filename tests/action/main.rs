//! The GitHub action, run as GitHub's runner does: `runner.py` reads `action.yml`, and runs its scripts for real.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use holdup_testkit::external::folder;
use holdup_testkit::{PATIENCE, pause, target};
use serde_json::{Value, json};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// The folder of the program that is tested, for the `PATH`.
fn programs() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_holdup"));
    program.parent().expect("a folder").to_owned()
}

/// A job with these inputs. The program is the one that is tested.
fn job(inputs: &Value) -> Job {
    let mut inputs = inputs.clone();
    inputs["install"] = json!("no");
    job_in(folder(), &programs(), &inputs)
}

/// A job with these inputs in a folder, with these programs before all others.
fn job_in(folder: PathBuf, programs: &Path, inputs: &Value) -> Job {
    let path = std::env::var("PATH").expect("a path");
    let mut runner = Command::new("python3")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/action/runner.py"
        ))
        .arg(&folder)
        .env("CARGO_TARGET_DIR", target())
        .env("PATH", format!("{}:{path}", programs.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs; scripts/test installs it");
    let mut stdin = runner.stdin.take().expect("piped");
    write!(stdin, "{inputs}").expect("it reads");
    drop(stdin);
    let output = runner.wait_with_output().expect("it ends");
    let result = serde_json::from_slice(&output.stdout);
    let result = result.unwrap_or_else(|error| panic!("{error}: {output:?}"));
    Job { result, folder }
}

/// What came of a job.
struct Job {
    result: Value,
    folder: PathBuf,
}

impl Job {
    fn text(&self, field: &str) -> &str {
        self.result[field].as_str().expect("a text")
    }

    fn output(&self, name: &str) -> &str {
        self.result["outputs"][name].as_str().expect("an output")
    }

    #[track_caller]
    fn ends(&self, conclusion: &str, verdict: &str, heading: &str) {
        assert_eq!(self.text("conclusion"), conclusion, "{:#}", self.result);
        assert_eq!(self.output("verdict"), verdict, "{:#}", self.result);
        let heading = format!("### holdup probe: {heading}\n");
        assert!(
            self.text("summary").starts_with(&heading),
            "{:#}",
            self.result
        );
    }

    #[track_caller]
    fn says(&self, field: &str, part: &str) {
        assert!(
            self.text(field).contains(part),
            "no {part:?}: {:#}",
            self.result
        );
    }

    /// The files that would be kept.
    fn kept(&self) -> PathBuf {
        let used = self.result["used"].as_array().expect("actions");
        let upload = used.last().expect("an action");
        assert_eq!(upload["uses"], "actions/upload-artifact@v7");
        upload["with"]["path"].as_str().expect("a path").into()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A job that starts a lab, and probes one of its paths.
fn lab_job(path: &str, more: &Value) -> (Job, u16) {
    let port = free_port();
    let mut inputs = json!({
        "command": format!("holdup serve --bind 127.0.0.1:{port} --no-console"),
        "url": format!("127.0.0.1:{port}{path}"),
    });
    let more = more.as_object().expect("inputs").clone();
    inputs.as_object_mut().expect("inputs").extend(more);
    (job(&inputs), port)
}

/// As [`lab_job`], once noise did not make the verdict inconclusive.
fn quiet_lab_job(path: &str, more: &Value) -> (Job, u16) {
    let mut made = lab_job(path, more);
    for _ in 0..2 {
        if made.0.output("verdict") != "inconclusive" {
            break;
        }
        made = lab_job(path, more);
    }
    made
}

#[track_caller]
fn nobody_listens(port: u16) {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(Instant::now() < deadline, "a server was left behind");
        pause(Duration::from_millis(20));
    }
}

/// Fails if the `sleep` whose id is in the file still runs.
#[track_caller]
fn is_gone(id: &Path) {
    let id = fs::read_to_string(id).expect("its id");
    let cmdline = fs::read_to_string(Path::new("/proc").join(id.trim()).join("cmdline"));
    let left = cmdline.unwrap_or_default().starts_with("sleep");
    assert!(!left, "process {id} was left behind");
}

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

/// A `cargo` that notes its arguments, and installs the program that is tested.
const CARGO: &str = r#"#!/bin/sh
echo "$@" >>"$RUNNER_TEMP/cargo"
while [ "$1" != --root ]; do shift; done
mkdir -p "$2/bin" && cp "$PROGRAM" "$2/bin/"
"#;

#[test]
fn the_program_is_installed_by_cargo_and_kept_for_later_jobs() {
    let script = CARGO.replace("$PROGRAM", env!("CARGO_BIN_EXE_holdup"));
    let mut keys = Vec::new();
    for (install, asks) in [("source", "--path /"), ("0.1.0", "holdup@0.1.0\n")] {
        let folder = folder();
        let cargo = folder.join("cargo-bin");
        fs::create_dir(&cargo).expect("a folder");
        fs::write(cargo.join("cargo"), &script).expect("written");
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(cargo.join("cargo"), executable).expect("executable");
        // What comes of the probe does not matter here.
        let inputs = json!({ "url": "127.0.0.1:1/", "wait-timeout": "0", "install": install });
        let first = job_in(folder.clone(), &cargo, &inputs);
        first.says("log", "127.0.0.1:1 was not answered within 0 s");
        let asked = fs::read_to_string(folder.join("cargo")).expect("its arguments");
        assert!(
            asked.starts_with("install --locked ") && asked.contains(asks),
            "{asked}"
        );
        let cache = &first.result["used"][0];
        assert_eq!(cache["uses"], "actions/cache@v5");
        assert_eq!(
            cache["with"]["path"],
            folder.join("holdup-program").to_str().expect("UTF-8")
        );
        let again = job_in(folder.clone(), &cargo, &inputs);
        again.says("log", "holdup is there from an earlier job.");
        assert_eq!(&again.result["used"][0], cache);
        assert_eq!(
            fs::read_to_string(folder.join("cargo")).expect("as before"),
            asked
        );
        keys.push(cache["with"]["key"].as_str().expect("a key").to_owned());
    }
    assert_eq!(keys[1], "holdup-Linux-X64-0.1.0");
    let source = keys[0].strip_prefix("holdup-Linux-X64-").expect("a key");
    assert!(
        source.len() == 32 && source.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{source}"
    );

    let job = job_in(
        folder(),
        &programs(),
        &json!({ "url": "127.0.0.1:1/", "install": "newest" }),
    );
    assert_eq!(job.text("conclusion"), "failure");
    job.says(
        "log",
        "install is \"newest\", but has to be source, no, or a version such as 0.1.0",
    );
}
