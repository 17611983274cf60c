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

    /// Whether there is time to replace one of `lanes` lanes.
    pub(super) fn allows(&self, lanes: usize) -> bool {
        self.saved >= share(lanes)
    }

    /// Takes the time for replacing one of `lanes` lanes, or what is left of it.
    pub(super) fn take(&mut self, lanes: usize) {
        self.saved = self.saved.saturating_sub(share(lanes));
    }
}

/// The time that replacing one of `lanes` lanes takes.
fn share(lanes: usize) -> Duration {
    REPLACED_IN / u32::try_from(lanes).unwrap_or(u32::MAX).max(1)
}

/// The number of the lane that is to be drawn next, in the place of `replaced` if it is given; `None` if no lane is.
/// One that is to be drawn first comes first, then a request of a route that is not drawn, then one of a path that is
/// not drawn, then the newest. So the one request that differs is drawn among thousands that are alike. An older
/// lane replaces a newer one only if the older one is to be drawn first and the newer is not, or if the newer one is
/// over and the older is not.
pub(super) fn next(
    waiting: &BTreeMap<u64, Lane>,
    drawn: &BTreeMap<u64, Lane>,
    replaced: Option<&Lane>,
) -> Option<u64> {
    if waiting.is_empty() {
        return None;
    }
    let routes: HashSet<_> = drawn.values().map(route).collect();
    let paths: HashSet<_> = drawn.values().map(|lane| lane.path.as_str()).collect();
    let rank = |lane: &Lane| {
        let is_new_route = !routes.contains(&route(lane));
        let is_new_path = !paths.contains(lane.path.as_str());
        (lane.is_first, is_new_route, is_new_path, lane.number)
    };
    let may_replace = |lane: &&Lane| {
        replaced.is_none_or(|replaced| {
            let is_preferred = lane.is_first && !replaced.is_first;
            let goes_on = lane.ended.is_none() && replaced.ended.is_some();
            goes_on || is_preferred || lane.number > replaced.number
        })
    };
    let candidates = waiting.values().filter(may_replace);
    let best = candidates.max_by_key(|lane| rank(lane))?;
    Some(best.number)
}

/// The lane that the next one replaces: the oldest that has ended, or else the oldest that is open, or else the oldest
/// that is kept. A lane that was to be drawn first is kept while it is open, and for a while after its end.
pub(super) fn replaced(drawn: &BTreeMap<u64, Lane>, now: Duration) -> Option<&Lane> {
    let is_recent = |ended: Duration| now.saturating_sub(ended) < REPLACED_IN;
    let rank = |lane: &Lane| {
        let is_kept = lane.is_first && lane.ended.is_none_or(is_recent);
        (is_kept, lane.ended.is_none(), lane.number)
    };
    drawn.values().min_by_key(|lane| rank(lane))
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
        let take = |pace: &mut Pace| {
            let mut taken = 0;
            while pace.allows(100) {
                pace.take(100);
                taken += 1;
            }
            taken
        };
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
        let lane = |number, route: &str, path: &str, is_first| {
            let mut lane = Lane::new(number, 0, ms(number));
            (lane.route, lane.path) = (route.to_owned(), path.to_owned());
            lane.is_first = is_first;
            (number, lane)
        };
        let mut drawn = BTreeMap::from([lane(1, "/many", "/many", false)]);
        let mut waiting = BTreeMap::from([
            lane(2, "/many", "/many", true),
            lane(3, "/other", "/other", false),
            lane(4, "/many", "/many?x=1", false),
            lane(5, "/many", "/many", false),
            lane(6, "/many", "/many", false),
        ]);
        let mut order = Vec::new();
        while let Some(number) = next(&waiting, &drawn, None) {
            order.push(number);
            drawn.extend(waiting.remove_entry(&number));
        }
        assert_eq!(order, [2, 3, 4, 6, 5]);
    }

    #[test]
    fn what_is_over_is_replaced_first_and_what_was_drawn_first_is_replaced_last() {
        let lane = |number, ended, is_first| {
            let mut lane = Lane::new(number, 0, ms(number));
            (lane.ended, lane.is_first) = (ended, is_first);
            (number, lane)
        };
        let all = BTreeMap::from([
            lane(1, None, true),
            lane(2, None, false),
            lane(3, None, false),
            lane(4, Some(ms(9)), true),
            lane(5, Some(ms(9)), false),
        ]);
        let order = |now| {
            let (mut drawn, mut order) = (all.clone(), Vec::new());
            while let Some(number) = replaced(&drawn, now).map(|lane| lane.number) {
                order.push(number);
                drawn.remove(&number);
            }
            order
        };
        assert_eq!(order(ms(5008)), [5, 2, 3, 4, 1]);
        assert_eq!(order(ms(5009)), [4, 5, 2, 3, 1]);
    }

    #[test]
    fn an_older_lane_replaces_one_that_is_over_if_it_goes_on_itself() {
        let lane = |number, is_first| {
            let mut lane = Lane::new(number, 0, ms(number));
            lane.is_first = is_first;
            lane
        };
        let waiting = |lane: Lane| BTreeMap::from([(lane.number, lane)]);
        let next = |lane, replaced| next(&waiting(lane), &BTreeMap::new(), Some(&replaced));
        assert_eq!(next(lane(1, false), lane(2, false)), None);
        assert_eq!(next(lane(3, false), lane(2, false)), Some(3));
        assert_eq!(next(lane(1, true), lane(2, false)), Some(1));
        assert_eq!(next(lane(1, true), lane(2, true)), None);
        let mut over = lane(2, false);
        over.ended = Some(ms(9));
        assert_eq!(next(lane(1, false), over.clone()), Some(1));
        let mut over_before = lane(1, false);
        over_before.ended = Some(ms(8));
        assert_eq!(next(over_before, over), None);
    }
}
