//! The holds that a console has named since the probe began, on the clock of this process.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::found::InsideHold;
use super::messages::{News, Snapshot, Told, WatchTime};

/// The most holds that are kept. A probe of a few minutes meets a few hundred.
const MOST: usize = 256;

/// A hold that lasts is told of about four times a second. One that was not told of for longer than this has
/// ended, and the console waits for the names of its stacks before it says so.
const TOLD_OF: WatchTime = 500_000;

/// What identifies a hold: its worker, and when it began.
type Key = (usize, WatchTime);

fn key(told: &Told) -> Key {
    (told.worker, told.started)
}

/// The holds so far.
#[derive(Debug)]
pub(super) struct Holds {
    /// When the probe began.
    origin: Instant,
    /// The watch's time at `origin` is about this; see [`Holds::at`].
    at_origin: Option<WatchTime>,
    /// The latest time that the console has named.
    latest: WatchTime,
    threshold: WatchTime,
    known: BTreeMap<Key, Known>,
}

#[derive(Debug)]
struct Known {
    told: Told,
    lasts: bool,
}

impl Holds {
    /// No holds yet, of a probe that began at `origin`.
    pub(super) fn new(origin: Instant) -> Self {
        Self {
            origin,
            at_origin: None,
            latest: 0,
            threshold: 0,
            known: BTreeMap::new(),
        }
    }

    /// Applies a message that arrived at this time.
    pub(super) fn apply(&mut self, news: News, arrived: Instant) {
        match news {
            News::Snapshot(snapshot) => self.everything(snapshot, arrived),
            News::Held(told) => self.add(told, true),
            News::Released(told) => self.add(told, false),
            News::Withdrawn(told) => _ = self.known.remove(&key(&told)),
            News::Now(now) => self.at(now, arrived),
            News::Behind => {}
        }
    }

    /// How long after the end of a hold the console may tell of it.
    pub(super) fn told_within(&self) -> Duration {
        // The watch looks four times in this time, and the console sends twenty times a second.
        let threshold = Duration::from_micros(self.threshold.unsigned_abs());
        threshold.min(Duration::from_secs(1)) / 2 + Duration::from_millis(100)
    }

    /// Takes note of the time on the watch's clock. A message takes a moment to arrive, so the watch's clock is
    /// at least as far as it says. The message that took the shortest time shows best how the two clocks
    /// differ.
    fn at(&mut self, now: WatchTime, arrived: Instant) {
        let since = micros(arrived.saturating_duration_since(self.origin));
        let at_origin = now.saturating_sub(since);
        self.at_origin = Some(
            self.at_origin
                .map_or(at_origin, |known| known.max(at_origin)),
        );
        self.latest = self.latest.max(now);
    }

    fn everything(&mut self, snapshot: Snapshot, arrived: Instant) {
        self.at(snapshot.now, arrived);
        self.threshold = snapshot.threshold;
        // A worker that is not held any more was released, although the message of it was lost.
        for known in self.known.values_mut() {
            known.lasts &= snapshot
                .held
                .iter()
                .any(|held| held.worker == known.told.worker);
        }
        for told in snapshot.over {
            self.add(told, false);
        }
        for told in snapshot.held {
            self.add(told, true);
        }
    }

    fn add(&mut self, told: Told, lasts: bool) {
        self.latest = self.latest.max(told.end());
        if !lasts && self.at_origin.is_some_and(|origin| told.end() < origin) {
            return;
        }
        self.known.insert(key(&told), Known { told, lasts });
        if self.known.len() > MOST {
            let shortest = self
                .known
                .iter()
                .min_by_key(|(_, known)| known.told.duration);
            if let Some(shortest) = shortest.map(|(key, _)| *key) {
                self.known.remove(&shortest);
            }
        }
    }

    /// Whether the console has yet to say how long a hold lasted that was there before `ended`, and seems to be
    /// over.
    pub(super) fn awaits_any(&self, ended: Instant) -> bool {
        let ended = self.watch_time(ended);
        let mut open = self.known.values().filter(|known| known.lasts);
        open.any(|known| known.told.started < ended && known.told.end() <= ended)
    }

    /// The watch's time at this time of this process's clock.
    pub(super) fn watch_time(&self, of: Instant) -> WatchTime {
        let since = micros(of.saturating_duration_since(self.origin));
        self.at_origin.unwrap_or_default().saturating_add(since)
    }

    /// The time of this process's clock at which the watch's clock was at `time`.
    pub(super) fn instant(&self, time: WatchTime) -> Instant {
        let at_origin = self.at_origin.unwrap_or_default();
        instant(self.origin, time.saturating_sub(at_origin))
    }

