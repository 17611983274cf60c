//! A folder for the record of a test, and a `holdup replay` process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use holdup_testkit::{PATIENCE, pause};
use serde_json::Value;

/// An empty folder for a test's record.
pub(crate) fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("record-{test}"));
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The segments of a record, the oldest first.
pub(crate) fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "jsonl"));
    files.sort();
    files
}

/// The lines of a record that are complete.
pub(crate) fn lines(folder: &Path) -> Vec<Value> {
    let texts = segments(folder).into_iter().map(|file| {
        let text = fs::read(file).expect("a file");
        // The last line may be just being written.
        let lines = text.split_inclusive(|&byte| byte == b'\n');
        let whole = lines.filter(|line| line.ends_with(b"\n"));
        let lines = whole.map(|line| serde_json::from_slice(line).expect("JSON"));
        lines.collect::<Vec<Value>>()
    });
    texts.flatten().collect()
}

/// Waits until the record has a line that `matches`.
pub(crate) fn wait_for_line(folder: &Path, what: &str, matches: impl Fn(&Value) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !lines(folder).iter().any(&matches) {
        assert!(Instant::now() < deadline, "{what} is never recorded");
        pause(Duration::from_millis(50));
    }
}

/// The path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// What `holdup replay PATH --summary` prints.
pub(crate) fn summary(path: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdup"));
    command.arg("replay").arg(path).arg("--summary");
    command.output().expect("holdup starts")
}

/// A `holdup replay` process with its page, on a free port. It ends when this is dropped.
pub(crate) struct Replay {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it printed before its address.
    pub(crate) about: String,
    /// The pipe is kept open.
    stdout: Option<BufReader<ChildStdout>>,
}

impl Replay {
    pub(crate) fn start(path: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_holdup"))
            .arg("replay")
            .arg(path)
            .args(["--address", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut replay = Self {
            child: child.expect("holdup starts"),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            about: String::new(),
            stdout: None,
        };
        let stdout = replay.child.stdout.take().expect("stdout is piped");
        let mut stdout = BufReader::new(stdout);
        while replay.address.port() == 0 {
            let before = replay.about.len();
            let read = stdout.read_line(&mut replay.about).expect("text");
            assert!(read > 0, "it ended: {}", replay.about);
            if let Some((_, address)) = replay.about[before..].split_once("http://") {
                let address = address.trim_end().trim_end_matches('/');
                replay.address = address.parse().expect("an address");
            }
        }
        replay.stdout = Some(stdout);
        replay
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
