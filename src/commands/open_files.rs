//! The process's limit on open files: each connection is one.

use holdup::limits::{self, Room};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a probe has open beside a connection for each request: the terminal, what it waits with, what a
/// name is looked up in, the picture's file, and what it got from who started it.
const PROBE_OTHERS: usize = 16;

/// Raises the soft limit to the hard one, and returns what is in force then.
pub(crate) fn raise() -> usize {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit on open files, so it stays as it is");
    }
    limits::open_files()
}

/// Whether a probe can have a connection for each of so many requests.
///
/// # Errors
///
/// When it cannot: how many it could have.
pub(crate) fn check_requests(open_files: usize, requests: usize) -> Result<(), String> {
    let possible = open_files.saturating_sub(PROBE_OTHERS);
    if requests <= possible {
        return Ok(());
    }
    let room = Room {
        open_files,
        possible,
    };
    Err(format!("-n is {requests}, but {room}"))
}
