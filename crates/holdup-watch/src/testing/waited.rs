//! Where requests waited for each other: which look shows it best, and the sentence for it.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use holdup_detect::Traced;
use holdup_model::{
    AwaitPoint, HumanDuration, Lane, OpenRequest, RequestState, RouteName, Wait, waits,
};

use super::looks::Look;

/// The most places that a sentence names where the other requests were.
const NAMED: usize = 3;

/// Where requests that were sent at once waited, at one moment. As text, these are sentences, each on a line of its
/// own.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Waited {
    /// The moment, counted from when the requests were sent.
    pub after: Duration,
    /// How many requests were sent.
    pub sent: usize,
    /// How many were asked where they waited: of those that were not over, at most 16.
    pub asked: usize,
    /// Where they waited. The first is the place at which those waited that ended last. The
    /// [numbers](Wait::numbers) say in which order they were sent, from 1.
    pub waits: Vec<Wait>,
}

impl Waited {
    /// Of several looks at requests of which only `at_a_time` ran at a time, the one that says most.
    pub(super) fn of(
        looks: &[Look],
        lanes: &[Lane],
        at_a_time: usize,
        route: &RouteName,
    ) -> Option<Self> {
        let mut names = Names {
            route,
            known: Vec::new(),
        };
        let looks = looks.iter().filter_map(|look| {
            let mut waits = names.waits(look);
            let others = others(lanes, look.after, at_a_time);
            let (first, score) = most_telling(&waits, &others)?;
            waits[..=first].rotate_right(1);
            let waited = Self {
                after: look.after,
                sent: lanes.len(),
                asked: look.waited.len(),
                waits,
            };
            Some((score, waited))
        });
        // The earliest of those that say as much.
        let best = looks.min_by_key(|(score, _)| Reverse(*score));
        best.map(|(_, waited)| waited)
    }
}

/// Looks up the names of each stack once.
struct Names<'a> {
    route: &'a RouteName,
    known: Vec<(&'a Traced, Vec<AwaitPoint>)>,
}

impl<'a> Names<'a> {
    fn points(&mut self, traced: &'a Traced) -> Vec<AwaitPoint> {
        if let Some((_, points)) = self.known.iter().find(|(known, _)| *known == traced) {
            return points.clone();
        }
        let points = traced.points(self.route);
        self.known.push((traced, points.clone()));
        points
    }

    /// The requests of a look, by where they waited.
    fn waits(&mut self, look: &'a Look) -> Vec<Wait> {
        let open = look.waited.iter().map(|waiting| {
            let state = RequestState::Waiting {
                since: waiting.since,
                at: self.points(&waiting.traced),
            };
            let number = waiting.place as u64 + 1;
            OpenRequest::new(number, 0, self.route.clone(), look.after, state)
        });
        let open: Vec<_> = open.collect();
        waits(&open, look.after, Duration::ZERO)
    }
}

/// The numbers of the requests that waited for others at that time: all but those that were over, and those that
/// ended next.
fn others(lanes: &[Lane], after: Duration, at_a_time: usize) -> Vec<u64> {
    let open = lanes.iter().zip(1..).filter_map(|(lane, number)| {
        let ended = lane.ended_at();
        (ended.is_none_or(|ended| ended > after)).then_some((ended, number))
    });
    let mut open: Vec<(Option<Duration>, u64)> = open.collect();
    open.sort_by_key(|&(ended, number)| (ended.is_none(), ended, number));
    let others = open.into_iter().skip(at_a_time);
    others.map(|(_, number)| number).collect()
}

/// How much a place says: whether only `others` waited there, how many of them, and how many that were none.
type Score = (bool, usize, Reverse<usize>);

/// The index of the place that says most about where `others` waited.
fn most_telling(waits: &[Wait], others: &[u64]) -> Option<(usize, Score)> {
    let score = |wait: &Wait| {
        let of_the_others = |number: &&u64| others.contains(number);
        let waited = wait.numbers.iter().filter(of_the_others).count();
        let rest = wait.requests - waited;
        (waited > 0 && rest == 0, waited, Reverse(rest))
    };
    let known = waits.iter().enumerate();
    let known = known.filter(|(_, wait)| wait.point.is_some());
    let scores = known.map(|(index, wait)| (index, score(wait)));
    let scores = scores.filter(|(_, (_, waited, _))| *waited > 0);
    scores.min_by_key(|(_, score)| Reverse(*score))
}

impl fmt::Display for Waited {
    /// ```text
    /// 75 ms after they were sent, 3 of 4 waited at app::report (src/report.rs:12), in tokio::sync::Mutex::lock.
    /// The other one waited at app::report (src/report.rs:14), in tokio::time::sleep.
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.waits.first() else {
            return Ok(());
        };
        write!(f, "{} after they were sent, ", HumanDuration(self.after))?;
        let (waited, asked) = (first.requests, self.asked);
        match (waited == asked, asked == self.sent) {
            (true, true) => write!(f, "all {asked} waited")?,
            (false, true) => write!(f, "{waited} of {asked} waited")?,
            (true, false) => write!(f, "all of the {asked} that were asked waited")?,
            (false, false) => write!(f, "{waited} of the {asked} that were asked waited")?,
        }
        // A request may wait for several things at a time.
        let is_same = |wait: &&Wait| wait.numbers == first.numbers;
        for (index, wait) in self.waits.iter().filter(is_same).take(NAMED).enumerate() {
            write!(f, "{} {}", if index > 0 { " and" } else { "" }, place(wait))?;
        }
        f.write_str(".")?;
        let all = asked - waited;
        for (rest, places) in self.elsewhere(first) {
            let places = places.join(" and ");
            match (rest, rest == all) {
                (1, true) => write!(f, "\nThe other one waited {places}.")?,
                (rest, true) => write!(f, "\nThe other {rest} waited {places}.")?,
                (rest, false) => write!(f, "\n{rest} of the other {all} waited {places}.")?,
            }
        }
        Ok(())
    }
}

