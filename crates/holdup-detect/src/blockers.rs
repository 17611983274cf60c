//! The spans of the requests that a worker ran for long lately. This code reads no clock.

use std::cmp::Reverse;

use tracing::Span;

use crate::recent::PAUSE;

/// The most times that are kept. Beyond that, the shortest are left out.
const BLOCKERS: usize = 16;

/// The most spans that a request is linked to for one time that it lost.
const LINKS: usize = 4;

/// A request is linked to only if it ran for at least the lost time divided by this.
const SHARE: u64 = 10;

/// A time for which a worker ran one request. All times are nanoseconds of one clock.
#[derive(Debug)]
struct Blocker {
    request: u64,
    from: u64,
    to: u64,
    span: Span,
}

/// The requests that a worker ran for long since its loop last turned without a hold, in the order of time.
#[derive(Debug, Default)]
pub(crate) struct Blockers(Vec<Blocker>);

impl Blockers {
    /// Notes a poll of a request from `from` to `to`. `span` is called if the request has none yet. Returns a span that is not
    /// needed any more. The caller drops it when it has let go of this list, because that may run the app's code.
    pub(crate) fn note(
        &mut self,
        request: u64,
        (from, to): (u64, u64),
        span: impl FnOnce() -> Option<Span>,
    ) -> Option<Span> {
        if let Some(last) = self.0.last_mut()
            && last.request == request
            && from.saturating_sub(last.to) < PAUSE
        {
            last.to = to;
            return None;
        }
        let span = self.of(request).cloned().or_else(span)?;
        self.0.push(Blocker {
            request,
            from,
            to,
            span,
        });
        if self.0.len() <= BLOCKERS {
            return None;
        }
        let shortest = self.0.iter().enumerate();
        let shortest = shortest.min_by_key(|(_, blocker)| blocker.to - blocker.from);
        let (index, _) = shortest?;
        Some(self.0.remove(index).span)
    }

    /// The span of a request.
    pub(crate) fn of(&self, request: u64) -> Option<&Span> {
        let blocker = self.0.iter().find(|blocker| blocker.request == request)?;
        Some(&blocker.span)
    }

    /// The requests, other than `own`, that ran for a considerable part of the time from `from` to `to`, the longest
    /// first, each with its span.
    pub(crate) fn between(&self, (from, to): (u64, u64), own: u64) -> Vec<(u64, &Span)> {
        let least = (to.saturating_sub(from) / SHARE).max(1);
        let mut found: Vec<(u64, u64, &Span)> = Vec::new();
        for blocker in self.0.iter().filter(|blocker| blocker.request != own) {
            let (begin, end) = (blocker.from.max(from), blocker.to.min(to));
            let within = end.saturating_sub(begin);
            let known = found.iter_mut().find(|known| known.1 == blocker.request);
            match known {
                Some((sum, ..)) => *sum += within,
                None => found.push((within, blocker.request, &blocker.span)),
            }
        }
        found.retain(|&(within, ..)| within >= least);
        found.sort_by_key(|&(within, ..)| Reverse(within));
        let found = found.into_iter().take(LINKS);
        found.map(|(_, request, span)| (request, span)).collect()
    }

    /// Forgets all, and returns their spans, for the same reason as [`note`](Self::note).
    #[must_use]
    pub(crate) fn forget(&mut self) -> Vec<Span> {
        self.0.drain(..).map(|blocker| blocker.span).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(blockers: &Blockers, time: (u64, u64), own: u64) -> Vec<u64> {
        let found = blockers.between(time, own).into_iter();
        found.map(|(request, _)| request).collect()
    }

    #[test]
    fn a_request_did_not_run_between_two_polls_that_are_apart() {
        let mut blockers = Blockers::default();
        let ms = 1_000_000;
        for (from, to) in [
            (0, 100 * ms),
            (500 * ms, 600 * ms),
            (600 * ms + 1, 700 * ms),
        ] {
            let gone = blockers.note(1, (from, to), || Some(Span::none()));
            assert!(gone.is_none());
        }
        assert_eq!(requests(&blockers, (100 * ms, 500 * ms), 9), [0; 0]);
        assert_eq!(requests(&blockers, (100 * ms, 600 * ms), 9), [1]);
        assert_eq!(blockers.0.len(), 2, "{blockers:?}");
    }

    #[test]
    fn a_request_is_held_up_by_those_that_ran_meanwhile_for_a_tenth_of_the_time() {
        let mut blockers = Blockers::default();
        let polls = [(1, 100, 200), (2, 200, 500), (3, 500, 509), (1, 509, 540)];
        for (request, from, to) in polls {
            let gone = blockers.note(request, (from, to), || Some(Span::none()));
            assert!(gone.is_none());
        }
        assert_eq!(requests(&blockers, (100, 540), 9), [2, 1]);
        // What ran between two polls of a request is not its own.
        assert_eq!(requests(&blockers, (200, 500), 9), [2]);
        assert_eq!(requests(&blockers, (480, 540), 1), [2, 3]);
        assert_eq!(requests(&blockers, (480, 540), 9), [1, 2, 3]);
        assert_eq!(requests(&blockers, (600, 700), 9), [0; 0]);
        assert!(blockers.of(3).is_some() && blockers.of(4).is_none());
        assert_eq!(blockers.forget().len(), 4);
        assert!(blockers.is_empty());
    }

    #[test]
    fn a_request_without_a_span_is_not_kept_and_beyond_the_bound_the_shortest_goes() {
        let mut blockers = Blockers::default();
        assert!(blockers.note(1, (0, 100), || None).is_none());
        assert!(blockers.is_empty());
        for request in 1..=BLOCKERS as u64 + 3 {
            let length = if request % 2 == 0 { 10 + request } else { 100 };
            let from = 100 * request;
            let gone = blockers.note(request, (from, from + length), || Some(Span::none()));
            assert_eq!(gone.is_some(), request > BLOCKERS as u64);
        }
        assert_eq!(blockers.0.len(), BLOCKERS);
        let kept = |request| blockers.of(request).is_some();
        assert!(!kept(2) && !kept(4) && !kept(6) && kept(1) && kept(8));
    }
}
