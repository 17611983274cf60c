//! What the page shows, as far as requests go: the newest lanes, bounded; the others are counted.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::message::Message;
use holdup_model::millis::{self, Millis};
use holdup_watch::Event;

/// The most moments of chunks that are kept of a lane. A lane that has more is a solid bar anyway.
pub(super) const CHUNKS: usize = 120;

/// The most of them that are told of a lane at a time.
const CHUNKS_AT_A_TIME: usize = 20;

/// How long a lane is shown after its end.
const SHOWN: Duration = Duration::from_secs(60);

/// A shorter wait is what it takes a free worker to read.
const WAITED: Duration = Duration::from_millis(20);

/// How long a connection that was seen waiting is remembered after it was read: the lane that it
/// became is told a moment later.
const REMEMBERED: Duration = Duration::from_secs(2);

/// A request that opens is counted at once, and its lane told within this time.
const TOLD: Duration = Duration::from_secs(1);

/// The lanes, who waits, and the counts.
#[derive(Debug, Default)]
pub(super) struct Board {
    lanes: BTreeMap<u64, Lane>,
    waiting: HashMap<SocketAddr, Wait>,
    totals: Totals,
    /// When there was a lane for every open request.
    all_drawn: Duration,
    /// How many lanes were recorded before.
    before: u64,
    /// The most lanes that are shown.
    most_lanes: usize,
    /// What has not been told yet.
    dropped: Vec<u64>,
    waiting_changed: bool,
}

/// A request, from when its worker read it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Lane {
    #[serde(rename = "lane")]
    pub(super) number: u64,
    pub(super) worker: usize,
    pub(super) method: String,
    pub(super) route: String,
    pub(super) path: String,
    #[serde(rename = "waited_ms", serialize_with = "millis::serialize_option")]
    pub(super) waited: Option<Duration>,
    #[serde(rename = "opened_ms", serialize_with = "millis::serialize")]
    pub(super) opened: Duration,
    #[serde(rename = "answered_ms", serialize_with = "millis::serialize_option")]
    pub(super) answered: Option<Duration>,
    pub(super) status: Option<u16>,
    #[serde(rename = "chunks_ms")]
    pub(super) chunks: VecDeque<Millis>,
    chunk_count: u64,
    bytes: u64,
    /// When all of the answer was handed over.
    #[serde(rename = "finished_ms", serialize_with = "millis::serialize_option")]
    pub(super) finished: Option<Duration>,
    /// When it was over, finished or not.
    #[serde(rename = "ended_ms", serialize_with = "millis::serialize_option")]
    pub(super) ended: Option<Duration>,
    #[serde(skip)]
    peer: Option<SocketAddr>,
    #[serde(skip)]
    told: Told,
}

/// What has been told of a lane.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    opened: bool,
    answered: bool,
    chunks: u64,
    ended: bool,
}

/// A connection with bytes that nobody has read, while a worker is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Waiting {
    peer: SocketAddr,
    #[serde(rename = "since_ms", serialize_with = "millis::serialize")]
    since: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Wait {
    since: Duration,
    /// Seen once only: it may be on its way to be read.
    brief: bool,
    /// When it was no longer among those that wait.
    read: Option<Duration>,
}

/// Counts since the console began.
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
    /// Connections that wait to be read; the first of them are listed.
    waiting: usize,
}

impl Board {
    /// One of at most so many lanes that begins when `before` lanes were recorded already.
    pub(super) fn new(before: u64, most_lanes: usize) -> Self {
        Self {
            before,
            most_lanes,
            ..Self::default()
        }
    }

