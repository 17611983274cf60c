//! How a request can fail.

use std::fmt;

/// Why a lane has no finish.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// Nobody accepts connections there.
    Refused,
    /// The connection was torn down before the answer began or ended.
    Reset,
    /// The prober's own patience ended.
    TimedOut,
    /// The answer began and stopped before its end.
    CutOff,
    /// The prober's own patience ended while the answer was still coming, piece by piece.
    Endless {
        /// How many pieces had come.
        chunks: u64,
    },
    /// The route is a websocket's, and answers nothing else.
    WebSocket,
    /// Anything else, in a few words.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Endless { chunks } => {
                return write!(f, "it streams and does not end: {chunks} chunks so far");
            }
            Self::WebSocket => "it is the route of a websocket",
            Self::Refused => "connection refused",
            Self::Reset => "connection reset",
            Self::TimedOut => "timed out",
            Self::CutOff => "answer cut off",
            Self::Other(what) => what,
        })
    }
}
