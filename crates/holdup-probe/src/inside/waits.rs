//! Where requests wait without holding a worker, as the console's `/waits` lists it.

use std::time::Duration;

use serde::Deserialize;

use super::found::{InsideWait, Place, Waiting};
use super::messages::WatchTime;
use super::open::VERSION;
use super::text::clean;

/// The most places that are kept.
const MOST: usize = 256;

/// The longest wait that is believed, in milliseconds: a year.
const LONGEST: f64 = 365.0 * 24.0 * 3600e3;

/// The most looks that are kept: those of more than an hour.
const MOST_LOOKS: usize = 4096;

/// The most places and routes that are kept of one look, those at which most requests wait.
const MOST_OF_LOOK: usize = 32;

/// The most numbers of requests that are kept of one place.
const MOST_NUMBERS: usize = 100;

/// The places so far, and who waited there at which time.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// With when each of them was seen last.
    places: Vec<(InsideWait, WatchTime)>,
    looks: Vec<(WatchTime, Vec<Waiting>)>,
}

#[derive(Deserialize)]
struct Versioned {
    schema: serde_json::Value,
}

#[derive(Deserialize)]
struct Answer {
    now_ms: Option<f64>,
    waits: Vec<Wait>,
}

#[derive(Deserialize)]
struct Wait {
    route: String,
    line: Option<String>,
    #[serde(rename = "in")]
    within: Option<String>,
    requests: usize,
    longest_ms: f64,
    #[serde(default)]
    routes: Vec<Route>,
    #[serde(default)]
    numbers: Vec<u64>,
    point: Option<Point>,
}

#[derive(Deserialize)]
struct Route {
    route: String,
    requests: usize,
}

#[derive(Deserialize)]
struct Point {
    line: Option<SourceLine>,
}

#[derive(Deserialize)]
struct SourceLine {
    file: Option<String>,
    line: Option<u32>,
}

impl Waits {
    /// Adds an answer of `/waits`. Returns whether the next one may be of use: not if this one is of another version.
    /// One that cannot be read may have broken off.
    pub(super) fn add(&mut self, answer: &[u8]) -> bool {
        let version = serde_json::from_slice(answer).map(|Versioned { schema }| schema);
        if version.is_ok_and(|version| version != VERSION) {
            return false;
        }
        let Ok(Answer { now_ms, mut waits }) = serde_json::from_slice(answer) else {
            return true;
        };
        waits.retain(|wait| (0.0..=LONGEST).contains(&wait.longest_ms));
        let now = now_ms.filter(|now| (0.0..=LONGEST).contains(now));
        let now = now.map(|now| (now * 1e3).round() as WatchTime);
        if let Some(now) = now {
            self.look(now, &waits);
        }
        for wait in waits {
            let Place { line, within } = wait.place();
            let wait = InsideWait {
                route: clean(&wait.route),
                line,
                within,
                requests: wait.requests,
                longest: Duration::from_secs_f64(wait.longest_ms / 1e3),
            };
            self.merge(wait, now.unwrap_or(WatchTime::MAX));
        }
        true
    }

    /// Keeps who waits where at this time. A console may answer with the same look several times.
    fn look(&mut self, now: WatchTime, waits: &[Wait]) {
        let is_new = self.looks.last().is_none_or(|(last, _)| *last < now);
        if !is_new || self.looks.len() >= MOST_LOOKS {
            return;
        }
        let mut waiting: Vec<_> = waits.iter().flat_map(Wait::by_route).collect();
        waiting.sort_by_key(|waiting| std::cmp::Reverse(waiting.requests));
        waiting.truncate(MOST_OF_LOOK);
        self.looks.push((now, waiting));
    }

    fn merge(&mut self, wait: InsideWait, seen: WatchTime) {
        let is_same = |(known, _): &&mut (InsideWait, WatchTime)| {
            (&known.route, &known.line, &known.within) == (&wait.route, &wait.line, &wait.within)
        };
        if let Some((known, last)) = self.places.iter_mut().find(is_same) {
            *last = seen.max(*last);
            known.requests = known.requests.max(wait.requests);
            known.longest = known.longest.max(wait.longest);
            return;
        }
        self.places.push((wait, seen));
        if self.places.len() > MOST {
            let waits = self.places.iter().enumerate();
            let shortest = waits.min_by_key(|(_, (wait, _))| wait.longest);
            if let Some(shortest) = shortest.map(|(index, _)| index) {
                self.places.swap_remove(shortest);
            }
        }
    }

    /// All places at which requests were seen since `since`, the longest wait first, and who waited there at which
    /// time. The first answer of a console may be a look from before.
    pub(super) fn all(self, since: WatchTime) -> (Vec<InsideWait>, Vec<(WatchTime, Vec<Waiting>)>) {
        let places = self.places.into_iter();
        let places = places.filter_map(|(wait, seen)| (seen >= since).then_some(wait));
        let mut waits: Vec<_> = places.collect();
        waits.sort_by(|one, other| {
            let longest_first = other.longest.cmp(&one.longest);
            longest_first.then_with(|| one.route.cmp(&other.route))
        });
        (waits, self.looks)
    }
}

