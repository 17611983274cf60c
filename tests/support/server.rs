//! A `holdup serve` process that a test starts, on a free port.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use holdup_testkit::{PATIENCE, pause};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// At least this many lines of the log are kept.
const LINES: usize = 100_000;

pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
    /// The pipe is kept open; otherwise the server would write to a closed one.
    _stdout: BufReader<ChildStdout>,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<Value>>,
    added: Condvar,
}

impl Server {
    /// Starts `holdup serve` with these arguments, and returns when it is listening.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdup"));
        command.arg("serve").args(arguments);
        Self::start_as(command)
    }

    /// Starts a command that runs `holdup serve`, and sets its ports and log format.
    pub(crate) fn start_as(mut command: Command) -> Self {
        command.env("HOLDUP_BIND", "127.0.0.1:0");
        Self::start_at(command)
    }

    /// Starts a command that runs `holdup serve` at an address that it sets itself.
    pub(crate) fn start_at(mut command: Command) -> Self {
        let mut child = command
            .env("HOLDUP_CONSOLE", "127.0.0.1:0")
            .env("HOLDUP_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("holdup starts");

        let log = Arc::new(Log::default());
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let reader = Arc::clone(&log);
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                let mut lines = reader.lines.lock().expect("no reader panics");
                // In a long run, the lines about its streams would fill the memory.
                if lines.len() < LINES || line["level"] != "INFO" {
                    lines.push(line);
                }
                drop(lines);
                reader.added.notify_all();
            }
        });

        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut first = String::new();
        stdout.read_line(&mut first).expect("a start-up line");
        let address = first
            .trim()
            .rsplit("http://")
            .next()
            .and_then(|text| text.parse().ok());
        let Some(address) = address else {
            let status = child.wait();
            pause(Duration::from_millis(200));
            panic!(
                "no address in {first:?}; {status:?}; log: {:?}",
                log.lines.lock()
            );
        };
        Self {
            child,
            address,
            log,
            _stdout: stdout,
        }
    }

    /// The address on which its console listens.
    pub(crate) fn console(&self) -> SocketAddr {
        let line = self.logged("the console's address", |line| {
            line["message"] == "console is listening"
        });
        let address = line["address"].as_str().expect("an address");
        address.parse().expect("an address")
    }

    /// Waits until the log has a line that `matches`, and returns it.
    pub(crate) fn logged(&self, what: &str, matches: impl Fn(&Value) -> bool) -> Value {
        self.logged_when(what, |lines| {
            lines.iter().find(|line| matches(line)).cloned()
        })
    }

    /// Waits until `found` returns a value for the lines of the log.
    pub(crate) fn logged_when<T>(&self, what: &str, found: impl Fn(&[Value]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.log.lines.lock().expect("no reader panics");
        loop {
            if let Some(found) = found(&lines) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{what} was never logged; the log: {lines:#?}"
            );
            (lines, _) = self
                .log
                .added
                .wait_timeout(lines, left)
                .expect("no reader panics");
        }
    }

    /// Waits for the line that says how a stream ended.
    pub(crate) fn stream_ended(&self, number: u64) -> Value {
        self.logged(&format!("the end of stream {number}"), |line| {
            line["message"] == "stream ended" && line["stream"] == number
        })
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).expect("process ids fit");
        kill_process(Pid::from_raw(id).expect("not zero"), signal).expect("the server runs");
    }

    /// Waits until the process ends by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            pause(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
