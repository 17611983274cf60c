//! What of the open requests is recorded: where they wait, with exact counts, and a few of the requests themselves.

use std::collections::HashSet;
use std::time::Duration;

use holdup_model::{OpenRequest, RequestState, Wait, waits};

use super::entry::Survey;

/// The most places that are recorded, and the most functions of each stack.
const PLACES: usize = 12;
const FRAMES: usize = 30;

/// The most requests that are recorded: of those that wait at each place, and in all.
const AT_A_PLACE: usize = 10;
const REQUESTS: usize = 60;

impl Survey {
    /// A survey of all open requests as they were `at` a time. Those that have waited for less than `least` are not
    /// counted.
    pub fn of(all: &[OpenRequest], at: Duration, least: Duration) -> Self {
        let mut places = waits(all, at, least);
        let more = places.len().saturating_sub(PLACES);
        places.truncate(PLACES);
        let mut named = HashSet::new();
        for place in &mut places {
            place.numbers.truncate(AT_A_PLACE);
            named.extend(place.numbers.iter().copied());
            if let Some(point) = &mut place.point {
                point.stack.truncate(FRAMES);
            }
        }
        let is_named = |request: &&OpenRequest| named.contains(&request.number);
        // The others may have what these wait for. They are the oldest.
        let (waiting, others): (Vec<_>, Vec<_>) = all.iter().partition(is_named);
        let listed = waiting.into_iter().chain(others).take(REQUESTS);
        let requests: Vec<_> = listed.cloned().map(without_stacks).collect();
        Self {
            at,
            waits: places,
            more,
            more_requests: all.len() - requests.len(),
            requests,
        }
    }

    /// Whether it tells about the same as another one: the same places come first, and about as many wait there.
    pub fn is_like(&self, other: &Self) -> bool {
        self.waits
            .iter()
            .map(about)
            .eq(other.waits.iter().map(about))
    }
}

/// A place: its function, its line, and what is waited for there.
type Place<'a> = Option<(Option<&'a str>, Option<u32>, Option<&'a str>)>;

/// The place, and about how many wait there.
fn about(wait: &Wait) -> (Place<'_>, u32) {
    (place(wait), wait.requests.max(1).ilog2())
}

fn place(wait: &Wait) -> Place<'_> {
    let point = wait.point.as_ref()?;
    let line = point.line.as_ref();
    Some((
        line.map(|line| line.function.as_str()),
        line.and_then(|line| line.line),
        point.within.as_deref(),
    ))
}

fn without_stacks(mut request: OpenRequest) -> OpenRequest {
    if let RequestState::Waiting { at, .. } = &mut request.state {
        for point in at {
            point.stack.clear();
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use holdup_model::{AwaitPoint, Line, RouteName};

    use super::*;

    fn waiting(number: u64, line: u32) -> OpenRequest {
        let ms = Duration::from_millis;
        let mut place = Line::new("app::report");
        place.line = Some(line);
        let stack = vec!["inner".to_owned(); 40];
        let at = vec![AwaitPoint::new(Some(place), None, stack)];
        let state = RequestState::Waiting {
            since: ms(number),
            at,
        };
        OpenRequest::new(number, 0, RouteName::new("GET", "/"), ms(900), state)
    }

    #[test]
    fn counts_are_exact_and_what_is_listed_is_bounded() {
        let all: Vec<_> = (0..2000)
            .map(|n| waiting(n % 100, 1))
            .chain([waiting(3, 2)])
            .collect();
        let survey = Survey::of(&all, Duration::from_secs(1), Duration::from_millis(100));
        let counts: Vec<_> = survey.waits.iter().map(|wait| wait.requests).collect();
        assert_eq!(counts, [2000, 1]);
        assert_eq!((survey.requests.len(), survey.more_requests), (60, 1941));
        assert_eq!(
            survey.waits[0]
                .point
                .as_ref()
                .map(|point| point.stack.len()),
            Some(30)
        );
        let has_stack = |request: &OpenRequest| match &request.state {
            RequestState::Waiting { at, .. } => at.iter().any(|point| !point.stack.is_empty()),
            _ => false,
        };
        assert!(!survey.requests.iter().any(has_stack));
    }

    #[test]
    fn surveys_are_alike_if_about_as_many_wait_at_the_same_places() {
        let survey = |requests: u64, line| {
            let all: Vec<_> = (0..requests).map(|n| waiting(n, line)).collect();
            Survey::of(&all, Duration::from_secs(1), Duration::from_millis(100))
        };
        assert!(survey(9, 1).is_like(&survey(15, 1)));
        assert!(!survey(9, 1).is_like(&survey(16, 1)));
        assert!(!survey(9, 1).is_like(&survey(9, 2)));
        assert!(!survey(1, 1).is_like(&survey(0, 1)));
    }
}
