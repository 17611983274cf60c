//! Decides when the figures for the metrics are sent.

use std::time::Duration;

use crate::outlets::Figure;

/// The least time between two sends when only the number of polls has changed, because each send wakes a
/// thread.
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
    /// Returns the figures if they are to be sent now.
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
    fn polls_are_sent_four_times_a_second_and_changes_of_workers_at_once() {
        let mut figures = Figures::default();
        let mut sent = Vec::new();
        for look in 0..60 {
            // The number of polls grows in the first second. A worker is held from 0.95 s to 1.25 s.
            let (polls, held) = (look.min(40), usize::from((38..50).contains(&look)));
            let now = Duration::from_millis(25 * look);
            if figures.update(polls, held, 1, now).is_some() {
                sent.push(look);
            }
        }
        assert_eq!(sent, [0, 10, 20, 30, 38, 48, 50]);
    }
}
