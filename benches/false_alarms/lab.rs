//! A lab in a process of its own, and `holdup probe` against it.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::outcome::{Outcome, Said};

/// `holdup serve` on a free port.
pub(crate) struct Lab {
    child: Child,
    program: String,
    pub(crate) address: SocketAddr,
    /// Kept open, because the lab would write to a closed pipe otherwise.
    _stdout: BufReader<ChildStdout>,
}

impl Lab {
    /// Starts a lab with so many workers.
    pub(crate) fn start(program: &str, workers: usize) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(program)
            .args([
                "serve",
                "--bind=127.0.0.1:0",
                "--no-console",
                &format!("--workers={workers}"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let stdout = child.stdout.take().ok_or("the lab has no output")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let address = line.trim().rsplit("http://").next().unwrap_or_default();
        let address = address.parse();
        let address = address.map_err(|_| format!("{program} serve says {line:?}, no address"))?;
        Ok(Self {
            child,
            program: program.to_owned(),
            address,
            _stdout: stdout,
        })
    }

    /// Runs `holdup probe --expect concurrent` on a path, as a CI job does, and judges by the exit code.
    pub(crate) fn probe(&self, path: &str) -> Said {
        let url = format!("http://{}{path}", self.address);
        let output = Command::new(&self.program)
            .args(["probe", &url, "--expect=concurrent", "--json"])
            .stdin(Stdio::null())
            .output();
        let output = match output {
            Ok(output) => output,
            Err(error) => return (Outcome::Undecided, format!("it did not run: {error}")),
        };
        let outcome = match output.status.code() {
            Some(0) => Outcome::Passed,
            Some(1) => Outcome::Failed,
            _ => Outcome::Undecided,
        };
        let told = String::from_utf8_lossy(&output.stderr);
        (outcome, format!("{}{}", told, evidence(&output.stdout)))
    }
}

/// What the report rests on, in short.
fn evidence(document: &[u8]) -> String {
    let Ok(document) = serde_json::from_slice::<Value>(document) else {
        return "there is no report".to_owned();
    };
    let of = |field: &str| format!("{field}: {}", document[field]);
    ["verdict", "reason", "solo_ms", "makespan_ms", "steps"]
        .map(of)
        .join(", ")
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
