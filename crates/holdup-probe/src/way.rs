//! How the requests of a round reach the server.

use std::time::Instant;

use super::connection::{self, Answer, Endpoint, Terms};
use super::http2::{self, Driver, Streams, Unusable};
use super::own_time::OwnTime;
use super::recorder::LaneRecorder;
use super::request::Message;
use holdup_model::Failure;
use holdup_verdict::experiment::{Connections, Peer};

/// How the requests of a round reach the server.
pub(super) enum Way {
    /// Each on a connection of its own, over HTTP/1.1.
    Own,
    /// Each on a connection of its own, over HTTP/2.
    OwnHttp2,
    /// All on this connection.
    One(Streams),
}

impl Way {
    /// Establishes the connection that the requests share, if they do. The driver has to be polled.
    pub(super) async fn open(
        connections: Connections,
        endpoint: Option<&Endpoint>,
        terms: Terms,
        clock: Instant,
        own: &OwnTime,
    ) -> Result<(Self, Option<Driver>), Unusable> {
        match (connections, endpoint) {
            (Connections::OneHttp2, Some(endpoint)) => {
                let (streams, driver) = http2::share(endpoint, terms, clock, own).await?;
                Ok((Self::One(streams), Some(driver)))
            }
            (Connections::OwnHttp2, _) => Ok((Self::OwnHttp2, None)),
            _ => Ok((Self::Own, None)),
        }
    }

    /// Sends a request, and records when each part of the answer arrives. `None` if it failed.
    pub(super) async fn ask(
        &self,
        endpoint: &Endpoint,
        message: Result<Message, Failure>,
        terms: Terms,
        recorder: LaneRecorder<'_>,
    ) -> Option<Answer> {
        match self {
            Self::Own => connection::ask(endpoint, message, terms, recorder).await,
            Self::OwnHttp2 => http2::ask(endpoint, message, terms, recorder).await,
            Self::One(streams) => streams.ask(message, terms, recorder).await,
        }
    }

    /// What the server said about the connection that the requests share.
    pub(super) fn peer(&self) -> Option<Peer> {
        match self {
            Self::One(streams) => Some(streams.peer()),
            Self::Own | Self::OwnHttp2 => None,
        }
    }
}
