//! One of the apps in a process of its own, and what it uses while it is loaded.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::client::{Answered, Client};
use crate::plan::{Kind, Mode};

/// What one server did under one load.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Block {
    pub(crate) per_second: f64,
    /// The server's processor time per request, of all its threads, in user and system mode.
    pub(crate) cpu_us: f64,
}

/// Long enough for the server's threads to come to rest after the last answer.
const SETTLE: Duration = Duration::from_millis(1);

/// A server that runs until this is dropped.
pub(crate) struct Server {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    client: Client,
}

impl Server {
    /// Starts the app on the cores that this thread may use.
    ///
    /// # Errors
    ///
    /// If the program cannot be started, or ends before it listens.
    pub(crate) fn start(kind: Kind, mode: &Mode) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", &kind.argument(), "127.0.0.1:0"])
            .args(["--workers", &mode.workers.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        let mut output = BufReader::new(stdout).lines();
        let address = line(&mut output)?.parse()?;
        Ok(Self {
            child,
            output,
            client: Client::connect(address, mode.connections)?,
        })
    }

    /// The next line that it prints.
    ///
    /// # Errors
    ///
    /// If it ended instead.
    pub(crate) fn line(&mut self) -> Result<String, Box<dyn Error>> {
        line(&mut self.output)
    }

    /// Loads it, and says what came of it.
    ///
    /// # Errors
    ///
    /// If a request fails, or the server ends.
    pub(crate) fn load(&mut self, slice: Duration) -> Result<Block, Box<dyn Error>> {
        let before = self.cpu_ns()?;
        let Answered { requests, took } = self.client.load(slice)?;
        // The kernel counts a thread's time when the thread stops to run.
        thread::sleep(SETTLE);
        let used = self.cpu_ns()?.saturating_sub(before);
        Ok(Block {
            per_second: f64::from(requests) / took.as_secs_f64(),
            cpu_us: used as f64 / 1e3 / f64::from(requests),
        })
    }

    /// The processor time that its threads have used. `/proc/PID/stat` has it in hundredths of a
    /// second, and each thread's `schedstat` in nanoseconds.
    fn cpu_ns(&self) -> Result<u64, Box<dyn Error>> {
        let threads = format!("/proc/{}/task", self.child.id());
        let mut sum = 0;
        for thread in fs::read_dir(&threads).map_err(|error| format!("{threads}: {error}"))? {
            let path = thread?.path().join("schedstat");
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let first = text.split_ascii_whitespace().next();
            let used: Option<u64> = first.and_then(|number| number.parse().ok());
            sum += used.ok_or_else(|| format!("{} says {text:?}", path.display()))?;
        }
        Ok(sum)
    }
}

fn line(output: &mut Lines<BufReader<ChildStdout>>) -> Result<String, Box<dyn Error>> {
    let line = output.next();
    Ok(line.ok_or("a server ended before it listened")??)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