    /// The holds that fell into the time from the probe's beginning to `ended`, the earliest first. A hold
    /// that lasts has lasted until then; if the console has gone away, until it last named a time.
    pub(super) fn until(self, ended: Instant, is_there: bool) -> Vec<InsideHold> {
        let origin = self.at_origin.unwrap_or_default();
        let ended = self.watch_time(ended);
        let now = if is_there { ended } else { self.latest };
        let mut newest: BTreeMap<usize, WatchTime> = BTreeMap::new();
        for (worker, started) in self.known.keys() {
            newest.insert(*worker, *started);
        }
        let mut holds: Vec<_> = self.known.into_values().collect();
        holds.sort_by_key(|known| (known.told.started, known.told.worker));
        let holds = holds.into_iter().filter_map(|Known { told, lasts }| {
            let is_newest = newest.get(&told.worker) == Some(&told.started);
            let mut end = told.end();
            if lasts && is_newest && end.saturating_add(TOLD_OF) >= now {
                end = end.max(now);
            }
            (end >= origin && told.started < ended).then(|| {
                let began = instant(self.origin, told.started.saturating_sub(origin));
                hold(told, began, end)
            })
        });
        holds.collect()
    }
}

fn hold(told: Told, began: Instant, end: WatchTime) -> InsideHold {
    let main = told.shares.first();
    InsideHold {
        method: main.map(|share| share.method.clone()),
        route: main.map(|share| share.route.clone()),
        line: told.line,
        held: Duration::from_micros(end.saturating_sub(told.started).unsigned_abs()),
        worker: told.worker,
        began,
        activity: told.activity,
        shares: told.shares,
    }
}

fn micros(duration: Duration) -> WatchTime {
    WatchTime::try_from(duration.as_micros()).unwrap_or(WatchTime::MAX)
}

