//! A replica of the app, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

pub struct Replica {
    pub address: String,
    process: Child,
}

impl Replica {
    /// Starts one that sends its spans to `receiver` and asks the replica at `upstream`.
    pub fn start(name: &str, receiver: &str, middleware: &str, upstream: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_traces"))
            .args([name, receiver, middleware, upstream])
            // Spans are exported soon.
            .env("OTEL_BSP_SCHEDULE_DELAY", "50")
            // The line tables have paths from here.
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut address = String::new();
        let output = process.stdout.take().expect("it is piped");
        let read = BufReader::new(output).read_line(&mut address);
        assert!(read.is_ok_and(|bytes| bytes > 0), "{name} does not start");
        let address = address.trim().to_owned();
        Self { address, process }
    }
}

impl Drop for Replica {
    /// The replica ends when its input does.
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().ok();
    }
}
