//! For how long workers were blocked, and by whose polls: counted while the holds last.
//!
//! What one look at a hold says may be wrong: another thread reads what the worker is writing, and it may turn out
//! that the process was stopped meanwhile. So of a hold that lasts, only that is counted on which two looks in a row
//! agree. When it is over, the rest is added. What was counted too much, as for a hold that is withdrawn, is taken back.

use std::collections::BTreeMap;
use std::time::Duration;

use holdup_model::Hold;

use super::labels::{self, Labels};
use super::seconds::Seconds;

/// The most holds that are followed. There are more only if somebody was not told of their ends.
const HOLDS: usize = 1024;

/// What identifies a hold: when it began, and its worker.
type Key = (Duration, usize);

#[derive(Debug, Default)]
pub(super) struct Blocked {
    seconds: Seconds<String>,
    lasting: BTreeMap<Key, Lasting>,
}

/// A hold that lasts.
#[derive(Debug, Default)]
struct Lasting {
    /// How long it had lasted at the latest look.
    duration: Duration,
    /// The latest look: for each label, how long it held the worker.
    shares: BTreeMap<String, Duration>,
    /// How much of that is counted.
    counted: BTreeMap<String, Duration>,
    /// Whether the hold is over, and only its details are not known yet.
    is_over: bool,
}

impl Lasting {
    /// The label of what holds the worker most: of what is counted, or else as of the only look.
    fn most(&self) -> Option<&str> {
        let is_any_counted = self.counted.values().any(|time| !time.is_zero());
        let shares = if is_any_counted {
            &self.counted
        } else {
            &self.shares
        };
        let most = shares.iter().max_by_key(|(_, time)| **time);
        most.map(|(label, _)| label.as_str())
    }
}

fn key(hold: &Hold) -> Key {
    (hold.started, hold.worker)
}

impl Blocked {
    /// Takes a look at a hold that lasts. Calls `count` with each counter that grows, and by how many seconds.
    pub(super) fn lasts(
        &mut self,
        hold: &Hold,
        labels: &mut Labels,
        mut count: impl FnMut(&str, u64),
    ) {
        let shares = bounded(hold, labels);
        if self.lasting.len() >= HOLDS && !self.lasting.contains_key(&key(hold)) {
            self.lasting.pop_first();
        }
        let lasting = self.lasting.entry(key(hold)).or_default();
        if hold.duration <= lasting.duration {
            return;
        }
        for (label, &now) in &shares {
            let before = lasting.shares.get(label).copied().unwrap_or_default();
            let counted = lasting.counted.entry(label.clone()).or_default();
            let more = before.min(now).saturating_sub(*counted);
            *counted += more;
            count(label, self.seconds.add(label.clone(), more));
        }
        (lasting.duration, lasting.shares) = (hold.duration, shares);
        lasting.is_over = false;
    }

    /// Records that a hold is over, although its details are not known yet.
    pub(super) fn ends(&mut self, started: Duration, worker: usize) {
        if let Some(lasting) = self.lasting.get_mut(&(started, worker)) {
            lasting.is_over = true;
        }
    }

    /// Records that no worker is held.
    pub(super) fn none_lasts(&mut self) {
        for lasting in self.lasting.values_mut() {
            lasting.is_over = true;
        }
    }

    /// Adds a hold that is over.
    pub(super) fn over(
        &mut self,
        hold: &Hold,
        labels: &mut Labels,
        mut count: impl FnMut(&str, u64),
    ) {
        let mut counted = self.forget(&key(hold));
        for (label, time) in bounded(hold, labels) {
            let before = counted.remove(&label).unwrap_or_default();
            self.seconds.take_back(&label, before.saturating_sub(time));
            count(
                &label,
                self.seconds.add(label.clone(), time.saturating_sub(before)),
            );
        }
        self.take_back(&counted);
    }

    /// Takes back a hold that turned out not to be one.
    pub(super) fn withdrawn(&mut self, started: Duration, worker: usize) {
        let counted = self.forget(&(started, worker));
        self.take_back(&counted);
    }

    /// The routes that hold a worker most now, each with how long its longest hold has lasted.
    pub(super) fn current(&self) -> BTreeMap<String, Duration> {
        let mut current = BTreeMap::new();
        for lasting in self.lasting.values().filter(|lasting| !lasting.is_over) {
            if let Some(label) = lasting.most() {
                let longest: &mut Duration = current.entry(label.to_owned()).or_default();
                *longest = lasting.duration.max(*longest);
            }
        }
        current
    }

    fn forget(&mut self, key: &Key) -> BTreeMap<String, Duration> {
        self.lasting.remove(key).unwrap_or_default().counted
    }

    fn take_back(&mut self, counted: &BTreeMap<String, Duration>) {
        for (label, &time) in counted {
            self.seconds.take_back(label, time);
        }
    }
}

/// The shares of a hold by labels whose number is bounded.
fn bounded(hold: &Hold, labels: &mut Labels) -> BTreeMap<String, Duration> {
    let mut shares = BTreeMap::new();
    for (label, time) in labels::shares(hold) {
        *shares.entry(labels.bounded(label)).or_default() += time;
    }
    shares
}

#[cfg(test)]
mod tests {
    use holdup_model::{Culprit, HoldKind, Part};

    use super::*;

