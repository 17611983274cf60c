//! Which route a request belongs to, as actix-web knows it.

use std::collections::HashMap;
use std::num::NonZeroU32;

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use holdup_detect::{Route, Worker};

/// The most paths whose route is remembered. Paths with identifiers in them are without number;
/// when the memory is full it starts anew.
const PATHS: usize = 1024;

/// A path longer than this is looked up each time.
const PATH_LENGTH: usize = 128;

/// The route of a request that no route matches.
const UNMATCHED: &str = "unmatched";

/// How many paths are remembered where a comparison finds them, without a search. A power of two.
const NEAR: usize = 64;

/// The routes of one service, by path. Another service may have other routes for the same paths.
///
/// The key is the path that actix matches: percent-decoded, except for characters that would change
/// its segments.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// For each path, the numbers by method.
    known: HashMap<Box<str>, [Option<NonZeroU32>; METHODS.len()], foldhash::fast::RandomState>,
    /// The latest request at each place. There are no places before the first request.
    near: Vec<Option<Near>>,
}

/// A path and a method whose route is known.
#[derive(Debug, Clone)]
struct Near {
    path: String,
    method: usize,
    number: NonZeroU32,
}

/// The place at which a path and a method are remembered. Others may share it.
fn place(path: &str, method: usize) -> usize {
    let at = |index: usize| {
        path.as_bytes()
            .get(index)
            .map_or(0, |&byte| usize::from(byte))
    };
    let (middle, last) = (path.len() / 2, path.len().wrapping_sub(1));
    (path.len() + 3 * method + 5 * at(middle) + 11 * at(last)) % NEAR
}

impl Paths {
    /// The number of the request's route.
    pub(super) fn number(&mut self, request: &ServiceRequest, worker: &Worker) -> NonZeroU32 {
        let (path, method) = (request.match_info().as_str(), standard(request.method()));
        let place = place(path, method);
        if let Some(Some(near)) = self.near.get(place)
            && near.method == method
            && near.path == path
        {
            return near.number;
        }
        self.search(request, method, worker)
    }

    #[inline(never)]
    fn search(&mut self, request: &ServiceRequest, method: usize, worker: &Worker) -> NonZeroU32 {
        let path = request.match_info().as_str();
        let known = self.known.get(path).and_then(|known| known[method]);
        let number = known.unwrap_or_else(|| self.learn(request, method, worker));
        if path.len() <= PATH_LENGTH {
            self.near.resize(NEAR, None);
            match &mut self.near[place(path, method)] {
                // Its memory is used again.
                Some(near) => {
                    near.path.clear();
                    near.path.push_str(path);
                    (near.method, near.number) = (method, number);
                }
                empty => {
                    *empty = Some(Near {
                        path: path.to_owned(),
                        method,
                        number,
                    });
                }
            }
        }
        number
    }

    #[cold]
    fn learn(&mut self, request: &ServiceRequest, method: usize, worker: &Worker) -> NonZeroU32 {
        let path = request.match_info().as_str();
        let pattern = if path == request.path() {
            request.match_pattern()
        } else {
            // `ServiceRequest::match_pattern` would match the path as it was sent, not the decoded one.
            request.resource_map().match_pattern(path)
        };
        let number = worker.route_number(Route {
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
    fn methods_are_named_by_their_place() {
        for (place, name) in METHODS.iter().enumerate() {
            let method = Method::from_bytes(name.as_bytes()).expect("a method");
            assert_eq!(standard(&method), place);
        }
    }
}
