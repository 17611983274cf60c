//! Which of the requests that have just come get a lane, when more come than can be followed by eye.
//!
//! Without a limit, each of a thousand requests a second would be drawn for a tenth of a second: nobody can read
//! that, and every reader would be sent all of it.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::lane::Lane;

/// A board that is full is replaced in this time, if requests keep coming. So in the long run each lane stays for at
/// least as long.
const REPLACED_IN: Duration = Duration::from_secs(5);

/// How many lanes may be replaced. A board that was quiet for a while may be replaced as a whole, so that a burst is
/// drawn from its newest request on.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The time that is saved up. Replacing one lane takes a lane's share of [`REPLACED_IN`].
    saved: Duration,
    at: Option<Duration>,
}

impl Pace {
    /// Applies the passing of time up to `now`.
    pub(super) fn advance(&mut self, now: Duration) {
        let passed = self.at.map_or(REPLACED_IN, |at| now.saturating_sub(at));
        self.saved = (self.saved + passed).min(REPLACED_IN);
        self.at = Some(now);
    }

    /// Takes the time for replacing one of `lanes` lanes. Returns false if there is not enough.
    pub(super) fn take(&mut self, lanes: usize) -> bool {
        let lanes = u32::try_from(lanes).unwrap_or(u32::MAX).max(1);
        let Some(rest) = self.saved.checked_sub(REPLACED_IN / lanes) else {
            return false;
        };
        self.saved = rest;
        true
    }
}

/// The number of the lane that is to be drawn next; `None` if all are. A request of a route that is not drawn comes
/// first, then one of a path that is not drawn, then the newest. So the one request that differs is drawn among
/// thousands that are alike.
pub(super) fn next(lanes: &BTreeMap<u64, Lane>) -> Option<u64> {
    let drawn = || lanes.values().filter(|lane| lane.drawn);
    let routes: HashSet<_> = drawn().map(route).collect();
    let paths: HashSet<_> = drawn().map(|lane| lane.path.as_str()).collect();
    let is_rare = |lane: &Lane| {
        let is_new_route = !routes.contains(&route(lane));
        (is_new_route, !paths.contains(lane.path.as_str()))
    };
    let candidates = lanes.values().filter(|lane| !lane.drawn);
    let best = candidates.max_by_key(|lane| (is_rare(lane), lane.number))?;
    Some(best.number)
}

fn route(lane: &Lane) -> (&str, &str) {
    (&lane.method, &lane.route)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_burst_replaces_the_board_and_a_steady_flow_replaces_it_in_five_seconds() {
        let mut pace = Pace::default();
        pace.advance(ms(100));
        let take = |pace: &mut Pace| (0..).take_while(|_| pace.take(100)).count();
        assert_eq!(take(&mut pace), 100);
        let flow = (1..=100).map(|n| {
            pace.advance(ms(100 + 50 * n));
            take(&mut pace)
        });
        assert_eq!(flow.collect::<Vec<_>>(), [1; 100]);
        pace.advance(ms(3_600_000));
        assert_eq!(take(&mut pace), 100);
    }

    #[test]
    fn what_is_rare_is_drawn_first_and_then_the_newest() {
        let lane = |number, route: &str, path: &str, drawn| {
            let mut lane = Lane::new(number, 0, ms(number));
            (lane.route, lane.path) = (route.to_owned(), path.to_owned());
            lane.drawn = drawn;
            (number, lane)
        };
        let mut lanes = BTreeMap::from([
            lane(1, "/many", "/many", true),
            lane(2, "/other", "/other", false),
            lane(3, "/many", "/many?x=1", false),
            lane(4, "/many", "/many", false),
            lane(5, "/many", "/many", false),
        ]);
        let mut order = Vec::new();
        while let Some(number) = next(&lanes) {
            order.push(number);
            lanes.get_mut(&number).expect("a lane").drawn = true;
        }
        assert_eq!(order, [2, 3, 5, 4]);
    }
}
