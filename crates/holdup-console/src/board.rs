//! The requests that the page shows: lanes, up to a limit, and counts of all others.

use std::collections::{BTreeMap, HashSet};
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

/// A lane waits for a place for as long as a hold has to last, and this much longer. By then it is known whether its
/// request holds a worker. A lane that is to be drawn first waits longer.
const KEPT: Duration = Duration::from_millis(500);
const FIRST_KEPT: Duration = Duration::from_secs(5);

/// The most lanes that wait for a place, whatever their age.
const MOST_KEPT: usize = 10_000;

/// The lanes, the waiting connections, and the counts.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// Those that are drawn.
    lanes: BTreeMap<u64, Lane>,
    /// Those that wait for a place: the newest, as many as are drawn, and all that came in the last moment.
    undrawn: BTreeMap<u64, Lane>,
    pace: Pace,
    /// When time was last applied.
    now: Duration,
    waits: Waits,
    totals: Totals,
    /// When every open request last had a lane.
    all_drawn: Duration,
    /// How many lanes were recorded before the console started.
    before: u64,
    /// The most lanes that are shown.
    most_lanes: usize,
    /// How long a lane waits for a place.
    kept: Duration,
    /// The path whose new requests get no lanes, because a probe sends hundreds of them.
    left_out: Option<String>,
    /// A request whose path and query contain one of these is drawn first.
    followed: Vec<String>,
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
    /// lanes, and whose holds last for at least `least_hold`.
    pub(super) fn new(before: u64, most_lanes: usize, least_hold: Duration) -> Self {
        Self {
            before,
            most_lanes,
            kept: least_hold + KEPT,
            ..Self::default()
        }
    }

    /// Sets the path whose requests get no lanes from now on. They are counted all the same.
    pub(super) fn leave_out(&mut self, path: Option<&str>) {
        if self.left_out.as_deref() != path {
            self.left_out = path.map(str::to_owned);
        }
    }

    /// Sets the texts of which the requests are drawn first whose path and query contain one.
    pub(super) fn follow(&mut self, texts: Vec<String>) {
        self.followed = texts;
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
                lane.is_first = self.followed.iter().any(|text| path.contains(text));
                (lane.method, lane.route, lane.path) = (method, route, path);
                (lane.waited, lane.peer) = (waited, peer);
                self.undrawn.insert(number, lane);
                if self.undrawn.len() > MOST_KEPT {
                    self.leave_oldest_undrawn();
                }
            }
            Event::Answered { lane, at, status } => {
                if let Some(lane) = self.lane(lane) {
                    (lane.answered, lane.status) = (Some(at), Some(status));
                }
            }
            Event::Chunk { lane, at, bytes } => {
                let (totals, bytes) = (&mut self.totals, bytes as u64);
                totals.chunks = totals.chunks.saturating_add(1);
                totals.bytes = totals.bytes.saturating_add(bytes);
                if let Some(lane) = self.lane(lane) {
                    lane.chunk(at, bytes);
                }
            }
            Event::Ended {
                lane,
                at,
                finished,
                spent,
            } => {
                // A damaged record may say that there were any number before.
                let Totals {
                    finished: all,
                    unfinished: cut_off,
                    ..
                } = &mut self.totals;
                let ends = if finished { all } else { cut_off };
                *ends = ends.saturating_add(1);
                if let Some(lane) = self.lane(lane) {
                    (lane.ended, lane.finished) = (Some(at), finished.then_some(at));
                    lane.spent = Some(spent.into());
                }
            }
            Event::Lost { events } => {
                self.totals.lost = self.totals.lost.saturating_add(events);
                // The end of any open lane may be among the lost events.
                self.forget_open(|_| true);
            }
            // Holds are kept in `Holds`.
            _ => {}
        }
    }

    /// Forgets those of the open lanes that `is_cut` tells, because nobody knows their ends.
    pub(super) fn forget_open(&mut self, is_cut: impl Fn(u64) -> bool) {
        let before = self.undrawn.len();
        self.undrawn
            .retain(|&number, lane| lane.ended.is_some() || !is_cut(number));
        self.totals.undrawn += (before - self.undrawn.len()) as u64;
        let open = self.open().map(|lane| lane.number);
        let cut: Vec<_> = open.filter(|&number| is_cut(number)).collect();
        for number in cut {
            self.forget(number);
        }
    }

    /// Gives up the oldest lane that waits, or the oldest of those that are to be drawn first if there are no others.
    fn leave_oldest_undrawn(&mut self) {
        let mut all = self.undrawn.values();
        let oldest = all.find(|lane| !lane.is_first).map(|lane| lane.number);
        match oldest {
            Some(number) => drop(self.undrawn.remove(&number)),
            None => drop(self.undrawn.pop_first()),
        }
        self.totals.undrawn += 1;
    }

    /// A lane, drawn or not.
    fn lane(&mut self, number: u64) -> Option<&mut Lane> {
        let drawn = self.lanes.get_mut(&number);
        drawn.or_else(|| self.undrawn.get_mut(&number))
    }

    /// Sets what was counted of all requests, most of which are not known here.
    pub(super) fn count(&mut self, requests: u64, finished: u64, unfinished: u64) {
        let totals = &mut self.totals;
        (totals.requests, totals.finished, totals.unfinished) = (requests, finished, unfinished);
    }

    /// Draws the lanes that wait, as far as there are places, and as others may be replaced.
    fn draw_more(&mut self, now: Duration) {
        self.now = now;
        self.pace.advance(now);
        loop {
            let replaced = self.replaced();
            if replaced.is_some() && !self.pace.allows(self.most_lanes) {
                break;
            }
            let Some(number) = admission::next(&self.undrawn, &self.lanes, replaced) else {
                break;
            };
            if replaced.is_some() {
                self.pace.take(self.most_lanes);
            }
            self.draw(number);
        }
        let is_past = |lane: &Lane| {
            let kept = if lane.is_first {
                FIRST_KEPT.max(self.kept)
            } else {
                self.kept
            };
            now.saturating_sub(lane.opened) > kept
        };
        let before = self.undrawn.len();
        let mut newest = before;
        self.undrawn.retain(|_, lane| {
            newest -= 1;
            !is_past(lane) || newest < self.most_lanes && !is_long_over(lane, now)
        });
        self.totals.undrawn += (before - self.undrawn.len()) as u64;
    }

    /// The lane that the next one replaces; `None` if there is a place.
    fn replaced(&self) -> Option<&Lane> {
        let is_full = self.lanes.len() >= self.most_lanes;
        is_full
            .then(|| admission::replaced(&self.lanes, self.now))
            .flatten()
    }

    /// Draws the requests that hold a worker, at any pace. Less is drawn of the others for a while.
    pub(super) fn draw_culprits(&mut self, hold: &Hold) {
        for number in hold.culprits.iter().filter_map(|culprit| culprit.lane) {
            if self.undrawn.contains_key(&number) && self.replaced().is_some() {
                self.pace.take(self.most_lanes);
            }
            if let Some(lane) = self.lane(number) {
                lane.is_first = true;
            }
            self.draw(number);
        }
    }

    /// Draws a lane, if it waits for a place.
    fn draw(&mut self, number: u64) {
        let Some(lane) = self.undrawn.remove(&number) else {
            return;
        };
        if let Some(replaced) = self.replaced().map(|lane| lane.number) {
            self.forget(replaced);
        }
        self.lanes.insert(number, lane);
    }

    fn forget(&mut self, number: u64) {
        if self
            .lanes
            .remove(&number)
            .is_some_and(|lane| lane.is_sent())
        {
            self.dropped.push(number);
        }
    }

    /// The lanes that are drawn and whose requests are open.
    fn open(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.values().filter(|lane| lane.ended.is_none())
    }

    /// Applies the passing of time: `open` requests are open at `now`, lanes that ended long ago are removed, and
    /// others are drawn.
    pub(super) fn advance(&mut self, open: usize, now: Duration) {
        let over = self.lanes.values().filter(|lane| is_long_over(lane, now));
        let over: Vec<_> = over.map(|lane| lane.number).collect();
        for number in over {
            self.forget(number);
        }
        self.draw_more(now);
        self.waits.advance(now);
        self.totals.waiting = self.waits.count();
        self.totals.open = open;
        let hidden = open.saturating_sub(self.open().count());
        if hidden == 0 {
            self.all_drawn = now;
        }
        let is_published = now.saturating_sub(self.all_drawn) >= PUBLISHED;
        self.totals.hidden = if is_published { hidden } else { 0 };
    }

    /// Sets the connections that have unread bytes at `now`.
    pub(super) fn set_unread(&mut self, unread: &[SocketAddr], now: Duration) {
        let all = self.lanes.values().chain(self.undrawn.values());
        let open = all.filter(|lane| lane.ended.is_none());
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
        self.open().map(|lane| lane.number).collect()
    }

    /// The lanes that are drawn, the oldest first.
    pub(super) fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.values()
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
        for lane in self.lanes.values_mut() {
            lane.drain_changes(send);
        }
        if self.waits.take_changed() {
            send(Change::Waiting {
                waiting: self.waiting(),
            });
        }
    }
}

fn is_long_over(lane: &Lane, now: Duration) -> bool {
    let ended = lane.ended;
    ended.is_some_and(|ended| now.saturating_sub(ended) > SHOWN)
}

#[cfg(test)]
mod tests;