impl Waited {
    /// How many requests waited elsewhere that did not wait at the first place, and at which places the same ones
    /// waited.
    fn elsewhere(&self, first: &Wait) -> Vec<(usize, Vec<String>)> {
        let mut elsewhere: Vec<(Vec<u64>, Vec<String>)> = Vec::new();
        let mut named = 0;
        for wait in &self.waits {
            // Some of those that waited there may have waited at the first place, too.
            let rest = wait.numbers.iter().copied();
            let rest: Vec<_> = rest
                .filter(|number| !first.numbers.contains(number))
                .collect();
            if rest.is_empty() || named == NAMED {
                continue;
            }
            named += 1;
            match elsewhere.iter_mut().find(|(known, _)| *known == rest) {
                Some((_, places)) => places.push(place(wait)),
                None => elsewhere.push((rest, vec![place(wait)])),
            }
        }
        let counted = elsewhere.into_iter();
        counted.map(|(rest, places)| (rest.len(), places)).collect()
    }
}

/// Where requests waited, as it follows "waited".
fn place(wait: &Wait) -> String {
    match &wait.point {
        Some(point) if point.line.is_some() => format!("at {point}"),
        Some(point) => point.to_string(),
        None => "at an unknown place".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use holdup_model::Line;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The waits of requests that wait at these lines.
    fn waits_at(places: &[&[u32]]) -> Vec<Wait> {
        let open = places.iter().zip(1..).map(|(lines, number)| {
            let at = lines.iter().map(|&at| {
                let mut line = Line::new("app::report");
                line.file = Some("src/report.rs".to_owned());
                line.line = Some(at);
                AwaitPoint::new(Some(line), None, Vec::new())
            });
            let state = RequestState::Waiting {
                since: Duration::ZERO,
                at: at.collect(),
            };
            let route = RouteName::new("GET", "/report");
            OpenRequest::new(number, 0, route, ms(75), state)
        });
        waits(&open.collect::<Vec<_>>(), ms(75), Duration::ZERO)
    }

    fn told(places: &[&[u32]], sent: usize, others: &[u64]) -> String {
        let mut waits = waits_at(places);
        let (first, _) = most_telling(&waits, others).expect("a place");
        waits[..=first].rotate_right(1);
        let asked = places.len();
        let waited = Waited {
            after: ms(75),
            sent,
            asked,
            waits,
        };
        waited
            .to_string()
            .replace(" at app::report (src/report.rs:", " (")
    }

    #[test]
    fn the_place_of_those_that_ended_last_comes_first() {
        assert_eq!(
            told(&[&[14], &[12], &[12], &[12]], 4, &[2, 3, 4]),
            "75 ms after they were sent, 3 of 4 waited (12).\nThe other one waited (14)."
        );
        // The one that waits for the lock, not the one that has it.
        assert_eq!(
            told(&[&[14], &[12]], 2, &[2]),
            "75 ms after they were sent, 1 of 2 waited (12).\nThe other one waited (14)."
        );
        // More of them ran than waited.
        assert_eq!(
            told(&[&[14], &[12], &[14], &[14]], 8, &[2]),
            "75 ms after they were sent, 1 of the 4 that were asked waited (12).\n\
             The other 3 waited (14)."
        );
        assert_eq!(
            told(&[&[14], &[14]], 2, &[2]),
            "75 ms after they were sent, all 2 waited (14)."
        );
        assert_eq!(
            told(&[&[14], &[15], &[12, 13], &[12, 13]], 4, &[3, 4]),
            "75 ms after they were sent, 2 of 4 waited (12) and (13).\n\
             1 of the other 2 waited (14).\n1 of the other 2 waited (15)."
        );
        // All of them also wait for a `timeout` around the handler's body.
        assert_eq!(
            told(&[&[9, 14], &[9, 12], &[9, 12], &[9, 12]], 4, &[2, 3, 4]),
            "75 ms after they were sent, 3 of 4 waited (12).\nThe other one waited (9) and (14)."
        );
        assert_eq!(
            told(&[&[9, 14], &[9, 15], &[9, 12], &[9, 12]], 4, &[3, 4]),
            "75 ms after they were sent, 2 of 4 waited (12).\n\
             The other 2 waited (9).\n1 of the other 2 waited (14).\n1 of the other 2 waited (15)."
        );
        assert_eq!(
            told(&[&[14], &[]], 2, &[1, 2]),
            "75 ms after they were sent, 1 of 2 waited (14).\nThe other one waited at an unknown place."
        );
        assert!(most_telling(&waits_at(&[&[]]), &[1]).is_none());
        assert!(most_telling(&waits_at(&[&[12]]), &[2]).is_none());
    }

    #[test]
    fn those_that_ended_last_waited_for_others() {
        let lane = |ended: Option<u64>| {
            let mut lane = Lane::start("/", Duration::ZERO);
            if let Some(ended) = ended {
                lane.finish(ms(ended));
            }
            lane
        };
        let lanes = [Some(400), Some(100), Some(200), None, Some(300)].map(lane);
        assert_eq!(others(&lanes, ms(50), 1), [3, 5, 1, 4]);
        assert_eq!(others(&lanes, ms(50), 2), [5, 1, 4]);
        assert_eq!(others(&lanes, ms(150), 2), [1, 4]);
        assert!(others(&lanes, ms(500), 1).is_empty());
    }
}
