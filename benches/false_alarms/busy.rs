//! Processes that compete for the cores.

use std::io;
use std::process::{Child, Command, Stdio};

/// Computes, and ends with the process that started it, however that ends.
const SCRIPT: &str = "i=0
while i=$((i + 1)); do
    [ $((i % 50000)) != 0 ] || kill -0 $PPID || exit
done";

/// Processes that compute until they are dropped.
pub(crate) struct Busy(Vec<Child>);

impl Busy {
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let mut busy = Self(Vec::new());
        for _ in 0..count {
            let mut shell = Command::new("sh");
            let shell = shell.args(["-c", SCRIPT]).stderr(Stdio::null());
            busy.0.push(shell.spawn()?);
        }
        Ok(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
    }
}
