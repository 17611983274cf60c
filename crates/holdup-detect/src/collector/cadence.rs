//! Decides how often the collector looks, and which worker it asks that cannot be seen from outside. This code reads
//! no clock: the caller passes the time, in nanoseconds.

const MS: u64 = 1_000_000;

/// How long nothing has to happen before the collector dozes.
const AWAKE: u64 = 200 * MS;

/// How long the workers may take to find out that the collector is going to doze.
const SETTLES: u64 = 20 * MS;

/// The least time between two heartbeats of a worker that cannot be seen from outside, while the collector dozes.
const TURN: u64 = 750 * MS;

/// What a look has found. A later variant outweighs an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    /// No request is open, and every worker that can be seen from outside waits in its loop.
    Quiet,
    /// No request is open, but a worker does something. It was asked whether its loop turns.
    Doubt,
    /// Requests are open, a worker has not answered, or something is to be published.
    Active,
}

/// How long the collector pauses now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// It looks again soon.
    Awake,
    /// It looks again soon. If nothing has happened by then, it dozes, so workers have to know.
    Settling,
    /// It looks seldom.
    Dozing,
}

/// When the collector dozes.
#[derive(Debug, Default)]
pub(super) struct Cadence {
    /// Since when nothing has happened.
    quiet_since: Option<u64>,
    /// When the workers were told that the collector is going to doze.
    settling_since: Option<u64>,
}

impl Cadence {
    /// Decides what follows a look that ended at `now`.
    pub(super) fn next(&mut self, found: Found, now: u64) -> Pace {
        match found {
            Found::Active => {
                *self = Self::default();
                Pace::Awake
            }
            // If the worker has answered by the next look, the collector goes on as before.
            Found::Doubt => Pace::Awake,
            Found::Quiet => {
                let since = *self.quiet_since.get_or_insert(now);
                match self.settling_since {
                    Some(at) if now.saturating_sub(at) >= SETTLES => Pace::Dozing,
                    None if now.saturating_sub(since) >= AWAKE => {
                        self.settling_since = Some(now);
                        Pace::Settling
                    }
                    Some(_) | None => Pace::Awake,
                }
            }
        }
    }

    /// Whether the workers were told that the collector dozes, or is going to.
    pub(super) fn is_settling(&self) -> bool {
        self.settling_since.is_some()
    }
}

/// Which of the workers, each with the time at which it was asked last, is to be asked in a look at `now`: the one
/// that was asked the longest ago. `None` if all were asked a moment ago.
pub(super) fn whose_turn(workers: impl Iterator<Item = (usize, u64)>, now: u64) -> Option<usize> {
    let due = workers.filter(|(_, asked)| now.saturating_sub(*asked) >= TURN);
    due.min_by_key(|&(worker, asked)| (asked, worker))
        .map(|(worker, _)| worker)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The paces after looks that found this, one every 25 ms from 1 s on.
    fn paces(cadence: &mut Cadence, found: &[Found]) -> Vec<Pace> {
        let looks = (1_000..).step_by(25).zip(found);
        let next = |(at, &found)| cadence.next(found, at * MS);
        looks.map(next).collect()
    }

    #[test]
    fn it_dozes_after_some_time_in_which_nothing_happened() {
        let paces = paces(&mut Cadence::default(), &[Found::Quiet; 11]);
        assert_eq!(paces[..8], [Pace::Awake; 8]);
        assert_eq!(paces[8..], [Pace::Settling, Pace::Dozing, Pace::Dozing]);
    }

    #[test]
    fn looks_in_quick_succession_do_not_hasten_it() {
        let mut cadence = Cadence::default();
        for at in 0..200 {
            assert_eq!(cadence.next(Found::Quiet, at * MS), Pace::Awake);
        }
        assert_eq!(cadence.next(Found::Quiet, 200 * MS), Pace::Settling);
        assert_eq!(cadence.next(Found::Quiet, 201 * MS), Pace::Awake);
        assert_eq!(cadence.next(Found::Quiet, 220 * MS), Pace::Dozing);
    }

    #[test]
    fn whatever_happens_keeps_it_awake_for_some_time() {
        let mut found = [Found::Quiet; 31];
        found[9] = Found::Active;
        let mut cadence = Cadence::default();
        let paces = paces(&mut cadence, &found);
        assert_eq!(paces[8..10], [Pace::Settling, Pace::Awake]);
        let dozes = paces.iter().position(|&pace| pace == Pace::Dozing);
        assert_eq!(dozes, Some(19));
        assert!(cadence.is_settling());
        cadence.next(Found::Active, 9_000 * MS);
        assert!(!cadence.is_settling());
    }

    #[test]
    fn it_looks_again_soon_at_a_worker_in_doubt_and_dozes_on_if_that_has_answered() {
        let mut found = [Found::Quiet; 12];
        found[10] = Found::Doubt;
        let paces = paces(&mut Cadence::default(), &found);
        assert_eq!(paces[9..], [Pace::Dozing, Pace::Awake, Pace::Dozing]);
        assert!(Found::Active > Found::Doubt && Found::Doubt > Found::Quiet);
    }

    /// How often each of the workers is asked in ten seconds, with five looks in two of them.
    fn turns(workers: usize) -> Vec<usize> {
        let mut asked: BTreeMap<usize, u64> = (0..workers).map(|worker| (worker, 0)).collect();
        let mut times = vec![0; workers];
        for look in 0..25 {
            let now = (10_000 + 400 * look) * MS;
            let all = asked.iter().map(|(&worker, &at)| (worker, at));
            if let Some(worker) = whose_turn(all, now) {
                asked.insert(worker, now);
                times[worker] += 1;
            }
        }
        times
    }

    #[test]
    fn two_workers_are_asked_about_once_a_second_each_and_more_of_them_in_turn() {
        assert!(turns(0).is_empty());
        assert_eq!(turns(1), [13]);
        assert_eq!(turns(2), [13, 12]);
        assert_eq!(turns(5), [5; 5]);
        assert_eq!(turns(25), [1; 25]);
    }
}
