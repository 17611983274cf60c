//! What a round produced.

use crate::beside::Sample;
use holdup_model::Lane;

/// What a round produced: the lanes of its requests, and more if the round asked for it.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// One lane for each of the round's [asks](super::Round::asks), in their order. A lane that has not ended
    /// stands for a request that was abandoned.
    pub lanes: Vec<Lane>,
    /// The requests to the round's [bystander](super::Round::bystander), in the order in which they were sent.
    pub samples: Vec<Sample>,
    /// What the server said about its HTTP/2 connection, if the round used one.
    pub peer: Option<Peer>,
}

/// What a server said about an HTTP/2 connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// `SETTINGS_MAX_CONCURRENT_STREAMS`; `None` if the server sets no limit.
    pub max_concurrent_streams: Option<u32>,
    /// Why there is no HTTP/2 connection, in words: the server does not agree to it, or refused it.
    pub refused: Option<String>,
    /// What the server did to the connection or its streams, in words: GOAWAY, `REFUSED_STREAM`.
    pub notes: Vec<String>,
}

impl From<Vec<Lane>> for Answers {
    fn from(lanes: Vec<Lane>) -> Self {
        Self {
            lanes,
            ..Self::default()
        }
    }
}

impl Answers {
    /// The answers to a round over HTTP/2 that was not sent, because the server does not accept it: why, in
    /// words.
    pub fn refused(why: impl Into<String>) -> Self {
        let peer = Peer {
            refused: Some(why.into()),
            ..Peer::default()
        };
        Self {
            peer: Some(peer),
            ..Self::default()
        }
    }
}
