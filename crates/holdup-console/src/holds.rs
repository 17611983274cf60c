//! The holds that last, and the most recent ones that have ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::change::Change;
use holdup_watch::Hold;

/// The most ended holds that are kept.
pub(super) const OVER: usize = 50;

/// What identifies a hold: its worker, and when it began.
type Key = (usize, Duration);

fn key(hold: &Hold) -> Key {
    (hold.worker, hold.started)
}

/// The holds known from the watch's events, and what has not yet been sent to readers.
#[derive(Debug, Default)]
pub(super) struct Holds {
    lasting: BTreeMap<Key, Hold>,
    over: VecDeque<Hold>,
    /// The holds that ended since the last batch, in order.
    ended: Vec<End>,
    /// The workers whose latest state has not been sent to readers.
    changed: BTreeSet<usize>,
}

#[derive(Debug)]
enum End {
    Released(Hold),
    Withdrawn(Hold),
}

impl Holds {
    /// Adds a hold that lasts, or updates it.
    pub(super) fn lasts(&mut self, hold: Hold) {
        self.changed.insert(hold.worker);
        self.lasting.insert(key(&hold), hold);
    }

    /// Records the end of a hold.
    pub(super) fn released(&mut self, hold: Hold) {
        self.end(key(&hold));
        if self.over.len() == OVER {
            self.over.pop_front();
        }
        self.over.push_back(hold.clone());
        self.ended.push(End::Released(hold));
    }

    /// Takes back a hold that turned out not to be one.
    pub(super) fn withdrawn(&mut self, hold: Hold) {
        self.end(key(&hold));
        self.ended.push(End::Withdrawn(hold));
    }

    fn end(&mut self, key: Key) {
        self.lasting.remove(&key);
        // The worker may still be in a hold that contained this one.
        self.changed.insert(key.0);
    }

    /// Records that events were lost, perhaps the end of a hold. A hold that still lasts is
    /// published again soon.
    pub(super) fn lost(&mut self) {
        for hold in std::mem::take(&mut self.lasting).into_values() {
            self.ended.push(End::Withdrawn(hold));
        }
    }

    /// Takes back the holds of workers of which nothing was told since a time, because the ends of these are not known.
    pub(super) fn lost_before(&mut self, time: Duration) {
        let mut told = BTreeMap::<usize, Duration>::new();
        for hold in self.lasting.values() {
            let latest = told.entry(hold.worker).or_default();
            *latest = (*latest).max(hold.started + hold.duration);
        }
        let is_lost = |key: &&Key| told.get(&key.0).is_some_and(|&at| at < time);
        let lost: Vec<_> = self.lasting.keys().filter(is_lost).copied().collect();
        let lost = lost.iter().filter_map(|key| self.lasting.remove(key));
        self.ended.extend(lost.map(End::Withdrawn));
    }

    /// The current hold of each held worker. Of two holds of one worker, this is the one that began
    /// later, because it is inside the other.
    pub(super) fn by_worker(&self) -> BTreeMap<usize, &Hold> {
        // The map is in ascending order of start, so the latest hold of each worker remains.
        let lasting = self.lasting.values();
        lasting.map(|hold| (hold.worker, hold)).collect()
    }

    /// Whether no worker is held.
    pub(super) fn none_lasts(&self) -> bool {
        self.lasting.is_empty()
    }

    /// The ended holds, oldest first.
    pub(super) fn over(&self) -> impl Iterator<Item = &Hold> {
        self.over.iter()
    }

