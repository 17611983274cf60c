//! The process's limit on open files. Each connection is an open file.

use holdup::limits::{self, Room};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The descriptors that a probe needs in addition to one for each request: the terminal, the
/// runtime's, those of a name lookup, the three files that are written in the end, and those
/// inherited from the parent process.
const PROBE_OTHERS: usize = 16;

/// Raises the soft limit to the hard limit, and returns the limit then in force.
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

/// Checks that a probe can have a connection for each of this many requests, which `option` asks for, and
/// `others` connections besides.
///
/// # Errors
///
/// Returns a message with the possible number of requests when there are too few descriptors.
pub(crate) fn check_requests(
    open_files: usize,
    others: usize,
    option: &str,
    requests: usize,
) -> Result<(), String> {
    let possible = open_files.saturating_sub(PROBE_OTHERS + others);
    if requests <= possible {
        return Ok(());
    }
    let room = Room {
        open_files,
        possible,
    };
    Err(format!("{option} is {requests}, but {room}"))
}
