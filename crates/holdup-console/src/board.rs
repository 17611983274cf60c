//! The requests that the page shows: lanes, up to a limit, and counts of all others.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::admission::{self, Pace};
use super::change::{Change, Waiting};
use super::lane::Lane;
use super::waits::Waits;
use holdup_watch::{Event, Hold};

/// How long a lane is shown after its end.
const SHOWN: Duration = Duration::from_secs(60);

/// A new request is counted at once. Its lane is published within this time.
const PUBLISHED: Duration = Duration::from_secs(1);

/// The lanes, the waiting connections, and the counts.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// Those that are drawn, and those that wait for a place: at most [`most_lanes`](Self::most_lanes) of each.
    lanes: BTreeMap<u64, Lane>,
    /// The numbers of those that wait for a place.
    undrawn: BTreeSet<u64>,
    pace: Pace,
    waits: Waits,
    totals: Totals,
    /// When every open request last had a lane.
    all_drawn: Duration,
    /// How many lanes were recorded before the console started.
    before: u64,
    /// The most lanes that are shown.
    most_lanes: usize,
    /// The path whose new requests get no lanes, because a probe sends hundreds of them.
    left_out: Option<String>,
    /// Lanes that were sent to readers and are no longer shown.
    dropped: Vec<u64>,
}

/// Counts since the console started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Totals {
    pub(super) requests: u64,
    pub(super) open: usize,
    finished: u64,
    unfinished: u64,
    chunks: u64,
    bytes: u64,
    lost: u64,
    hidden: usize,
    /// The requests that came too fast to be drawn.
    undrawn: u64,
    /// The connections that wait to be read. Only the first of them are listed.
    waiting: usize,
}

impl Board {
    /// Creates a board with a limit on its lanes, for a watch that has already recorded `before`
    /// lanes.
    pub(super) fn new(before: u64, most_lanes: usize) -> Self {
        Self {
            before,
            most_lanes,
            ..Self::default()
        }
    }

    /// Sets the path whose requests get no lanes from now on. They are counted all the same.
    pub(super) fn leave_out(&mut self, path: Option<&str>) {
        if self.left_out.as_deref() != path {
            self.left_out = path.map(str::to_owned);
        }
    }

