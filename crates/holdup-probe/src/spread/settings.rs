//! How to measure a spread.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::super::settings::End;
use super::super::target::Target;
use super::frozen::FROZEN_ROUNDS;
use super::id::AnswerId;

/// The fewest connections of a spread.
pub const LEAST_CONNECTIONS: usize = 10;

/// The most connections of a spread.
pub const MOST_CONNECTIONS: usize = 10_000;

/// The most connections of a spread if another route is asked beside a request that holds its worker: a fifth of them
/// may be open at a time.
pub const MOST_FROZEN: usize = 1000;

/// The most connections that are kept for several requests.
pub const KEPT_CONNECTIONS: usize = 100;

/// How many requests are sent on each of them.
pub const REQUESTS_EACH: usize = 3;

/// How to measure over how many workers connections fall.
///
/// ```
/// use holdup_probe::{AnswerId, SpreadSettings};
///
/// let mut settings = SpreadSettings::default();
/// settings.connections = 200;
/// settings.id = Some(AnswerId::header("x-worker")?);
/// # Ok::<_, holdup_probe::BadId>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SpreadSettings {
    /// How many fresh connections are opened. It is taken as at least [`LEAST_CONNECTIONS`] and at most
    /// [`MOST_CONNECTIONS`], or [`MOST_FROZEN`] if another route is asked.
    pub connections: usize,
    /// How many workers there are, if it is known. Those that are not seen then count as workers without
    /// connections.
    pub expected: Option<NonZeroUsize>,
    /// How many connections are open at a time, at least one. If another route is asked, one in [`FROZEN_ROUNDS`] is,
    /// and this is not used.
    pub at_once: usize,
    /// By what the answers of different workers differ. `None` uses the headers of holdup's lab, if the server sends
    /// them.
    pub id: Option<AnswerId>,
    /// A fast route of the same server, which is asked while one request holds its worker. It is used instead of
    /// an id.
    pub beside: Option<Target>,
    /// How long one request may take, including connecting. `None` means one minute.
    pub timeout: Option<Duration>,
    /// Whether to accept any certificate.
    pub insecure: bool,
    /// When to count an answer that has no end as ended.
    pub end: End,
}

impl Default for SpreadSettings {
    /// 100 connections, four at a time, with certificates verified.
    fn default() -> Self {
        Self {
            connections: 100,
            expected: None,
            at_once: 4,
            id: None,
            beside: None,
            timeout: None,
            insecure: false,
            end: End::default(),
        }
    }
}

impl SpreadSettings {
    pub(super) fn longest(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(60))
    }

    /// How many connections are opened for one request each.
    pub(super) fn fresh(&self) -> usize {
        let most = match self.beside {
            Some(_) => MOST_FROZEN,
            None => MOST_CONNECTIONS,
        };
        self.connections.clamp(LEAST_CONNECTIONS, most)
    }

    /// How many connections are opened to be kept for several requests. None are if another route is asked, or if
    /// answers are not read to their [end](Self::end), because the next request would have to wait for the rest.
    pub fn kept(&self) -> usize {
        if self.beside.is_some() || self.end != End::default() {
            return 0;
        }
        self.fresh().min(KEPT_CONNECTIONS)
    }

    /// How many connections are open at a time.
    pub(super) fn together(&self) -> usize {
        match self.beside {
            Some(_) => self.fresh().div_ceil(FROZEN_ROUNDS),
            None => self.at_once.max(1),
        }
    }
}
