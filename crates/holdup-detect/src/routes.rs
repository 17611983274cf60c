//! The routes of a worker. The hot path uses small numbers; names are used when a hold is published.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// The most routes that one worker distinguishes. Apps have fewer; the bound limits memory if one does not.
const ROUTES: usize = 512;

/// The pattern of all routes beyond the bound.
pub(crate) const OTHER_ROUTES: &str = "other routes";

/// A route: a method and a path pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// The method: one of the HTTP standard's, or `OTHER`, because clients may send any number of invented
    /// methods.
    pub method: &'static str,
    /// The path pattern, such as `/users/{id}`.
    pub pattern: String,
}

/// One worker's routes. Only the worker writes them, any thread may read them, and none of them waits.
#[derive(Debug)]
pub(crate) struct Routes {
    names: Box<[OnceLock<Route>]>,
    /// For each route, how many requests are over that lost no time. The last one is for all other routes.
    unharmed: Box<[AtomicU64]>,
}

impl Routes {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            names: (0..ROUTES).map(|_| OnceLock::new()).collect(),
            unharmed: (0..=ROUTES).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// All routes that are known so far.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Route> {
        self.names.iter().map_while(OnceLock::get)
    }

    /// Counts a request that is over and lost no time. Only the worker calls this.
    #[inline]
    pub(crate) fn count_unharmed(&self, number: NonZeroU32) {
        if let Some(count) = self.unharmed.get(number.get() as usize - 1) {
            count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// How many requests of each route are over that lost no time. Routes without any are left out.
    pub(crate) fn unharmed(&self) -> impl Iterator<Item = (Route, u64)> {
        let known = self.all().count();
        let numbers = (0..known).chain([ROUTES]);
        numbers.filter_map(|index| {
            let requests = self.unharmed.get(index)?.load(Ordering::Relaxed);
            let number = NonZeroU32::MIN.saturating_add(u32::try_from(index).ok()?);
            (requests > 0).then(|| (self.get(number), requests))
        })
    }

    /// The route with this number.
    pub(crate) fn get(&self, number: NonZeroU32) -> Route {
        let route = self
            .names
            .get(number.get() as usize - 1)
            .and_then(OnceLock::get);
        let other = || Route {
            method: "OTHER",
            pattern: OTHER_ROUTES.to_owned(),
        };
        route.cloned().unwrap_or_else(other)
    }
}

/// Assigns numbers to one worker's routes.
#[derive(Debug)]
pub(crate) struct Names {
    routes: Arc<Routes>,
    numbers: HashMap<Route, NonZeroU32>,
}

impl Names {
    pub(crate) fn new(routes: Arc<Routes>) -> Self {
        Self {
            routes,
            numbers: HashMap::new(),
        }
    }

    /// The route's number. Numbers start at 1.
    pub(crate) fn number(&mut self, route: Route) -> NonZeroU32 {
        if let Some(&number) = self.numbers.get(&route) {
            return number;
        }
        let next = self.numbers.len();
        // All routes beyond the bound share the number after the last one.
        let number = u32::try_from(next.min(ROUTES)).unwrap_or(u32::MAX - 1);
        let number = NonZeroU32::MIN.saturating_add(number);
        if let Some(free) = self.routes.names.get(next) {
            free.set(route.clone()).ok();
            self.numbers.insert(route, number);
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_beyond_the_bound_share_a_name() {
        let routes = Routes::new();
        let mut names = Names::new(Arc::clone(&routes));
        let route = |k: usize| Route {
            method: "GET",
            pattern: format!("/{k}"),
        };
        for k in 0..ROUTES + 10 {
            let number = names.number(route(k));
            assert_eq!(number.get() as usize, k.min(ROUTES) + 1);
        }
        for k in [3, ROUTES + 3, ROUTES + 4] {
            routes.count_unharmed(names.number(route(k)));
        }
        let unharmed: Vec<_> = routes.unharmed().collect();
        let other = Route {
            method: "OTHER",
            pattern: "other routes".to_owned(),
        };
        assert_eq!(unharmed, [(route(3), 1), (other, 2)]);
        let known = names.number(route(3));
        assert_eq!(routes.get(known), route(3));
        let beyond = names.number(route(ROUTES + 3));
        assert_eq!(routes.get(beyond).pattern, "other routes");
    }
}