/// So long after `origin`, or before it. A hold may have begun before this machine did; the origin is near
/// enough for it, because nothing is asked of the time before.
fn instant(origin: Instant, after: WatchTime) -> Instant {
    let distance = Duration::from_micros(after.unsigned_abs());
    let instant = if after < 0 {
        origin.checked_sub(distance)
    } else {
        origin.checked_add(distance)
    };
    instant.unwrap_or(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: WatchTime = 1000;

    /// The probe begins when the watch's clock is at ten seconds.
    struct Scene {
        holds: Holds,
        origin: Instant,
    }

    impl Scene {
        fn new() -> Self {
            let origin = Instant::now();
            let mut holds = Holds::new(origin);
            let snapshot = snapshot(10_000, vec![], vec![]);
            holds.apply(News::Snapshot(snapshot), origin);
            Self { holds, origin }
        }

        fn at(&self, ms: u64) -> Instant {
            self.origin + Duration::from_millis(ms - 10_000)
        }

        /// The holds at this time: their worker, when they began, and how long they lasted.
        fn until(self, ms: u64, is_there: bool) -> Vec<(usize, i128, u128)> {
            let (ended, origin) = (self.at(ms), self.origin);
            let holds = self.holds.until(ended, is_there).into_iter();
            let began = |hold: &InsideHold| match hold.began.checked_duration_since(origin) {
                Some(after) => 10_000 + after.as_millis().cast_signed(),
                None => 10_000 - origin.duration_since(hold.began).as_millis().cast_signed(),
            };
            holds
                .map(|hold| (hold.worker, began(&hold), hold.held.as_millis()))
                .collect()
        }
    }

    fn snapshot(now: WatchTime, held: Vec<Told>, over: Vec<Told>) -> Snapshot {
        Snapshot {
            now: now * MS,
            threshold: 100 * MS,
            held,
            over,
        }
    }

    fn told(worker: usize, started: WatchTime, duration: WatchTime) -> Told {
        Told {
            worker,
            started: started * MS,
            duration: duration * MS,
            activity: None,
            line: None,
            shares: Vec::new(),
        }
    }

    #[test]
    fn messages_about_one_hold_are_one_hold() {
        let mut scene = Scene::new();
        let now = scene.at(10_000);
        for duration in [100, 350, 600] {
            scene
                .holds
                .apply(News::Held(told(0, 10_200, duration)), now);
        }
        scene.holds.apply(News::Held(told(1, 10_300, 100)), now);
        scene.holds.apply(News::Released(told(0, 10_200, 700)), now);
        // It was never seen while it lasted.
        scene.holds.apply(News::Released(told(1, 10_900, 120)), now);
        scene
            .holds
            .apply(News::Withdrawn(told(1, 10_300, 100)), now);
        assert_eq!(
            scene.until(12_000, true),
            [(0, 10_200, 700), (1, 10_900, 120)]
        );
    }

    #[test]
    fn only_holds_in_the_time_of_the_probe_count_and_open_ones_until_now() {
        let mut scene = Scene::new();
        let now = scene.at(10_000);
        let over = vec![told(0, 9_000, 500), told(0, 9_800, 300)];
        let held = vec![told(1, 8_000, 2_800)];
        scene
            .holds
            .apply(News::Snapshot(snapshot(10_000, held, over)), now);
        // It begins after the probe's end, in the time in which the last messages are waited for.
        scene.holds.apply(News::Held(told(0, 11_050, 100)), now);
        let found = scene.until(11_000, true);
        assert_eq!(found, [(1, 8_000, 3_000), (0, 9_800, 300)]);
    }

    #[test]
    fn a_hold_that_is_not_told_of_any_more_has_ended() {
        let mut scene = Scene::new();
        let now = scene.at(10_000);
        for told in [
            told(0, 10_200, 300),
            told(1, 10_700, 250),
            told(2, 10_100, 100),
        ] {
            scene.holds.apply(News::Held(told), now);
        }
        let next = told(0, 10_600, 390);
        scene.holds.apply(News::Released(next), now);
        let found = [
            (2, 10_100, 100),
            (0, 10_200, 300),
            (0, 10_600, 390),
            (1, 10_700, 300),
        ];
        assert_eq!(scene.until(11_000, true), found);
    }

    #[test]
    fn the_end_of_a_hold_is_waited_for_unless_it_goes_on() {
        let mut scene = Scene::new();
        let (now, ended) = (scene.at(10_000), scene.at(11_000));
        let mut awaits = |news: News| {
            scene.holds.apply(news, now);
            scene.holds.awaits_any(ended)
        };
        assert!(awaits(News::Held(told(0, 10_200, 300))));
        assert!(awaits(News::Held(told(1, 10_900, 100))));
        assert!(awaits(News::Released(told(0, 10_200, 400))));
        assert!(!awaits(News::Held(told(1, 10_900, 200))));
        assert!(!awaits(News::Held(told(2, 11_010, 100))), "it began later");
    }

    #[test]
    fn a_hold_that_lasts_when_the_console_goes_away_is_known_until_then() {
        let mut scene = Scene::new();
        scene
            .holds
            .apply(News::Held(told(0, 10_100, 150)), scene.at(10_300));
        scene.holds.apply(News::Now(10_400 * MS), scene.at(10_400));
        assert_eq!(scene.until(20_000, false), [(0, 10_100, 300)]);
    }

    #[test]
    fn a_snapshot_ends_the_holds_of_workers_that_are_free() {
        let mut scene = Scene::new();
        let now = scene.at(10_900);
        scene.holds.apply(News::Held(told(0, 10_100, 200)), now);
        scene.holds.apply(News::Held(told(1, 10_100, 200)), now);
        let held = vec![told(1, 10_100, 800)];
        scene
            .holds
            .apply(News::Snapshot(snapshot(10_900, held, vec![])), now);
        let found = scene.until(11_000, true);
        assert_eq!(found, [(0, 10_100, 200), (1, 10_100, 900)]);
    }

    #[test]
    fn the_message_that_arrived_soonest_sets_the_clock() {
        let mut scene = Scene::new();
        // The first message took 400 ms, as the third shows; the second took longer.
        scene.holds.apply(News::Now(10_500 * MS), scene.at(11_000));
        scene.holds.apply(News::Now(11_900 * MS), scene.at(11_500));
        scene
            .holds
            .apply(News::Released(told(0, 11_000, 200)), scene.at(11_500));
        assert_eq!(scene.until(12_000, true), [(0, 10_600, 200)]);
    }

    #[test]
    fn of_more_holds_than_are_kept_the_longest_are() {
        let mut scene = Scene::new();
        let now = scene.at(10_000);
        for (worker, n) in (1..).zip(0..2000) {
            let released = told(0, 10_000 + n * 200, 100 + n % 50);
            scene.holds.apply(News::Released(released), now);
            let held = told(worker, 10_000, 3);
            scene.holds.apply(News::Held(held), now);
        }
        let found = scene.until(10_000_000, true);
        assert_eq!(found.len(), MOST);
        assert!(found.iter().all(|(_, _, held)| *held >= 143), "{found:?}");
    }

    #[test]
    fn times_at_the_ends_of_the_clocks_are_harmless() {
        let origin = Instant::now();
        let mut holds = Holds::new(origin);
        holds.apply(News::Now(WatchTime::MAX), origin);
        let mut long = told(0, 0, 0);
        long.duration = WatchTime::MAX;
        holds.apply(News::Held(long.clone()), origin);
        long.started = WatchTime::MAX;
        holds.apply(News::Released(long), origin);
        assert!(holds.until(origin + Duration::from_secs(1), true).len() <= 2);
    }
}
