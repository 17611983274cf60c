//! Where requests wait without holding a worker, as the console's `/waits` lists it: `{"waits": […]}`, with the
//! keys of [`InsideWait`].

use std::time::Duration;

use serde::Deserialize;

use super::found::InsideWait;
use super::text::clean;

/// The most places that are kept.
const MOST: usize = 256;

/// The largest answer that is read.
pub(super) const MOST_BYTES: usize = 1024 * 1024;

/// The longest wait that is believed, in milliseconds: a year.
const LONGEST: f64 = 365.0 * 24.0 * 3600e3;

/// The places so far.
#[derive(Debug, Default)]
pub(super) struct Waits(Vec<InsideWait>);

impl Waits {
    /// Adds an answer of `/waits`. Returns whether it is one.
    pub(super) fn add(&mut self, answer: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Answer {
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
        }
        let Ok(Answer { waits }) = serde_json::from_slice(answer) else {
            return false;
        };
        for wait in waits {
            if (0.0..=LONGEST).contains(&wait.longest_ms) {
                self.merge(InsideWait {
                    route: clean(&wait.route),
                    line: wait.line.as_deref().map(clean),
                    within: wait.within.as_deref().map(clean),
                    requests: wait.requests,
                    longest: Duration::from_secs_f64(wait.longest_ms / 1e3),
                });
            }
        }
        true
    }

    fn merge(&mut self, wait: InsideWait) {
        let is_same = |known: &&mut InsideWait| {
            (&known.route, &known.line, &known.within) == (&wait.route, &wait.line, &wait.within)
        };
        if let Some(known) = self.0.iter_mut().find(is_same) {
            known.requests = known.requests.max(wait.requests);
            known.longest = known.longest.max(wait.longest);
            return;
        }
        self.0.push(wait);
        if self.0.len() > MOST {
            let waits = self.0.iter().enumerate();
            let shortest = waits.min_by_key(|(_, wait)| wait.longest);
            if let Some(shortest) = shortest.map(|(index, _)| index) {
                self.0.swap_remove(shortest);
            }
        }
    }

    /// All of them, the longest wait first.
    pub(super) fn all(self) -> Vec<InsideWait> {
        let mut waits = self.0;
        waits.sort_by(|one, other| {
            let longest_first = other.longest.cmp(&one.longest);
            longest_first.then_with(|| one.route.cmp(&other.route))
        });
        waits
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
        let all: Vec<_> = waits.all();
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
        for bad in ["", "[]", "{}", "<html>", "{\"waits\":[{}]}"] {
            assert!(!waits.add(bad.as_bytes()), "{bad}");
        }
        assert!(waits.add(&answer("/a", 1, -1.0)));
        assert!(waits.add(&answer("/a", 1, 1e300)));
        assert!(waits.0.is_empty());
        for n in 0..1000 {
            waits.add(&answer(&format!("/{n}"), 1, f64::from(n)));
        }
        let all = waits.all();
        assert_eq!((all.len(), all[0].route.as_str()), (MOST, "/999"));
        assert_eq!(all[MOST - 1].route, "/744");
    }
}
