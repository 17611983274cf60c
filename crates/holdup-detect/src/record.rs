//! The record of a hold, as its worker hands it over and as the memory keeps it.

use std::sync::Arc;
use std::time::Duration;

use holdup_model::{Culprit, Hold, HoldKind};

use crate::busy_period::Entry;
use crate::run_queue::Delay;
use crate::worker_state::WorkerState;

/// A hold as its worker hands it over, without names. All times are nanoseconds of the detector's clock.
#[derive(Debug)]
pub(crate) struct HoldRecord {
    pub(crate) kind: HoldKind,
    pub(crate) state: Arc<WorkerState>,
    pub(crate) start: u64,
    pub(crate) duration: u64,
    pub(crate) cpu: Option<u64>,
    /// The time that the thread was in the run queue.
    pub(crate) delay: Option<Delay>,
    /// The time in which no watched work ran although a request was waiting.
    pub(crate) outside: u64,
    pub(crate) culprits: Vec<Entry>,
    pub(crate) waiting: usize,
    pub(crate) ongoing: bool,
}

/// What identifies a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct HoldId {
    pub(crate) worker: usize,
    pub(crate) started: Duration,
}

impl HoldId {
    pub(crate) fn of(hold: &Hold) -> Self {
        Self {
            worker: hold.worker,
            started: hold.started,
        }
    }
}

/// A hold with the figures that an assertion needs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recorded {
    /// The hold.
    pub(crate) hold: Hold,
    /// The longest time in the hold that the system may have kept the worker from running; `None` while that
    /// is not known.
    pub(crate) lost: Option<Duration>,
    /// How much of the hold was spent outside the watched requests while one of them was waiting.
    pub(crate) outside: Duration,
}

impl Recorded {
    /// The record with its names. `started` is its start, counted from when the detector was created.
    pub(crate) fn of(record: &HoldRecord, started: Duration) -> Self {
        let culprit = |entry: &Entry| {
            let route = record.state.routes.get(entry.route);
            let busy = Duration::from_nanos(entry.busy);
            let mut culprit = Culprit::new(route.method, route.pattern, entry.part, busy);
            culprit.lane = entry.lane();
            culprit.polls = entry.polls;
            culprit
        };
        let time = |delay: Delay| Duration::from_nanos(delay.at_most);
        let duration = Duration::from_nanos(record.duration);
        let mut hold = Hold::new(record.kind, record.state.worker, started, duration);
        hold.cpu = record.cpu.map(Duration::from_nanos);
        hold.descheduled = record.delay.filter(|delay| delay.is_exact).map(time);
        hold.culprits = record.culprits.iter().map(culprit).collect();
        hold.waiting = record.waiting;
        hold.ongoing = record.ongoing;
        Self {
            hold,
            lost: record.delay.map(time),
            outside: Duration::from_nanos(record.outside),
        }
    }

    /// Takes into account that the process may have been stopped for `stopped` in the hold, and that the
    /// collector was kept from running for `missed`, which is used if the worker's run-queue time is not
    /// known. Returns `None` if the rest is below the threshold.
    pub(crate) fn without(
        mut self,
        stopped: Duration,
        missed: Duration,
        threshold: Duration,
    ) -> Option<Self> {
        let hold = &mut self.hold;
        let duration = hold.duration;
        let lost = match self.lost {
            Some(delay) => (delay + stopped).min(duration),
            None => missed,
        };
        // The time that the machine ran something else is no part of a starved hold, because the app did not
        // cause it.
        let not_its_own = match hold.kind {
            HoldKind::Starved { .. } => lost,
            _ => stopped,
        };
        if duration.saturating_sub(not_its_own) < threshold {
            return None;
        }
        self.lost = Some(lost);
        if !stopped.is_zero() && !hold.ongoing {
            let descheduled = hold.descheduled.unwrap_or_default() + stopped;
            hold.descheduled = Some(descheduled.min(duration));
        }
        Some(self)
    }

    /// The longest time that a single request took, or that was spent outside of the requests while one was
    /// waiting. It is used for a test's own thread, where the test itself sends the requests one after the
    /// other and may block in between.
    #[must_use]
    pub(crate) fn longest_alone(&self) -> Duration {
        let busy = self.hold.culprits.iter().map(|culprit| culprit.busy).max();
        busy.unwrap_or_default().max(self.outside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_taken_by_the_machine_removes_a_starved_hold_and_shortens_a_blocked_one() {
        let ms = Duration::from_millis;
        let judged = |kind, in_the_queue| {
            let mut hold = Hold::new(kind, 0, Duration::ZERO, ms(150));
            hold.ongoing = false;
            hold.descheduled = Some(in_the_queue);
            let recorded = Recorded {
                hold,
                lost: Some(in_the_queue),
                outside: Duration::ZERO,
            };
            recorded.without(Duration::ZERO, Duration::ZERO, ms(100))
        };
        let starved = HoldKind::Starved { turns: 3 };
        assert!(judged(starved, ms(40)).is_some());
        assert_eq!(judged(starved, ms(60)), None);
        let blocked = judged(HoldKind::Blocked, ms(60)).expect("a hold");
        assert_eq!(blocked.hold.own_duration(), ms(90));
    }

    #[test]
    fn a_hold_in_which_the_process_was_stopped_throughout_is_removed() {
        let ms = Duration::from_millis;
        let mut hold = Hold::new(HoldKind::Blocked, 0, Duration::ZERO, ms(450));
        hold.ongoing = false;
        let recorded = Recorded {
            hold,
            lost: None,
            outside: Duration::ZERO,
        };
        let without = |stopped| recorded.clone().without(ms(stopped), ms(stopped), ms(100));
        assert_eq!(without(351), None);
        let shorter = without(300).expect("a hold");
        assert_eq!(shorter.hold.own_duration(), ms(150));
        assert_eq!(shorter.lost, Some(ms(300)));
    }
}