    /// Takes in what the watch saw.
    pub(super) fn on(&mut self, event: Event) {
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
                let peer = peer.map(plain);
                let wait = peer.and_then(|peer| self.waiting.remove(&peer));
                self.waiting_changed |= wait.is_some_and(Wait::is_shown);
                let lane = Lane {
                    number,
                    worker,
                    method,
                    route,
                    path,
                    waited: wait
                        .map(|wait| at.saturating_sub(wait.since))
                        .filter(|waited| *waited >= WAITED),
                    opened: at,
                    answered: None,
                    status: None,
                    chunks: VecDeque::new(),
                    chunk_count: 0,
                    bytes: 0,
                    ended: None,
                    finished: None,
                    peer,
                    told: Told::default(),
                };
                self.lanes.insert(number, lane);
                if self.lanes.len() > self.most_lanes {
                    self.make_room();
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
            Event::Ended { lane, at, finished } => {
                if finished {
                    self.totals.finished += 1;
                } else {
                    self.totals.unfinished += 1;
                }
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    (lane.ended, lane.finished) = (Some(at), finished.then_some(at));
                }
            }
            Event::Lost { events } => {
                self.totals.lost += events;
                // The end of any of these may be among what was lost.
                let open: Vec<_> = self.open().map(|lane| lane.number).collect();
                for number in open {
                    self.forget(number);
                }
            }
            // Holds are kept elsewhere.
            _ => {}
        }
    }

    /// Whoever has ended goes first, the oldest before the others; then the oldest.
    fn make_room(&mut self) {
        let over = self.lanes.values().find(|lane| lane.ended.is_some());
        let oldest = over.or(self.lanes.values().next());
        if let Some(number) = oldest.map(|lane| lane.number) {
            self.forget(number);
        }
    }

    fn forget(&mut self, number: u64) {
        if let Some(lane) = self.lanes.remove(&number)
            && lane.told.opened
        {
            self.dropped.push(number);
        }
    }

    fn open(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.values().filter(|lane| lane.ended.is_none())
    }

    /// What time does: `open` requests are there `now`, and lanes that ended long ago are not
    /// shown any more.
    pub(super) fn turn(&mut self, open: usize, now: Duration) {
        let past = |lane: &&Lane| {
            lane.ended
                .is_some_and(|ended| now.saturating_sub(ended) > SHOWN)
        };
        let past: Vec<_> = self.lanes.values().filter(past).map(|l| l.number).collect();
        for number in past {
            self.forget(number);
        }
        self.waiting.retain(|_, wait| {
            wait.read
                .is_none_or(|read| now.saturating_sub(read) < REMEMBERED)
        });
        let waiting = self.waiting.values().filter(|wait| wait.is_shown());
        self.totals.waiting = waiting.count();
        self.totals.open = open;
        let hidden = open.saturating_sub(self.open().count());
        if hidden == 0 {
            self.all_drawn = now;
        }
        let is_told = now.saturating_sub(self.all_drawn) >= TOLD;
        self.totals.hidden = if is_told { hidden } else { 0 };
    }

    /// The connections that have unread bytes `now`.
    pub(super) fn set_unread(&mut self, unread: &[SocketAddr], now: Duration) {
        let before = self.waiting();
        let unread: HashSet<_> = unread.iter().copied().map(plain).collect();
        for (peer, wait) in &mut self.waiting {
            if !unread.contains(peer) {
                wait.read.get_or_insert(now);
            }
        }
        // One that is being answered sends more than its request: that is not read either, but it
        // does not wait for its turn.
        let answered: HashSet<_> = self.open().filter_map(|lane| lane.peer).collect();
        for &peer in unread.difference(&answered) {
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
        self.waiting_changed |= before != self.waiting();
    }

    /// Whether somebody may still be waiting.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.values().any(|wait| wait.read.is_none())
    }

    /// The connections that wait, the longest first.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let shown = self.waiting.iter().filter(|(_, wait)| wait.is_shown());
        let mut waiting: Vec<_> = shown
            .map(|(&peer, wait)| Waiting {
                peer,
                since: wait.since,
            })
            .collect();
        waiting.sort_unstable_by_key(|waiting| (waiting.since, waiting.peer));
        waiting.truncate(self.most_lanes);
        waiting
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.values()
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// Writes what is new since the last time, for those who know the rest.
    pub(super) fn tell(&mut self, tell: &mut impl FnMut(Message<'_>)) {
        let dropped = std::mem::take(&mut self.dropped);
        if !dropped.is_empty() {
            tell(Message::Dropped { lanes: dropped });
        }
        for lane in self.lanes.values_mut() {
            lane.tell(tell);
        }
        if std::mem::take(&mut self.waiting_changed) {
            tell(Message::Waiting {
                waiting: self.waiting(),
            });
        }
    }
}

