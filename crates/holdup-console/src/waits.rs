//! Connections that wait to be read because the worker that would read them is held.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::change::Waiting;

/// A free worker can take this long to read a connection. Shorter waits are not reported.
const WAITED: Duration = Duration::from_millis(20);

/// How long a waiting connection is remembered after it was read. Its lane is published a moment
/// later and needs the wait.
const REMEMBERED: Duration = Duration::from_secs(2);

/// The connections that wait, and those that waited a moment ago.
#[derive(Debug, Default)]
pub(super) struct Waits {
    waiting: HashMap<SocketAddr, Wait>,
    changed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Wait {
    since: Duration,
    /// The connection was found waiting only once, so a worker may be about to read it.
    brief: bool,
    /// When the connection stopped waiting.
    read: Option<Duration>,
}

impl Wait {
    fn is_shown(self) -> bool {
        !self.brief && self.read.is_none()
    }
}

impl Waits {
    /// Sets the connections that have unread bytes at `now`. `open` are the connections whose
    /// request was already read.
    pub(super) fn set_unread(
        &mut self,
        unread: &[SocketAddr],
        open: impl Iterator<Item = SocketAddr>,
        now: Duration,
    ) {
        let before = self.shown();
        let unread: HashSet<_> = unread.iter().copied().map(plain).collect();
        for (peer, wait) in &mut self.waiting {
            if !unread.contains(peer) {
                wait.read.get_or_insert(now);
            }
        }
        // A client may send more than its request while it is being answered. Those bytes are
        // unread too, but they do not wait for the worker.
        let open: HashSet<_> = open.map(plain).collect();
        for &peer in unread.difference(&open) {
            let new = Wait {
                since: now,
                brief: true,
                read: None,
            };
            self.waiting
                .entry(peer)
                .and_modify(|wait| match wait.read {
                    None => wait.brief = false,
                    Some(_) => *wait = new,
                })
                .or_insert(new);
        }
        self.changed |= before != self.shown();
    }

    /// Records that a request of this connection was read. Returns how long it waited, if the wait
    /// is long enough to report.
    pub(super) fn read(&mut self, peer: SocketAddr, at: Duration) -> Option<Duration> {
        let wait = self.waiting.remove(&plain(peer))?;
        self.changed |= wait.is_shown();
        let waited = at.saturating_sub(wait.since);
        (waited >= WAITED).then_some(waited)
    }

    /// Forgets connections that were read long before `now`.
    pub(super) fn advance(&mut self, now: Duration) {
        self.waiting.retain(|_, wait| {
            wait.read
                .is_none_or(|read| now.saturating_sub(read) < REMEMBERED)
        });
    }

    /// Whether a connection may still be waiting.
    pub(super) fn has_some(&self) -> bool {
        self.waiting.values().any(|wait| wait.read.is_none())
    }

    /// How many connections wait.
    pub(super) fn count(&self) -> usize {
        let shown = self.waiting.values().filter(|wait| wait.is_shown());
        shown.count()
    }

    /// The waiting connections, longest wait first.
    pub(super) fn shown(&self) -> Vec<Waiting> {
        let shown = self.waiting.iter().filter(|(_, wait)| wait.is_shown());
        let mut waiting: Vec<_> = shown
            .map(|(&peer, wait)| Waiting {
                peer,
                since: wait.since,
            })
            .collect();
        waiting.sort_unstable_by_key(|waiting| (waiting.since, waiting.peer));
        waiting
    }

    /// Whether the waiting connections have changed since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }
}

/// The canonical form of an address. A dual-stack listener reports an IPv4 client as
/// `::ffff:127.0.0.1`.
fn plain(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}