impl Wait {
    /// Where it is. A line is named by its file, as those of holds are, if the file is known.
    fn place(&self) -> Place {
        let point = self.point.as_ref().and_then(|point| point.line.as_ref());
        let line = point.and_then(|line| match (&line.file, line.line) {
            (Some(file), Some(number)) => Some(format!("{file}:{number}")),
            (file, _) => file.clone(),
        });
        let line = line.as_ref().or(self.line.as_ref());
        Place {
            line: line.map(|line| clean(line)),
            within: self.within.as_deref().map(clean),
        }
    }

    /// The requests of each route that wait here.
    fn by_route(&self) -> Vec<Waiting> {
        let place = self.place();
        let numbers = self.numbers.iter().take(MOST_NUMBERS).copied();
        let numbers: Vec<_> = numbers.collect();
        let waiting = |route: &str, requests| Waiting {
            route: clean(route),
            place: place.clone(),
            requests,
            numbers: numbers.clone(),
        };
        if self.routes.is_empty() {
            return vec![waiting(&self.route, self.requests)];
        }
        let routes = self.routes.iter().take(MOST_OF_LOOK);
        routes.map(|of| waiting(&of.route, of.requests)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(route: &str, requests: u32, longest: f64) -> Vec<u8> {
        let wait = json!({
            "route": route, "line": "src/a.rs:1", "in": "tokio::sync::Mutex::lock",
            "requests": requests, "longest_ms": longest, "new": 1,
        });
        json!({ "waits": [wait], "new": 1 })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn looks_at_one_place_are_one_place() {
        let mut waits = Waits::default();
        assert!(waits.add(&answer("/a", 3, 100.0)));
        assert!(waits.add(&answer("/b", 1, 250.5)));
        assert!(waits.add(&answer("/a", 2, 400.0)));
        let (all, _) = waits.all(0);
        let all = all
            .iter()
            .map(|w| (w.route.as_str(), w.requests, w.longest.as_micros()));
        assert_eq!(
            all.collect::<Vec<_>>(),
            [("/a", 3, 400_000), ("/b", 1, 250_500)]
        );
    }

    #[test]
    fn what_is_no_answer_is_not_used_and_the_longest_are_kept() {
        let mut waits = Waits::default();
        for bad in [
            "",
            "[]",
            "{}",
            "<html>",
            "{\"waits\":[{}]}",
            "{\"schema\":1,",
        ] {
            assert!(waits.add(bad.as_bytes()), "the next one may be good: {bad}");
        }
        for other in ["{\"schema\":2,\"waits\":[]}", "{\"schema\":\"a\"}"] {
            assert!(!waits.add(other.as_bytes()), "{other}");
        }
        assert!(waits.add(&answer("/a", 1, -1.0)));
        assert!(waits.add(&answer("/a", 1, 1e300)));
        assert!(waits.places.is_empty());
        for n in 0..1000 {
            waits.add(&answer(&format!("/{n}"), 1, f64::from(n)));
        }
        let (all, _) = waits.all(0);
        assert_eq!((all.len(), all[0].route.as_str()), (MOST, "/999"));
        assert_eq!(all[MOST - 1].route, "/744");
    }

    #[test]
    fn a_look_has_the_requests_of_each_route_at_each_place_once() {
        let mut waits = Waits::default();
        let answer = |now: f64| {
            let point = json!({ "line": { "function": "app::a", "file": "src/a.rs", "line": 12 } });
            let wait = json!({
                "route": "GET /a", "line": "app::a (src/a.rs:12)", "in": "tokio::sync::Mutex::lock",
                "requests": 3, "longest_ms": 1, "numbers": [4, 5, 6], "point": point,
                "routes": [{ "route": "GET /a", "requests": 2 }, { "route": "GET /b", "requests": 1 }],
            });
            json!({ "now_ms": now, "waits": [wait] })
                .to_string()
                .into_bytes()
        };
        for now in [1500.25, 1500.25, 2600.0] {
            assert!(waits.add(&answer(now)));
        }
        let later = Waits {
            places: waits.places.clone(),
            looks: Vec::new(),
        };
        assert!(later.all(2_600_001).0.is_empty(), "from before");
        let (places, looks) = waits.all(2_600_000);
        assert_eq!(places[0].line.as_deref(), Some("src/a.rs:12"));
        let times: Vec<_> = looks.iter().map(|(time, _)| *time).collect();
        assert_eq!(times, [1_500_250, 2_600_000]);
        let seen = |waiting: &Waiting| {
            let line = waiting.place.line.clone();
            (
                waiting.route.clone(),
                line,
                waiting.requests,
                waiting.numbers.len(),
            )
        };
        let seen: Vec<_> = looks[0].1.iter().map(seen).collect();
        let line = Some("src/a.rs:12".to_owned());
        assert_eq!(
            seen,
            [
                ("GET /a".to_owned(), line.clone(), 2, 3),
                ("GET /b".to_owned(), line, 1, 3)
            ]
        );
    }
}