/// The same address whichever way it is told: an IPv4 client of a listener for both is known to
/// the app as `::ffff:127.0.0.1`.
fn plain(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

impl Wait {
    fn is_shown(self) -> bool {
        !self.brief && self.read.is_none()
    }
}

impl Lane {
    fn chunk(&mut self, at: Duration, bytes: u64) {
        self.chunk_count += 1;
        self.bytes += bytes;
        if self.chunks.len() == CHUNKS {
            self.chunks.pop_front();
        }
        self.chunks.push_back(Millis(at));
    }

    /// When the chunks came that have not been told, as far as that is kept and not too much.
    fn untold_chunks(&self) -> Vec<Millis> {
        let count = self.chunk_count - self.told.chunks;
        let shown = usize::try_from(count).unwrap_or(usize::MAX);
        let shown = shown.min(self.chunks.len());
        let new = self.chunks.range(self.chunks.len() - shown..).copied();
        let step = shown.div_ceil(CHUNKS_AT_A_TIME).max(1);
        // Counted from the newest, which is always told.
        let thinned = new.rev().step_by(step);
        let mut thinned: Vec<_> = thinned.collect();
        thinned.reverse();
        thinned
    }

    fn tell(&mut self, tell: &mut impl FnMut(Message<'_>)) {
        let number = self.number;
        if !self.told.opened {
            tell(Message::Opened {
                lane: number,
                opened_ms: Millis(self.opened),
                worker: self.worker,
                method: &self.method,
                route: &self.route,
                path: &self.path,
                waited_ms: self.waited.map(Millis),
            });
        }
        if let (false, Some(at), Some(status)) = (self.told.answered, self.answered, self.status) {
            tell(Message::Answered {
                lane: number,
                answered_ms: Millis(at),
                status,
            });
        }
        if self.chunk_count > self.told.chunks {
            let chunks_ms = self.untold_chunks();
            tell(Message::Chunks {
                lane: number,
                chunks_ms,
                chunk_count: self.chunk_count,
                bytes: self.bytes,
            });
        }
        if let (false, Some(at)) = (self.told.ended, self.ended) {
            tell(Message::Ended {
                lane: number,
                finished_ms: self.finished.map(Millis),
                ended_ms: Millis(at),
            });
        }
        self.told = Told {
            opened: true,
            answered: self.answered.is_some(),
            chunks: self.chunk_count,
            ended: self.ended.is_some(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANES: usize = 100;

    fn opened(lane: u64, at: Duration, peer: &str) -> Event {
        Event::Opened {
            lane,
            at,
            worker: 0,
            method: "GET".to_owned(),
            route: "/".to_owned(),
            path: "/".to_owned(),
            peer: Some(peer.parse().expect("an address")),
        }
    }

    #[test]
    fn a_wait_is_known_whichever_way_its_address_is_told() {
        let ms = Duration::from_millis;
        for (kernel, app) in [
            ("127.0.0.1:50000", "127.0.0.1:50000"),
            ("127.0.0.1:50000", "[::ffff:127.0.0.1]:50000"),
            ("[fe80::1]:50000", "[fe80::1%2]:50000"),
        ] {
            let mut board = Board::new(0, LANES);
            let peers = [kernel.parse().expect("an address")];
            board.set_unread(&peers, ms(100));
            board.set_unread(&peers, ms(200));
            assert_eq!(board.waiting().len(), 1, "{app}");
            board.on(opened(1, ms(300), app));
            assert!(board.waiting().is_empty(), "{app}");
            assert_eq!(board.lanes[&1].waited, Some(ms(200)), "{app}");
            // What it sends while it is answered does not wait for its turn.
            board.set_unread(&peers, ms(400));
            board.set_unread(&peers, ms(500));
            assert!(board.waiting().is_empty(), "{app}");
        }
    }

    #[test]
    fn all_who_wait_are_counted_and_the_first_are_listed() {
        let ms = Duration::from_millis;
        let mut board = Board::new(0, LANES);
        let peers: Vec<_> = (1..=LANES + 50)
            .map(|port| SocketAddr::from(([127, 0, 0, 1], port as u16)))
            .collect();
        board.set_unread(&peers, ms(100));
        board.set_unread(&peers, ms(200));
        board.turn(0, ms(200));
        assert_eq!(board.waiting().len(), LANES);
        assert_eq!(board.totals().waiting, LANES + 50);
        board.set_unread(&peers[..3], ms(300));
        board.turn(0, ms(300));
        assert_eq!(board.totals().waiting, 3);
    }

    #[test]
    fn a_request_that_is_not_told_yet_is_not_hidden() {
        let ms = Duration::from_millis;
        let mut board = Board::new(0, LANES);
        let hidden = |board: &mut Board, open, now| {
            board.turn(open, ms(now));
            board.totals().hidden
        };
        assert_eq!(hidden(&mut board, 1, 100), 0);
        board.on(opened(1, ms(90), "127.0.0.1:1"));
        assert_eq!(hidden(&mut board, 1, 150), 0);
        // Two that came before the console, say.
        assert_eq!(hidden(&mut board, 3, 200), 0);
        assert_eq!(hidden(&mut board, 3, 1149), 0);
        assert_eq!(hidden(&mut board, 3, 1150), 2);
        assert_eq!(hidden(&mut board, 2, 1200), 1);
        assert_eq!(hidden(&mut board, 1, 1250), 0);
    }

    #[test]
    fn requests_are_counted_from_when_it_began() {
        let mut board = Board::new(40, LANES);
        board.on(opened(41, Duration::ZERO, "127.0.0.1:1"));
        board.on(opened(42, Duration::ZERO, "127.0.0.1:2"));
        assert_eq!(board.totals().requests, 2);
    }
}
