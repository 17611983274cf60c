//! Looks up the names of stacks.

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use crate::outlets::{Inlet, LogEntry, Outlet};
use crate::stack::{self, StackSample};
use crate::system;

/// How long the thread waits before it frees the line tables: a little longer than unused ones are kept.
const REST: Duration = Duration::from_secs(11);

/// Prepares the process for taking stacks, and then looks up their names until the watch is gone.
pub(crate) fn run(stacks: &Inlet<Arc<StackSample>>, log: &Outlet<LogEntry>) {
    if let Some(started) = stack::start() {
        log.send(LogEntry::Stacks(started));
    }
    while let Ok(stack) = stacks.recv() {
        stack.look_up();
        // The line tables are loaded now, and freed when no stack arrives for a while.
        loop {
            match stacks.recv_timeout(REST) {
                Ok(stack) => stack.look_up(),
                Err(RecvTimeoutError::Timeout) => break stack::rest(system::now()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}
