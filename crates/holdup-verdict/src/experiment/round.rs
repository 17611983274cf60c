//! Requests that are sent together.

use std::fmt;
use std::time::Duration;

/// A round: which requests to send next, when, and how long they may take.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Round {
    /// What the round is for.
    pub kind: RoundKind,
    /// How long to wait before the round, without sending anything.
    pub pause: Duration,
    /// The requests, one per entry. A runner announces how many there are and [how long](Round::timeout) they
    /// may take.
    pub asks: Vec<Ask>,
    /// How long the round takes if its requests run at the same time; `None` while that is not known.
    pub concurrent: Option<Duration>,
    /// How long it takes if they run one after the other; `None` while that is not known.
    pub serialized: Option<Duration>,
    /// The longest that one request may take, including connecting. A request that takes longer is abandoned
    /// and counts as failed.
    pub timeout: Duration,
    /// How long the [optional](Ask::optional) requests may continue after all others have ended. After that
    /// they are abandoned, and their lanes have no end.
    pub linger: Duration,
    /// How the requests reach the server.
    pub connections: Connections,
    /// A second route that is asked again and again while the requests run.
    pub bystander: Option<Bystander>,
}

impl Round {
    /// How many requests the round has that are not [optional](Ask::optional).
    pub fn requests(&self) -> usize {
        self.asks.iter().filter(|ask| !ask.optional).count()
    }
}

/// One request of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ask {
    /// The name of the URL. In the whole experiment, the same name means the same URL, and a new name means a
    /// URL that has not been requested before.
    pub name: String,
    /// How long after the round's first request to send it.
    pub after: Duration,
    /// Whether the round may end before this request does.
    pub optional: bool,
    /// Which server and route is asked.
    pub to: To,
    /// Whether cookies and credentials are left out.
    pub anonymous: bool,
}

impl Ask {
    /// A request for the URL of this name, sent when the round begins.
    pub(super) fn now(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            after: Duration::ZERO,
            optional: false,
            to: To::Target,
            anonymous: false,
        }
    }
}

/// Which server and route a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum To {
    /// The URL that is measured.
    Target,
    /// The bystander with this index: a route that is asked while the measured one runs.
    Bystander(usize),
    /// The URL that the measured one is compared with, such as the server behind the proxy.
    Versus,
}

/// How the requests of a round reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Connections {
    /// Each request has a connection of its own, over HTTP/1.1.
    Own,
    /// Each request has a connection of its own, over HTTP/2.
    OwnHttp2,
    /// All requests are streams of one HTTP/2 connection, which is established before they are sent.
    OneHttp2,
}

/// A second route that is asked on a schedule while the requests of a round run. The schedule does not wait
/// for answers, so a second in which nothing is answered is not one missing sample but many.
///
/// The runner asks until all requests of the round have ended and a request to the bystander that was sent
/// after that has been answered. If the round has no requests, it asks until [`most`](Self::most) requests
/// have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bystander {
    /// Which of the bystanders.
    pub which: usize,
    /// The time from one request, on a fresh connection, to the next.
    pub every: Duration,
    /// How many connections are kept open from one round to the next, and asked in turn, each again once it
    /// has answered. A connection that is kept belongs to one worker.
    pub kept: usize,
    /// While this many are unanswered, no more are sent.
    pub unanswered: usize,
    /// The most requests in the whole round.
    pub most: usize,
    /// Of these, so many are not sent before the measured requests have ended, because the bystander is also asked
    /// after that.
    pub reserved: usize,
}

/// What a round is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RoundKind {
    /// The first request of all. The runner follows its redirects, and sends all later requests to where they
    /// lead.
    WarmUp,
    /// One request alone.
    Solo,
    /// One request after a pause.
    Rested,
    /// One request that is sent right after others, or repeats one of them, to compare it with them.
    After,
    /// All at once, each with a URL of its own.
    Unique,
    /// All at once with the same URL.
    Identical,
    /// The bystander alone, while no other request runs.
    BesideAlone,
    /// All at once, while a bystander is asked.
    Beside,
    /// More at once than before, to find the limit.
    Limit,
    /// All at once over HTTP/2, on one connection or on one each.
    Connection,
    /// All at once without cookies and credentials.
    Session,
    /// The same requests to the URL that the measured one is compared with.
    Versus,
}

impl RoundKind {
    /// Whether the round takes long enough to be worth announcing.
    pub fn is_announced(self) -> bool {
        !matches!(self, Self::WarmUp | Self::After)
    }
}

impl fmt::Display for RoundKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::WarmUp => "warm-up",
            Self::Solo => "solo",
            Self::Rested => "rested",
            Self::After => "after",
            Self::Unique => "unique",
            Self::Identical => "identical",
            Self::BesideAlone => "beside-alone",
            Self::Beside => "beside",
            Self::Limit => "limit",
            Self::Connection => "connection",
            Self::Session => "session",
            Self::Versus => "versus",
        })
    }
}
