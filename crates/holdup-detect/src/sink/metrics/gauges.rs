//! Gauges to which several watches add. Each watch sets what it knows; the gauge shows all of them together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::routes::OTHER_ROUTES;

/// The most routes that are told apart, of all watches together.
const ROUTES: usize = 1024;

/// What one watch knows, or all together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    pub(super) workers: usize,
    pub(super) held: usize,
    pub(super) open: usize,
    /// How long the longest hold of each route has lasted that lasts now; zero for a route that has had one before.
    pub(super) current: BTreeMap<String, Duration>,
}

/// The watches that share a recorder.
#[derive(Debug, Clone, Default)]
struct Watches(Arc<Mutex<All>>);

#[derive(Debug, Default)]
struct All {
    next: u64,
    known: BTreeMap<u64, Known>,
    /// The routes that have had a hold.
    routes: BTreeSet<String>,
}

/// The place of one watch. It is given up when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    watches: Watches,
    number: u64,
}

impl Place {
    /// A place beside all other watches of the process that use the installed recorder.
    pub(super) fn beside_others() -> Self {
        static INSTALLED: LazyLock<Watches> = LazyLock::new(Watches::default);
        Self::among(&INSTALLED)
    }

    /// A place for the only watch that uses a recorder.
    pub(super) fn alone() -> Self {
        Self::among(&Watches::default())
    }

    fn among(watches: &Watches) -> Self {
        let mut all = watches.lock();
        all.next += 1;
        let number = all.next;
        all.known.insert(number, Known::default());
        drop(all);
        Self {
            watches: watches.clone(),
            number,
        }
    }

    /// Sets what this watch knows, and calls `show` with what all watches know together. They are still locked then, so
    /// that no watch shows an older sum after a newer one.
    pub(super) fn set(&self, mut known: Known, show: impl FnOnce(&Known)) {
        let mut all = self.watches.lock();
        known.current = all.bounded(known.current);
        all.known.insert(self.number, known);
        show(&all.together());
    }

    /// Gives up the place, and calls `show` with what the other watches know together.
    pub(super) fn leave(&self, show: impl FnOnce(&Known)) {
        let mut all = self.watches.lock();
        all.known.remove(&self.number);
        show(&all.together());
    }
}

impl All {
    /// The same with routes that are told apart.
    fn bounded(&mut self, current: BTreeMap<String, Duration>) -> BTreeMap<String, Duration> {
        let mut bounded = BTreeMap::new();
        for (mut route, time) in current {
            if self.routes.len() >= ROUTES && !self.routes.contains(&route) {
                OTHER_ROUTES.clone_into(&mut route);
            }
            self.routes.insert(route.clone());
            let longest: &mut Duration = bounded.entry(route).or_default();
            *longest = time.max(*longest);
        }
        bounded
    }

    fn together(&self) -> Known {
        let zero = |route: &String| (route.clone(), Duration::ZERO);
        let mut sum = Known {
            current: self.routes.iter().map(zero).collect(),
            ..Known::default()
        };
        for known in self.known.values() {
            sum.workers += known.workers;
            sum.held += known.held;
            sum.open += known.open;
            for (route, &time) in &known.current {
                let longest = sum.current.entry(route.clone()).or_default();
                *longest = time.max(*longest);
            }
        }
        sum
    }
}

impl Watches {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave(|_| ());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets what one watch knows. Returns what is shown.
    fn set(place: &Place, known: Known) -> Known {
        let mut shown = None;
        place.set(known, |all| shown = Some(all.clone()));
        shown.expect("it is shown at once")
    }

    fn leave(place: &Place) -> Known {
        let mut shown = None;
        place.leave(|all| shown = Some(all.clone()));
        shown.expect("it is shown at once")
    }

    #[test]
    fn watches_add_up_and_take_back_what_they_added() {
        let watches = Watches::default();
        let (one, other) = (Place::among(&watches), Place::among(&watches));
        let known = |workers, held, seconds| Known {
            workers,
            held,
            open: 10 * workers,
            current: BTreeMap::from([("GET /a".to_owned(), Duration::from_secs(seconds))]),
        };
        set(&one, known(2, 1, 5));
        assert_eq!(set(&other, known(4, 2, 3)), known(6, 3, 5));
        assert_eq!(set(&one, known(2, 0, 0)), known(6, 2, 3));
        assert_eq!(set(&other, known(3, 2, 4)), known(5, 2, 4));
        assert_eq!(leave(&other), known(2, 0, 0), "the route stays, at zero");
        drop(other);
        let another = Place::among(&watches);
        drop(one);
        assert_eq!(set(&another, Known::default()).workers, 0);
    }

    #[test]
    fn routes_of_many_watches_are_bounded() {
        let watches = Watches::default();
        let mut last = Known::default();
        for number in 0..ROUTES as u64 * 2 {
            let time = Duration::from_secs(number);
            let current = BTreeMap::from([(format!("GET /{number}"), time)]);
            let known = Known {
                current,
                ..Known::default()
            };
            last = set(&Place::among(&watches), known);
        }
        assert_eq!(last.current.len(), ROUTES + 1);
        assert_eq!(last.current[OTHER_ROUTES].as_secs(), ROUTES as u64 * 2 - 1);
    }
}
