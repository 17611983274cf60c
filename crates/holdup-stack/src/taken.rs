//! What taking a stack gives: addresses, or why there are none.

use std::error::Error;
use std::fmt;

/// The addresses of a stack, the innermost first, and when the stack was copied: nanoseconds of the monotonic
/// clock.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) at: u64,
    pub(crate) addresses: Vec<usize>,
}

/// Why no stack was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TakeError {
    /// The thread is gone.
    Gone,
    /// The thread did not answer within 50 ms: the machine may be too busy to run it, or the thread cannot be
    /// interrupted.
    Silent,
    /// The thread answered, but its stack cannot be walked.
    Empty,
    /// The program has a handler of its own for the signal: no more stacks will be taken.
    SignalTaken,
}

impl fmt::Display for TakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the thread has ended",
            Self::Silent => "the thread did not answer in time",
            Self::Empty => "the thread's stack cannot be walked",
            Self::SignalTaken => "the program has taken SIGURG",
        })
    }
}

impl Error for TakeError {}
