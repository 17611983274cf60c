//! A job with the action, and the servers that it probes.

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
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// The folder of the program that is tested, for the `PATH`.
pub(crate) fn programs() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_holdup"));
    program.parent().expect("a folder").to_owned()
}

/// A job with these inputs. The program is the one that is tested.
pub(crate) fn job(inputs: &Value) -> Job {
    let mut inputs = inputs.clone();
    inputs["install"] = json!("no");
    job_in(folder(), &programs(), &inputs)
}

/// A job with these inputs in a folder, with these programs before all others.
pub(crate) fn job_in(folder: PathBuf, programs: &Path, inputs: &Value) -> Job {
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
pub(crate) struct Job {
    pub(crate) result: Value,
    pub(crate) folder: PathBuf,
}

impl Job {
    pub(crate) fn text(&self, field: &str) -> &str {
        self.result[field].as_str().expect("a text")
    }

    pub(crate) fn output(&self, name: &str) -> &str {
        self.result["outputs"][name].as_str().expect("an output")
    }

    #[track_caller]
    pub(crate) fn ends(&self, conclusion: &str, verdict: &str, heading: &str) {
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
    pub(crate) fn says(&self, field: &str, part: &str) {
        assert!(
            self.text(field).contains(part),
            "no {part:?}: {:#}",
            self.result
        );
    }

    /// The files that would be kept.
    pub(crate) fn kept(&self) -> PathBuf {
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
pub(crate) fn lab_job(path: &str, more: &Value) -> (Job, u16) {
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
pub(crate) fn quiet_lab_job(path: &str, more: &Value) -> (Job, u16) {
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
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        pause(Duration::from_millis(20));
    }
}

#[track_caller]
pub(crate) fn nobody_listens(port: u16) {
    wait_until("the end of the server", || {
        TcpStream::connect(("127.0.0.1", port)).is_err()
    });
}

/// Whether the process whose id is in the file still runs, as this program.
pub(crate) fn runs(id: &Path, program: &str) -> bool {
    let id = fs::read_to_string(id).expect("its id");
    let cmdline = fs::read_to_string(Path::new("/proc").join(id.trim()).join("cmdline"));
    cmdline.unwrap_or_default().starts_with(program)
}

/// Fails if the `sleep` whose id is in the file still runs.
#[track_caller]
pub(crate) fn is_gone(id: &Path) {
    assert!(!runs(id, "sleep"), "a process was left behind");
}

/// A folder with one program, which is a script.
pub(crate) fn with_script(folder: &Path, name: &str, script: &str) -> PathBuf {
    let programs = folder.join(format!("bin-of-{name}"));
    fs::create_dir(&programs).expect("a folder");
    fs::write(programs.join(name), script).expect("written");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(programs.join(name), executable).expect("executable");
    programs
}
