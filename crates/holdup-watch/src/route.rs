//! Which route a request belongs to: a small number on the hot path, a name when it is told.

use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZeroU32;
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
    pub(super) fn get(&self, number: NonZeroU32) -> Route {
        let route = self
            .0
            .get(number.get() as usize - 1)
            .and_then(OnceLock::get);
        let other = || Route {
            method: "OTHER",
            pattern: "other routes".to_owned(),
        };
        route.cloned().unwrap_or_else(other)
    }
}

/// The routes that one service leads to, by path. Another service may have other routes at the same
/// paths.
///
/// A path is the one by which actix looks for the route: percent-decoded, except for what would
/// change its segments.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// For each path, the numbers by method.
    known: HashMap<Box<str>, [Option<NonZeroU32>; METHODS.len()], foldhash::fast::RandomState>,
}

impl Paths {
    /// The number of the request's route.
    pub(super) fn number(
        &mut self,
        request: &ServiceRequest,
        names: &RefCell<Names>,
    ) -> NonZeroU32 {
        let method = standard(request.method());
        if let Some(known) = self.known.get(request.match_info().as_str())
            && let Some(number) = known[method]
        {
            return number;
        }
        self.learn(request, method, &mut names.borrow_mut())
    }

    #[cold]
    fn learn(&mut self, request: &ServiceRequest, method: usize, names: &mut Names) -> NonZeroU32 {
        let path = request.match_info().as_str();
        let pattern = if path == request.path() {
            request.match_pattern()
        } else {
            // `ServiceRequest::match_pattern` looks for the path as it came.
            request.resource_map().match_pattern(path)
        };
        let number = names.number(Route {
            method: METHODS[method],
            pattern: pattern.unwrap_or_else(|| UNMATCHED.to_owned()),
        });
        if path.len() <= PATH_LENGTH {
            if self.known.len() >= PATHS {
                self.known.clear();
            }
            self.known.entry(path.into()).or_default()[method] = Some(number);
        }
        number
    }
}

/// Gives one worker's routes their numbers.
#[derive(Debug)]
pub(super) struct Names {
    routes: Arc<Routes>,
    numbers: HashMap<Route, NonZeroU32>,
}

impl Names {
    pub(super) fn new(routes: Arc<Routes>) -> Self {
        Self {
            routes,
            numbers: HashMap::new(),
        }
    }

    /// The route's number, from 1.
    fn number(&mut self, route: Route) -> NonZeroU32 {
        if let Some(&number) = self.numbers.get(&route) {
            return number;
        }
        let next = self.numbers.len();
        // One past the last is the number of all the routes beyond the bound.
        let number = u32::try_from(next.min(ROUTES)).unwrap_or(u32::MAX - 1);
        let number = NonZeroU32::MIN.saturating_add(number);
        if let Some(free) = self.routes.0.get(next) {
            free.set(route.clone()).ok();
            self.numbers.insert(route, number);
        }
        number
    }
}

/// The methods of the standard. Clients can invent others without end; they share a name.
const METHODS: [&str; 10] = [
    "OTHER", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

/// The method's place among [`METHODS`].
fn standard(method: &Method) -> usize {
    match *method {
        Method::GET => 1,
        Method::HEAD => 2,
        Method::POST => 3,
        Method::PUT => 4,
        Method::DELETE => 5,
        Method::CONNECT => 6,
        Method::OPTIONS => 7,
        Method::TRACE => 8,
        Method::PATCH => 9,
        _ => 0,
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
        let known = names.number(route(3));
        assert_eq!(routes.get(known), route(3));
        let beyond = names.number(route(ROUTES + 3));
        assert_eq!(routes.get(beyond).pattern, "other routes");
    }

    #[test]
    fn methods_are_named_by_their_place() {
        for (place, name) in METHODS.iter().enumerate() {
            let method = Method::from_bytes(name.as_bytes()).expect("a method");
            assert_eq!(standard(&method), place);
        }
    }
}