    const A: &str = "GET /a";

    /// A hold that began at 1 s, with the times of its culprits.
    fn hold(duration: u64, culprits: &[(&str, u64)]) -> Hold {
        let ms = Duration::from_millis;
        let mut hold = Hold::new(HoldKind::Blocked, 0, ms(1_000), ms(duration));
        let culprit = |&(route, busy): &_| Culprit::new("GET", route, Part::Future, ms(busy));
        hold.culprits = culprits.iter().map(culprit).collect();
        hold
    }

    #[derive(Default)]
    struct Scene {
        blocked: Blocked,
        labels: Labels,
        counters: BTreeMap<String, u64>,
    }

    impl Scene {
        fn lasts(&mut self, hold: &Hold) -> u64 {
            let count = |label: &str, seconds| {
                *self.counters.entry(label.to_owned()).or_default() += seconds;
            };
            self.blocked.lasts(hold, &mut self.labels, count);
            self.counter(A)
        }

        fn over(&mut self, hold: &Hold) {
            let count = |label: &str, seconds| {
                *self.counters.entry(label.to_owned()).or_default() += seconds;
            };
            self.blocked.over(hold, &mut self.labels, count);
        }

        fn counter(&self, label: &str) -> u64 {
            self.counters.get(label).copied().unwrap_or_default()
        }
    }

    #[test]
    fn the_counter_grows_while_the_hold_lasts_and_ends_at_the_culprits_time() {
        let mut scene = Scene::default();
        let looks = [900, 1_900, 2_900, 3_900, 3_900];
        let told = looks.map(|at| scene.lasts(&hold(at, &[("/a", at)])));
        assert_eq!(told, [0, 0, 1, 2, 2], "one look behind");
        scene.over(&hold(6_100, &[("/a", 4_000), ("/b", 2_050)]));
        assert_eq!((scene.counter(A), scene.counter("GET /b")), (4, 2));
        assert!(scene.blocked.current().is_empty());
        for _ in 0..19 {
            scene.over(&hold(100, &[("/b", 50)]));
        }
        assert_eq!(scene.counter("GET /b"), 3);
        assert_eq!(scene.counter("unattributed"), 1, "20 times 50 ms");
    }

    #[test]
    fn a_hold_that_is_withdrawn_is_not_counted() {
        let mut scene = Scene::default();
        scene.lasts(&hold(5_000, &[("/a", 5_000)]));
        scene.blocked.withdrawn(Duration::from_secs(1), 0);
        assert_eq!(scene.counter(A), 0, "no second look has confirmed it");

        scene.lasts(&hold(1_500, &[("/a", 1_500)]));
        assert_eq!(scene.lasts(&hold(1_750, &[("/a", 1_750)])), 1);
        scene.blocked.withdrawn(Duration::from_secs(1), 0);
        scene.over(&hold(1_900, &[("/a", 1_900)]));
        assert_eq!(scene.counter(A), 1, "the counter waits for as much");
        scene.over(&hold(100, &[("/a", 100)]));
        assert_eq!(scene.counter(A), 2);
    }

    #[test]
    fn a_look_that_has_missed_the_culprit_blames_nobody_else() {
        let mut scene = Scene::default();
        scene.lasts(&hold(2_000, &[("/a", 2_000)]));
        scene.lasts(&hold(3_000, &[]));
        scene.lasts(&hold(4_000, &[("/a", 4_000)]));
        scene.lasts(&hold(5_000, &[("/a", 5_000)]));
        assert_eq!((scene.counter(A), scene.counter("unattributed")), (4, 0));
        scene.lasts(&hold(6_000, &[]));
        let current: Vec<_> = scene.blocked.current().into_keys().collect();
        assert_eq!(current, [A]);
    }

    #[test]
    fn the_current_hold_is_that_of_the_route_that_holds_most() {
        let mut scene = Scene::default();
        scene.lasts(&hold(2_000, &[("/b", 500), ("/a", 1_500)]));
        let seconds = |scene: &Scene| {
            let current = scene.blocked.current().into_iter();
            current
                .map(|(label, time)| (label, time.as_secs()))
                .collect::<Vec<_>>()
        };
        assert_eq!(seconds(&scene), [(A.to_owned(), 2)]);
        let mut longer = hold(7_000, &[("/a", 7_000)]);
        longer.worker = 3;
        scene.lasts(&longer);
        assert_eq!(seconds(&scene), [(A.to_owned(), 7)]);
        scene.blocked.ends(longer.started, longer.worker);
        assert_eq!(seconds(&scene), [(A.to_owned(), 2)]);
        scene.blocked.none_lasts();
        assert!(seconds(&scene).is_empty());
        scene.lasts(&longer);
        assert!(seconds(&scene).is_empty(), "nothing new");
        longer.duration += Duration::from_secs(1);
        scene.lasts(&longer);
        assert_eq!(seconds(&scene), [(A.to_owned(), 8)], "it lasts after all");
    }

    #[test]
    fn holds_whose_end_is_not_told_are_forgotten() {
        let mut scene = Scene::default();
        for number in 0..5_000 {
            let mut hold = hold(200, &[]);
            hold.started = Duration::from_secs(number);
            scene.lasts(&hold);
        }
        assert_eq!(scene.blocked.lasting.len(), HOLDS);
    }
}