    /// Sends the changes since the last call.
    pub(super) fn drain_changes(&mut self, send: &mut impl FnMut(Change<'_>)) {
        for end in std::mem::take(&mut self.ended) {
            send(match end {
                End::Released(hold) => Change::Released { hold: hold.into() },
                End::Withdrawn(hold) => Change::Withdrawn { hold: hold.into() },
            });
        }
        let changed = std::mem::take(&mut self.changed);
        for (worker, hold) in self.by_worker() {
            if changed.contains(&worker) {
                send(Change::Held {
                    hold: hold.clone().into(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use holdup_watch::HoldKind;

    use super::*;

    const STARVED: HoldKind = HoldKind::Starved { turns: 3 };

    fn hold(kind: HoldKind, worker: usize, started: u64, lasted: u64) -> Hold {
        let ms = Duration::from_millis;
        Hold::new(kind, worker, ms(started), ms(lasted))
    }

    fn blocked(worker: usize, started: u64, lasted: u64) -> Hold {
        hold(HoldKind::Blocked, worker, started, lasted)
    }

    /// What readers are sent: the event, the worker, and how long the hold has lasted.
    fn news(holds: &mut Holds) -> Vec<String> {
        let mut news = Vec::new();
        holds.drain_changes(&mut |change| {
            let message = serde_json::to_value(change).expect("JSON");
            let (event, hold) = (&message["event"], &message["hold"]);
            let event = event.as_str().expect("a name");
            news.push(format!(
                "{event} {} {}",
                hold["worker"], hold["duration_ms"]
            ));
        });
        news
    }

    #[test]
    fn the_changes_between_two_batches_are_sent_once_in_their_latest_state() {
        let mut holds = Holds::default();
        holds.lasts(blocked(0, 100, 100));
        holds.lasts(blocked(1, 150, 100));
        holds.lasts(blocked(0, 100, 350));
        assert_eq!(news(&mut holds), ["held 0 350.0", "held 1 100.0"]);
        assert!(news(&mut holds).is_empty());
        holds.lasts(blocked(1, 150, 350));
        holds.released(blocked(1, 150, 400));
        assert_eq!(news(&mut holds), ["released 1 400.0"]);
        // A hold that was never published while it lasted.
        holds.released(blocked(2, 900, 100));
        assert_eq!(news(&mut holds), ["released 2 100.0"]);
        assert_eq!(holds.over().count(), 2);
        assert_eq!(holds.by_worker().len(), 1);
    }

    #[test]
    fn a_withdrawn_hold_is_taken_back_and_in_no_list() {
        let mut holds = Holds::default();
        holds.lasts(blocked(0, 100, 100));
        assert_eq!(news(&mut holds), ["held 0 100.0"]);
        holds.withdrawn(blocked(0, 100, 100));
        assert_eq!(news(&mut holds), ["withdrawn 0 100.0"]);
        assert!(holds.none_lasts());
        assert_eq!(holds.over().count(), 0);
    }

    #[test]
    fn of_two_holds_of_one_worker_the_inner_one_is_shown_until_it_ends() {
        let mut holds = Holds::default();
        holds.lasts(hold(STARVED, 0, 100, 600));
        holds.lasts(blocked(0, 500, 200));
        assert_eq!(news(&mut holds), ["held 0 200.0"]);
        holds.lasts(hold(STARVED, 0, 100, 650));
        assert_eq!(news(&mut holds), ["held 0 200.0"]);
        holds.released(blocked(0, 500, 300));
        assert_eq!(news(&mut holds), ["released 0 300.0", "held 0 650.0"]);
        holds.released(hold(STARVED, 0, 100, 900));
        assert_eq!(news(&mut holds), ["released 0 900.0"]);
    }

    #[test]
    fn a_hold_whose_end_may_be_lost_is_taken_back_and_published_again_if_it_lasts() {
        let mut holds = Holds::default();
        holds.lasts(blocked(0, 100, 100));
        holds.lasts(blocked(1, 100, 100));
        news(&mut holds);
        holds.lost();
        assert!(holds.none_lasts());
        assert_eq!(news(&mut holds), ["withdrawn 0 100.0", "withdrawn 1 100.0"]);
        holds.lasts(blocked(1, 100, 600));
        assert_eq!(news(&mut holds), ["held 1 600.0"]);
    }

    #[test]
    fn holds_that_are_told_no_more_are_taken_back() {
        let mut holds = Holds::default();
        // While the inner hold lasts, the outer one is not told.
        holds.lasts(hold(STARVED, 0, 100, 600));
        holds.lasts(blocked(0, 500, 7000));
        holds.lasts(blocked(1, 100, 900));
        news(&mut holds);
        holds.lost_before(Duration::from_secs(1));
        assert!(news(&mut holds).is_empty());
        holds.lost_before(Duration::from_millis(1001));
        assert_eq!(news(&mut holds), ["withdrawn 1 900.0"]);
        assert_eq!(holds.by_worker().len(), 1);
    }

    #[test]
    fn only_the_latest_ended_holds_are_kept() {
        let mut holds = Holds::default();
        for n in 0..60 {
            holds.released(blocked(0, 1000 * n, 100));
        }
        let first = holds.over().next().expect("some are kept");
        assert_eq!(first.started, Duration::from_secs(10));
        assert_eq!((holds.over().count(), news(&mut holds).len()), (50, 60));
    }
}
