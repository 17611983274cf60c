//! How a request can fail.

use std::fmt;

/// Why a lane did not finish.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The connection was refused: nothing accepts connections at that address.
    Refused,
    /// The connection was reset before the answer began.
    Reset,
    /// The server closed the connection before the answer began.
    Closed,
    /// The prober's time-out expired before the response began.
    TimedOut,
    /// The response began, but broke off before its end.
    CutOff,
    /// The prober's time-out expired while chunks of the response were still arriving.
    Endless {
        /// How many chunks had arrived.
        chunks: u64,
    },
    /// The route accepts only websocket connections.
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
            Self::Closed => "closed without an answer",
            Self::TimedOut => "timed out",
            Self::CutOff => "answer cut off",
            Self::Other(what) => what,
        })
    }
}
