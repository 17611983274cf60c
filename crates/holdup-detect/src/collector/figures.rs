//! Decides when the figures for the metrics are sent.

use std::time::Duration;

use holdup_model::HeldUpTimes;

use crate::outlets::Figure;

/// The least time between two sends when no worker's state has changed, because each send wakes a thread.
const PAUSE: Duration = Duration::from_millis(250);

/// The least time between two sends of how long requests were held up, because they are many numbers.
const ENDED: Duration = Duration::from_secs(1);

/// The figures that were sent last.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// When; `None` if further changes are to be sent at once.
    at: Option<Duration>,
    polls: u64,
    open: usize,
    held: usize,
    workers: usize,
    ended_at: Duration,
    /// How many requests had ended.
    ended: u64,
}

impl Figures {
    /// If the figures have changed, they are to be sent at the next update.
    pub(super) fn are_due(&mut self) {
        self.at = None;
    }

    /// Returns the figures if they are to be sent now.
    pub(super) fn update(
        &mut self,
        polls: u64,
        open: usize,
        held: usize,
        workers: usize,
        now: Duration,
    ) -> Option<Figure> {
        let have_changed = (polls, open) != (self.polls, self.open);
        let is_recent = |at| now.saturating_sub(at) < PAUSE;
        let is_due = have_changed && !self.at.is_some_and(is_recent);
        if !is_due && (held, workers) == (self.held, self.workers) {
            return None;
        }
        (self.at, self.polls, self.open) = (Some(now), polls, open);
        (self.held, self.workers) = (held, workers);
        Some(Figure::Workers {
            polls,
            open,
            held,
            workers,
        })
    }

    /// Whether to look now how long requests were held up: once a second, and when this is the last look.
    pub(super) fn are_ended_due(&mut self, now: Duration, is_last: bool) -> bool {
        let are_due = is_last || now.saturating_sub(self.ended_at) >= ENDED;
        if are_due {
            self.ended_at = now;
        }
        are_due
    }

    /// Whether requests have ended since the last call.
    pub(super) fn have_ended(&mut self, times: &[HeldUpTimes]) -> bool {
        let ended = times.iter().map(HeldUpTimes::requests).sum();
        std::mem::replace(&mut self.ended, ended) != ended
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
            if figures.update(polls, 0, held, 1, now).is_some() {
                sent.push(look);
            }
        }
        assert_eq!(sent, [0, 10, 20, 30, 38, 48, 50]);
    }

    #[test]
    fn ended_requests_are_looked_for_once_a_second_and_at_the_end() {
        let mut figures = Figures::default();
        let looks = [0, 990, 1_010, 1_500, 2_020, 2_030].map(Duration::from_millis);
        let due = looks.map(|now| figures.are_ended_due(now, now == looks[5]));
        assert_eq!(due, [false, false, true, false, true, true]);
        let times = |requests| {
            let route = holdup_model::RouteName::new("GET", "/a");
            [HeldUpTimes::new(route, vec![(Duration::ZERO, requests)])]
        };
        let have = [0, 3, 3, 4].map(|requests| figures.have_ended(&times(requests)));
        assert_eq!(have, [false, true, false, true]);
    }
}
