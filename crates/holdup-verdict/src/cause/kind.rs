//! What the requests wait for.

use std::fmt;

use serde::Serialize;

/// What the requests wait for, as far as the contrasts tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cause {
    /// What it is.
    pub kind: CauseKind,
    /// The cause in one sentence.
    pub sentence: String,
    /// What supports it, one line each.
    pub evidence: Vec<String>,
    /// The observation that would refute it.
    pub refuted_by: Option<String>,
    /// What the app itself named.
    pub culprit: Option<Culprit>,
    /// The contrast that would tell more, if one would.
    #[serde(skip)]
    pub ask_next: Option<AskNext>,
}

/// A contrast that would tell more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AskNext {
    /// A route that is fast, asked while the requests run.
    Bystander,
    /// Another such route, because those that were asked do not show the cause.
    AnotherBystander,
    /// The same requests without their cookies and credentials, because a lock by session would look the same as the
    /// cause that is named.
    Session,
}

/// The route and the line that the app itself named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Culprit {
    /// The request's method.
    pub method: String,
    /// The route's pattern.
    pub route: String,
    /// The line, if the app was built with stacks.
    pub line: Option<String>,
}

/// What requests wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CauseKind {
    /// An event loop, or the only worker, is held.
    BlockedLoop,
    /// The workers, or a pool that all routes use, are exhausted.
    Workers,
    /// A lock, a pool or a limiter of this route.
    OwnQueue,
    /// One worker of several is held, and with it its own connections.
    OneWorkerOfSeveral,
    /// Cores, or an interpreter's lock.
    Cores,
    /// Something that is locked by URL.
    ByUrl,
    /// Something that is locked by session.
    BySession,
    /// The connection that they share.
    ByConnection,
    /// The proxy in front of the server.
    Proxy,
    /// Nothing: they run at the same time.
    None,
    /// The contrasts that were made do not tell.
    #[default]
    Unknown,
}

impl fmt::Display for CauseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::BlockedLoop => "blocked_loop",
            Self::Workers => "workers",
            Self::OwnQueue => "own_queue",
            Self::OneWorkerOfSeveral => "one_worker_of_several",
            Self::Cores => "cores",
            Self::ByUrl => "by_url",
            Self::BySession => "by_session",
            Self::ByConnection => "by_connection",
            Self::Proxy => "proxy",
            Self::None => "none",
            Self::Unknown => "unknown",
        })
    }
}