    /// Applies an event of the watch.
    pub(super) fn apply(&mut self, event: Event) {
        match event {
            Event::Opened {
                lane: number,
                at,
                worker,
                method,
                route,
                path,
                peer,
            } => {
                let requests = number.saturating_sub(self.before);
                self.totals.requests = self.totals.requests.max(requests);
                let waited = peer.and_then(|peer| self.waits.read(peer, at));
                if self.left_out.is_some() && self.left_out.as_deref() == path.split('?').next() {
                    return;
                }
                let mut lane = Lane::new(number, worker, at);
                (lane.method, lane.route, lane.path) = (method, route, path);
                (lane.waited, lane.peer) = (waited, peer);
                self.lanes.insert(number, lane);
                self.undrawn.insert(number);
                if self.undrawn.len() > self.most_lanes
                    && let Some(oldest) = self.undrawn.first().copied()
                {
                    self.leave_undrawn(oldest);
                }
            }
            Event::Answered { lane, at, status } => {
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    (lane.answered, lane.status) = (Some(at), Some(status));
                }
            }
            Event::Chunk { lane, at, bytes } => {
                let bytes = bytes as u64;
                self.totals.chunks += 1;
                self.totals.bytes += bytes;
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.chunk(at, bytes);
                }
            }
            Event::Ended {
                lane,
                at,
                finished,
                spent,
            } => {
                if finished {
                    self.totals.finished += 1;
                } else {
                    self.totals.unfinished += 1;
                }
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    (lane.ended, lane.finished) = (Some(at), finished.then_some(at));
                    lane.spent = Some(spent.into());
                }
            }
            Event::Lost { events } => {
                self.totals.lost += events;
                // The end of any of these lanes may be among the lost events.
                let open: Vec<_> = self.open().map(|lane| lane.number).collect();
                for number in open {
                    self.forget(number);
                }
            }
            // Holds are kept in `Holds`.
            _ => {}
        }
    }

    /// Gives up drawing a lane that waits for a place.
    fn leave_undrawn(&mut self, number: u64) {
        self.forget(number);
        self.totals.undrawn += 1;
    }

    /// Draws the lanes that wait, as far as there are places, and as others may be replaced.
    fn draw_more(&mut self, now: Duration) {
        self.pace.advance(now);
        while let Some(number) = admission::next(&self.lanes) {
            if let Some(replaced) = self.replaced() {
                if replaced.ended.is_none() && replaced.number > number {
                    self.leave_undrawn(number);
                    continue;
                }
                if !self.pace.take(self.most_lanes) {
                    return;
                }
            }
            self.draw(number);
        }
    }

    /// The lane that the next one replaces: the oldest that has ended, or the oldest of all if none has. `None` if
    /// there is a place.
    fn replaced(&self) -> Option<&Lane> {
        if self.drawn().count() < self.most_lanes {
            return None;
        }
        let over = self.drawn().find(|lane| lane.ended.is_some());
        over.or_else(|| self.drawn().next())
    }

    /// Draws the requests that hold a worker.
    pub(super) fn draw_culprits(&mut self, hold: &Hold) {
        for lane in hold.culprits.iter().filter_map(|culprit| culprit.lane) {
            self.draw(lane);
        }
    }

    /// Draws a lane, if it is known and not drawn.
    fn draw(&mut self, number: u64) {
        if self.lanes.get(&number).is_none_or(|lane| lane.drawn) {
            return;
        }
        if let Some(replaced) = self.replaced().map(|lane| lane.number) {
            self.forget(replaced);
        }
        if let Some(lane) = self.lanes.get_mut(&number) {
            lane.drawn = true;
            self.undrawn.remove(&number);
        }
    }

    fn forget(&mut self, number: u64) {
        self.undrawn.remove(&number);
        if let Some(lane) = self.lanes.remove(&number)
            && lane.is_sent()
        {
            self.dropped.push(number);
        }
    }

    fn open(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.values().filter(|lane| lane.ended.is_none())
    }

    /// Applies the passing of time: `open` requests are open at `now`, lanes that ended long ago are removed, and
    /// others are drawn.
    pub(super) fn advance(&mut self, open: usize, now: Duration) {
        let past = |lane: &&Lane| {
            lane.ended
                .is_some_and(|ended| now.saturating_sub(ended) > SHOWN)
        };
        let past: Vec<_> = self.lanes.values().filter(past).map(|l| l.number).collect();
        for number in past {
            self.forget(number);
        }
        self.draw_more(now);
        self.waits.advance(now);
        self.totals.waiting = self.waits.count();
        self.totals.open = open;
        let drawn = self.open().filter(|lane| lane.drawn).count();
        let hidden = open.saturating_sub(drawn);
        if hidden == 0 {
            self.all_drawn = now;
        }
        let is_published = now.saturating_sub(self.all_drawn) >= PUBLISHED;
        self.totals.hidden = if is_published { hidden } else { 0 };
    }

    /// Sets the connections that have unread bytes at `now`.
    pub(super) fn set_unread(&mut self, unread: &[SocketAddr], now: Duration) {
        let open = self.lanes.values().filter(|lane| lane.ended.is_none());
        let open = open.filter_map(|lane| lane.peer);
        self.waits.set_unread(unread, open, now);
    }

    /// Whether a connection may still be waiting.
    pub(super) fn has_waiting(&self) -> bool {
        self.waits.has_some()
    }

    /// The waiting connections, longest wait first, up to the limit on lanes.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let mut waiting = self.waits.shown();
        waiting.truncate(self.most_lanes);
        waiting
    }

    /// The numbers of the lanes that are drawn and whose requests are open.
    pub(super) fn drawn_open(&self) -> HashSet<u64> {
        let open = self.open().filter(|lane| lane.drawn);
        open.map(|lane| lane.number).collect()
    }

    fn drawn(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.values().filter(|lane| lane.drawn)
    }

    /// The lanes that are drawn, the oldest first.
    pub(super) fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.drawn()
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// Sends the changes since the last call.
    pub(super) fn drain_changes(&mut self, send: &mut impl FnMut(Change<'_>)) {
        let dropped = std::mem::take(&mut self.dropped);
        if !dropped.is_empty() {
            send(Change::Dropped { lanes: dropped });
        }
        for lane in self.lanes.values_mut().filter(|lane| lane.drawn) {
            lane.drain_changes(send);
        }
        if self.waits.take_changed() {
            send(Change::Waiting {
                waiting: self.waiting(),
            });
        }
    }
}

#[cfg(test)]
mod tests;
