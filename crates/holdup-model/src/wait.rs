//! Where requests wait, and how many wait there.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AwaitPoint, OpenRequest, RequestState, RouteName, millis};

/// The most numbers of requests that one [`Wait`] lists.
pub const MAX_NUMBERS: usize = 100;

/// An await point and the requests that wait there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Wait {
    /// The await point. All that wait there have the same line and wait in the same function; the stack is that
    /// of the request that has waited longest. `None` for requests of which it is not known where they wait.
    pub point: Option<AwaitPoint>,
    /// How many requests wait there.
    pub requests: usize,
    /// The longest time that one of them has waited.
    #[serde(rename = "longest_ms", with = "millis")]
    pub longest: Duration,
    /// Their routes, each with how many of them wait there, the most frequent first.
    #[serde(with = "routes")]
    pub routes: Vec<(RouteName, usize)>,
    /// The [numbers](OpenRequest::number) of those that have waited longest: at most [`MAX_NUMBERS`].
    pub numbers: Vec<u64>,
}

/// As JSON, each route is an object with its `route` and its `requests`.
mod routes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::RouteName;

    #[derive(Serialize)]
    struct Count<'a> {
        route: &'a RouteName,
        requests: usize,
    }

    #[derive(Deserialize)]
    struct Read {
        route: RouteName,
        requests: usize,
    }

    pub(super) fn serialize<S: Serializer>(
        routes: &[(RouteName, usize)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let count = |&(ref route, requests)| Count { route, requests };
        to.collect_seq(routes.iter().map(count))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<(RouteName, usize)>, D::Error> {
        let read = Vec::<Read>::deserialize(from)?.into_iter();
        Ok(read
            .map(|Read { route, requests }| (route, requests))
            .collect())
    }
}

/// Groups the requests that have waited for at least `min_age` by where they wait: first where most requests
/// wait, and of those, where one has waited longest. `now` is the time at which `requests` were read, on the
/// watch's clock.
///
/// A request that waits for several things at a time is counted at each of them.
pub fn waits(requests: &[OpenRequest], now: Duration, min_age: Duration) -> Vec<Wait> {
    let mut waits: Vec<Wait> = Vec::new();
    let mut routes: Vec<HashMap<(&str, &str), usize>> = Vec::new();
    let mut known: HashMap<Option<Key<'_>>, usize> = HashMap::new();
    let mut waiting: Vec<_> = requests
        .iter()
        .filter_map(|request| match &request.state {
            RequestState::Waiting { since, at } => Some((*since, request, at)),
            _ => None,
        })
        .filter(|(since, ..)| now.saturating_sub(*since) >= min_age)
        .collect();
    waiting.sort_by_key(|(since, request, _)| (*since, request.number));
    for (since, request, at) in waiting {
        let mut places: Vec<_> = at.iter().map(Some).collect();
        if places.is_empty() {
            places.push(None);
        }
        let mut counted = Vec::new();
        for point in places {
            let key = point.map(key);
            if counted.contains(&key) {
                continue;
            }
            counted.push(key);
            let index = *known.entry(key).or_insert_with(|| {
                waits.push(Wait {
                    point: point.cloned(),
                    requests: 0,
                    longest: now.saturating_sub(since),
                    routes: Vec::new(),
                    numbers: Vec::new(),
                });
                routes.push(HashMap::new());
                waits.len() - 1
            });
            let wait = &mut waits[index];
            wait.requests += 1;
            if wait.numbers.len() < MAX_NUMBERS {
                wait.numbers.push(request.number);
            }
            let route = (request.method.as_str(), request.route.as_str());
            *routes[index].entry(route).or_default() += 1;
        }
    }
    for (wait, routes) in waits.iter_mut().zip(routes) {
        let named = |((method, route), requests): ((&str, &str), _)| {
            (RouteName::new(method, route), requests)
        };
        wait.routes = routes.into_iter().map(named).collect();
        wait.routes
            .sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    }
    waits.sort_by(|one, other| {
        let most_first = other.requests.cmp(&one.requests);
        most_first.then_with(|| other.longest.cmp(&one.longest))
    });
    waits
}

/// What requests that wait at the same place share.
type Key<'a> = (
    Option<(&'a str, Option<&'a str>, Option<u32>)>,
    Option<&'a str>,
);

fn key(point: &AwaitPoint) -> Key<'_> {
    let line = point.line.as_ref();
    let line = line.map(|line| (line.function.as_str(), line.file.as_deref(), line.line));
    (line, point.within.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Line;

    #[test]
    fn requests_that_wait_at_the_same_line_in_the_same_function_are_one_wait() {
        let ms = Duration::from_millis;
        let at = |line: u32, within: &str| {
            let mut place = Line::new("app::report");
            place.line = Some(line);
            AwaitPoint::new(Some(place), Some(within.to_owned()), Vec::new())
        };
        let waiting = |number, route: &str, since, at: Vec<AwaitPoint>| {
            let since = ms(since);
            let state = RequestState::Waiting { since, at };
            OpenRequest::new(number, 0, RouteName::new("GET", route), ms(0), state)
        };
        let running = RequestState::Running { since: ms(0) };
        let requests = [
            waiting(1, "/a", 300, vec![at(12, "tokio::sync::Mutex::lock")]),
            waiting(2, "/b", 100, vec![at(12, "tokio::sync::Mutex::lock")]),
            // It waits for the lock twice, as in a `join!`, and for a sleep.
            waiting(
                3,
                "/a",
                200,
                vec![
                    at(12, "tokio::sync::Mutex::lock"),
                    at(12, "tokio::sync::Mutex::lock"),
                    at(14, "tokio::time::sleep"),
                ],
            ),
            waiting(4, "/c", 250, vec![]),
            waiting(5, "/c", 390, vec![]),
            OpenRequest::new(6, 0, RouteName::new("GET", "/d"), ms(0), running),
        ];
        let waits = waits(&requests, ms(400), ms(50));
        let told: Vec<_> = waits
            .iter()
            .map(|wait| {
                let point = wait.point.as_ref().map(ToString::to_string);
                let routes: Vec<_> = wait
                    .routes
                    .iter()
                    .map(|(route, n)| format!("{route} {n}"))
                    .collect();
                (
                    point.unwrap_or_default(),
                    wait.requests,
                    wait.longest,
                    routes.join(", "),
                    wait.numbers.clone(),
                )
            })
            .collect();
        let lock = "app::report (no line tables), in tokio::sync::Mutex::lock";
        let sleep = "app::report (no line tables), in tokio::time::sleep";
        assert_eq!(
            told,
            [
                (
                    lock.to_owned(),
                    3,
                    ms(300),
                    "GET /a 2, GET /b 1".to_owned(),
                    vec![2, 3, 1]
                ),
                (sleep.to_owned(), 1, ms(200), "GET /a 1".to_owned(), vec![3]),
                (String::new(), 1, ms(150), "GET /c 1".to_owned(), vec![4]),
            ]
        );
    }
}
