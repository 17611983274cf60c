//! What the metrics are told, and how often.

use std::time::Duration;

use crate::outlets::Figure;

/// Polls alone are told no more often than this: a thread has to wake for it.
const PAUSE: Duration = Duration::from_millis(250);

/// What they were told.
#[derive(Debug, Default)]
pub(super) struct Figures {
    at: Duration,
    polls: u64,
    held: usize,
    workers: usize,
}

impl Figures {
    /// What to tell them now, if anything.
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
    fn polls_are_told_four_times_a_second_workers_at_once_and_nothing_when_nothing_happens() {
        let mut figures = Figures::default();
        let mut told = Vec::new();
        for look in 0..60 {
            // Polls in the first second, and a worker that is held at its end.
            let (polls, held) = (look.min(40), usize::from((38..50).contains(&look)));
            let now = Duration::from_millis(25 * look);
            if figures.update(polls, held, 1, now).is_some() {
                told.push(look);
            }
        }
        assert_eq!(told, [0, 10, 20, 30, 38, 48, 50]);
    }
}
