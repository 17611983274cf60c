//! Times in which something was asked and nothing was answered.

use std::time::Duration;

use super::sample::Sample;

/// A time in which at least one of some requests was unanswered and none of them was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Silence {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

impl Silence {
    /// How much of it is between these two times.
    pub(super) fn within(self, from: Duration, to: Duration) -> Duration {
        self.to.min(to).saturating_sub(self.from.max(from))
    }
}

/// All such times, in their order. What was never answered was unanswered until `end`.
pub(super) fn silences<'a>(
    samples: impl Iterator<Item = &'a Sample>,
    end: Duration,
) -> Vec<Silence> {
    let mut spans: Vec<_> = samples
        .filter(|sample| sample.failure().is_none())
        .map(|sample| {
            let answered = sample.answered_at().unwrap_or(end);
            (answered, sample.lane.requested_at())
        })
        .collect();
    spans.sort_unstable();
    // For each answer, when the first of the requests was sent that are answered then or later.
    let mut earliest = Duration::MAX;
    let mut since: Vec<_> = spans
        .iter()
        .rev()
        .map(|(_, sent)| {
            earliest = earliest.min(*sent);
            earliest
        })
        .collect();
    since.reverse();
    let before = std::iter::once(Duration::ZERO).chain(spans.iter().map(|(ended, _)| *ended));
    let silences = spans.iter().zip(since).zip(before);
    silences
        .map(|(((to, _), since), before)| Silence {
            from: before.max(since),
            to: *to,
        })
        .filter(|silence| silence.from < silence.to)
        .collect()
}

/// The one that takes up the most of the time between `from` and `to`.
pub(super) fn longest(silences: &[Silence], from: Duration, to: Duration) -> Option<Silence> {
    let within = |silence: &&Silence| silence.within(from, to);
    silences.iter().max_by_key(within).copied()
}
