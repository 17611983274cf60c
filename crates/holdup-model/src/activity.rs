//! What kind of work a thread is doing.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a held worker's thread is doing. It is serialized in the words that the log uses: `"waiting for a
/// lock"`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// It runs on a CPU, or is ready to.
    Computing,
    /// It sleeps for a time.
    Sleeping,
    /// It waits for a lock, or for another thread by a channel, a join or a condition.
    WaitingForLock,
    /// It reads a file, or waits for one to open.
    ReadingFile,
    /// It waits for a connection to be made.
    Connecting,
    /// It waits for one of several files or sockets.
    Polling,
    /// Something else, in words: `reading from a socket`.
    Other(String),
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Computing => "computing",
            Self::Sleeping => "sleeping",
            Self::WaitingForLock => "waiting for a lock",
            Self::ReadingFile => "reading a file",
            Self::Connecting => "connecting",
            Self::Polling => "polling",
            Self::Other(words) => words,
        })
    }
}

impl Serialize for Activity {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Activity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let words = String::deserialize(from)?;
        let known = [
            Self::Computing,
            Self::Sleeping,
            Self::WaitingForLock,
            Self::ReadingFile,
            Self::Connecting,
            Self::Polling,
        ];
        let known = known.into_iter().find(|known| known.to_string() == words);
        Ok(known.unwrap_or(Self::Other(words)))
    }
}
