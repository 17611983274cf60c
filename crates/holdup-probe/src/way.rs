//! How the requests of a round reach the server.

use super::connection::{self, Answer, Endpoint, Terms};
use super::http2::{self, Driver, Streams, Unusable};
use super::recorder::{Client, LaneRecorder};
use super::request::Message;
use super::start_line::StartLine;
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
        client: Client<'_>,
    ) -> Result<(Self, Option<Driver>), Unusable> {
        match (connections, endpoint) {
            (Connections::OneHttp2, Some(endpoint)) => {
                let (streams, driver) = http2::share(endpoint, terms, client).await?;
                Ok((Self::One(streams), Some(driver)))
            }
            (Connections::OwnHttp2, _) => Ok((Self::OwnHttp2, None)),
            _ => Ok((Self::Own, None)),
        }
    }

    /// Sends a request, on a connection that may have to wait at a line, and records when each part of the answer
    /// arrives. `None` if it failed.
    pub(super) async fn ask(
        &self,
        endpoint: &Endpoint,
        message: Result<Message, Failure>,
        terms: Terms,
        (line, recorder): (Option<&StartLine>, LaneRecorder<'_>),
    ) -> Option<Answer> {
        match self {
            Self::Own => connection::ask(endpoint, message, terms, (line, recorder)).await,
            Self::OwnHttp2 => http2::ask(endpoint, message, terms, (line, recorder)).await,
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
