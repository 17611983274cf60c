//! Connections that wait to be read, because the worker that would read them is held.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::change::Waiting;

/// A shorter wait is what it takes a free worker to read.
const WAITED: Duration = Duration::from_millis(20);

/// How long a connection that was seen waiting is remembered after it was read: the lane that it
/// became is published a moment later.
const REMEMBERED: Duration = Duration::from_secs(2);

/// The connections that wait, and those that did a moment ago.
#[derive(Debug, Default)]
pub(super) struct Waits {
    waiting: HashMap<SocketAddr, Wait>,
    changed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Wait {
    since: Duration,
    /// Seen once only: it may be on its way to be read.
    brief: bool,
    /// When it was no longer among those that wait.
    read: Option<Duration>,
}

impl Wait {
    fn is_shown(self) -> bool {
        !self.brief && self.read.is_none()
    }
}

impl Waits {
    /// The connections that have unread bytes `now`; `open` are those whose request was read already.
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
        // One that is being answered sends more than its request: that is not read either, but it
        // does not wait for its turn.
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

    /// A request of this connection was read. How long it waited, if that is worth mentioning.
    pub(super) fn read(&mut self, peer: SocketAddr, at: Duration) -> Option<Duration> {
        let wait = self.waiting.remove(&plain(peer))?;
        self.changed |= wait.is_shown();
        let waited = at.saturating_sub(wait.since);
        (waited >= WAITED).then_some(waited)
    }

    /// Forgets those that were read long before `now`.
    pub(super) fn advance(&mut self, now: Duration) {
        self.waiting.retain(|_, wait| {
            wait.read
                .is_none_or(|read| now.saturating_sub(read) < REMEMBERED)
        });
    }

    /// Whether somebody may still be waiting.
    pub(super) fn has_some(&self) -> bool {
        self.waiting.values().any(|wait| wait.read.is_none())
    }

    /// How many wait.
    pub(super) fn count(&self) -> usize {
        let shown = self.waiting.values().filter(|wait| wait.is_shown());
        shown.count()
    }

    /// Those that wait, the longest first.
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

    /// Whether what is shown has changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }
}

/// The same address in whichever form it comes: an IPv4 client of a listener for both is known to
/// the app as `::ffff:127.0.0.1`.
fn plain(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}
