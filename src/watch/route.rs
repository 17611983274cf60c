//! Which route a request belongs to: a small number on the hot path, a name when it is told.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;

/// The most routes that one worker tells apart. An app has fewer; the bound is against surprises.
const ROUTES: usize = 512;

/// The most paths whose route is remembered. Paths with identifiers in them are without number;
/// when the memory is full it starts anew.
const PATHS: usize = 1024;

/// A path longer than this is looked up each time.
const PATH_LENGTH: usize = 128;

/// The name of what no route matches.
const UNMATCHED: &str = "unmatched";

/// A method and a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) pattern: String,
}

/// One worker's routes: written by the worker alone, read by anybody, and nobody waits.
#[derive(Debug)]
pub(super) struct Routes(Box<[OnceLock<Route>]>);

impl Routes {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self((0..ROUTES).map(|_| OnceLock::new()).collect()))
    }

    /// The route of that number.
    pub(super) fn get(&self, number: u32) -> Route {
        let route = self.0.get(number as usize).and_then(OnceLock::get);
        let other = || Route {
            method: "OTHER",
            pattern: "other routes".to_owned(),
        };
        route.cloned().unwrap_or_else(other)
    }
}

/// Finds a request's route number, and remembers it by its path.
#[derive(Debug)]
pub(super) struct Finder {
    routes: Arc<Routes>,
    by_route: HashMap<Route, u32>,
    by_path: HashMap<Box<str>, Vec<(&'static str, u32)>, foldhash::fast::RandomState>,
}

impl Finder {
    pub(super) fn new(routes: Arc<Routes>) -> Self {
        Self {
            routes,
            by_route: HashMap::new(),
            by_path: HashMap::default(),
        }
    }

    /// The number of the request's route.
    pub(super) fn number(&mut self, request: &ServiceRequest) -> u32 {
        let method = standard(request.method());
        let path = request.path();
        if let Some(known) = self.by_path.get(path)
            && let Some(&(_, number)) = known.iter().find(|(m, _)| *m == method)
        {
            return number;
        }
        let pattern = request
            .match_pattern()
            .unwrap_or_else(|| UNMATCHED.to_owned());
        let number = self.number_of(Route { method, pattern });
        if path.len() <= PATH_LENGTH {
            if self.by_path.len() >= PATHS {
                self.by_path.clear();
            }
            self.by_path
                .entry(path.into())
                .or_default()
                .push((method, number));
        }
        number
    }

    fn number_of(&mut self, route: Route) -> u32 {
        if let Some(&number) = self.by_route.get(&route) {
            return number;
        }
        let next = self.by_route.len();
        // One past the last is the number of all the routes beyond the bound.
        let number = u32::try_from(next.min(ROUTES)).unwrap_or(u32::MAX);
        if let Some(free) = self.routes.0.get(next) {
            free.set(route.clone()).ok();
            self.by_route.insert(route, number);
        }
        number
    }
}

/// The methods of the standard by name; clients can invent others without end.
fn standard(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::CONNECT => "CONNECT",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::PATCH => "PATCH",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_beyond_the_bound_share_a_name() {
        let routes = Routes::new();
        let mut finder = Finder::new(Arc::clone(&routes));
        let route = |k: usize| Route {
            method: "GET",
            pattern: format!("/{k}"),
        };
        for k in 0..ROUTES + 10 {
            let number = finder.number_of(route(k));
            assert_eq!(number as usize, k.min(ROUTES));
        }
        assert_eq!(finder.number_of(route(3)), 3);
        assert_eq!(routes.get(3), route(3));
        assert_eq!(
            routes.get(u32::try_from(ROUTES).expect("small")).pattern,
            "other routes"
        );
    }
}
