//! When the metrics' figures are sent on their way.

use std::time::Duration;

use crate::outlets::Figure;

/// A new number of polls alone is sent no more often than this, because a thread wakes up for it.
const PAUSE: Duration = Duration::from_millis(250);

/// The figures that were sent last.
#[derive(Debug, Default)]
pub(super) struct Figures {
    at: Duration,
    polls: u64,
    held: usize,
    workers: usize,
}

impl Figures {
    /// The figures, if they are to be sent now.
    pub(super) fn update(
        &mut self,
        polls: u64,
        held: usize,
        workers: usize,
        now: Duration,
    ) -> Option<Figure> {
        let polls_are_due = polls != self.polls && now.saturating_sub(self.at) >= PAUSE;
        if !polls_are_due && (held, workers) == (self.held, self.workers) {
            return None;
        }
        *self = Self {
            at: now,
            polls,
            held,
            workers,
        };
        Some(Figure::Workers {
            polls,
            held,
            workers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_sent_four_times_a_second_workers_at_once_and_nothing_when_nothing_happens() {
        let mut figures = Figures::default();
        let mut sent = Vec::new();
        for look in 0..60 {
            // Polls in the first second, and a worker that is held at its end.
            let (polls, held) = (look.min(40), usize::from((38..50).contains(&look)));
            let now = Duration::from_millis(25 * look);
            if figures.update(polls, held, 1, now).is_some() {
                sent.push(look);
            }
        }
        assert_eq!(sent, [0, 10, 20, 30, 38, 48, 50]);
    }
}
