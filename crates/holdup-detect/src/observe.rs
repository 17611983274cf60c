//! The holds that workers are in at this moment, read from their cells.

use std::sync::Arc;

use holdup_model::{Hold, HoldKind, WorkerStatus};

use crate::busy_period::BusyPeriod;
use crate::gap::Gap;
use crate::record::{HoldId, HoldRecord, Recorded};
use crate::run_queue::Delay;
use crate::shared::Shared;
use crate::worker_state::{Ongoing, WorkerState};

impl Shared {
    /// The hold that a worker is in `now`, in which a busy period of it may be `ongoing` and a heartbeat may
    /// be `unanswered`.
    pub(crate) fn current(
        &self,
        state: &Arc<WorkerState>,
        ongoing: Option<Ongoing>,
        unanswered: Option<u64>,
        now: u64,
    ) -> Option<Recorded> {
        let (since, hold) = match (ongoing, unanswered) {
            (Some(ongoing), _) => {
                let since = ongoing.period.start;
                (since, self.ongoing(state, ongoing, now))
            }
            (None, Some(asked)) => {
                let since = asked.max(state.last_end());
                (since, self.outside(state, since, now))
            }
            (None, None) => (now, None),
        };
        hold.or_else(|| self.starved(state, since))
    }

    /// The hold that a worker's busy period is at `now`; `None` when it is too short.
    fn ongoing(&self, state: &Arc<WorkerState>, ongoing: Ongoing, now: u64) -> Option<Recorded> {
        let Ongoing {
            mut period,
            in_poll,
        } = ongoing;
        if !in_poll {
            period.end = period.end.max(now);
        }
        period.note_open(state.open());
        self.unfinished(state, &period, None)
    }

    /// The hold of a worker that does not answer, with no watched work since then to explain it;
    /// `None` when that is not long.
    fn outside(&self, state: &Arc<WorkerState>, since: u64, now: u64) -> Option<Recorded> {
        let mut period = BusyPeriod::between(since, now.max(since));
        period.note_open(state.open());
        self.unfinished(state, &period, None)
    }

    fn unfinished(
        &self,
        state: &Arc<WorkerState>,
        period: &BusyPeriod,
        delay: Option<Delay>,
    ) -> Option<Recorded> {
        let duration = period.end.saturating_sub(period.start);
        if duration < self.threshold() {
            return None;
        }
        let culprits = period.culprits(self.threshold());
        self.judged(self.named(&HoldRecord {
            kind: HoldKind::Blocked,
            state: Arc::clone(state),
            start: period.start,
            duration,
            cpu: None,
            delay,
            outside: period.outside,
            waiting: period.waiting(&culprits),
            culprits,
            ongoing: true,
        }))
    }

    /// The hold of a worker that does not look at its sockets, as far as it goes without what the worker is
    /// in the middle of since `until`: that may become a hold of its own.
    fn starved(&self, state: &Arc<WorkerState>, until: u64) -> Option<Recorded> {
        state.sockets.unseen()?;
        let gap = state.sockets.gap()?;
        let record = self.starved_record(state, &gap, until)?;
        let mut recorded = self.judged(self.named(&record))?;
        recorded.hold.descheduled = None;
        Some(recorded)
    }

    /// The same, as far as it is certain: up to the last poll, or to the look at the sockets.
    fn certainly_starved(&self, state: &Arc<WorkerState>) -> Option<Recorded> {
        let gap = state.sockets.gap()?;
        let end = state.sockets.looked().unwrap_or(gap.period.end);
        self.judged(self.named(&self.starved_record(state, &gap, end)?))
    }

    /// A starved hold up to `end`, as if it went on; `None` when it is too short. Without an iteration of
    /// the loop it is not of this kind.
    pub(crate) fn starved_record(
        &self,
        state: &Arc<WorkerState>,
        gap: &Gap,
        end: u64,
    ) -> Option<HoldRecord> {
        let (start, threshold) = (gap.period.start, self.threshold());
        let duration = end.saturating_sub(start);
        if gap.turns == 0 || duration < threshold {
            return None;
        }
        let culprits = gap.period.culprits(threshold);
        let delay = state.sockets.delay(state.thread);
        Some(HoldRecord {
            kind: HoldKind::Starved { turns: gap.turns },
            state: Arc::clone(state),
            start,
            duration,
            cpu: None,
            delay: delay.map(|delay| delay.at_most(duration)),
            outside: gap.period.outside,
            waiting: gap.period.waiting(&culprits),
            culprits,
            ongoing: true,
        })
    }

    /// The workers that are there, by number, with the requests that each has open.
    pub(crate) fn worker_statuses(&self) -> Vec<WorkerStatus> {
        let states = self.workers.alive().into_iter();
        let mut workers: Vec<_> = states
            .map(|state| WorkerStatus::new(state.worker, state.open()))
            .collect();
        workers.sort_unstable_by_key(|status| status.worker);
        workers
    }

    /// The workers that are held at this moment.
    pub(crate) fn held_now(&self) -> Vec<Hold> {
        let now = self.clock.now();
        let hold = |state: &Arc<WorkerState>| {
            let recorded = self.current(state, state.ongoing(now), state.unanswered(), now)?;
            let mut hold = recorded.hold;
            self.lasting().fill(&mut hold);
            Some(hold)
        };
        self.workers.alive().iter().filter_map(hold).collect()
    }

    /// The holds so far, with those that are not over: of these only the work that was watched.
    pub(crate) fn holds_including_open(&self) -> Vec<Recorded> {
        // First what is not over: what ends meanwhile is then in both, and not in neither.
        let unfinished = |state: &Arc<WorkerState>| {
            let Ongoing { mut period, .. } = state.ongoing(self.clock.now())?;
            period.note_open(state.open());
            self.unfinished(state, &period, state.delay_since(period.start))
        };
        let states = self.workers.alive();
        let mut open: Vec<_> = states.iter().filter_map(unfinished).collect();
        open.extend(
            states
                .iter()
                .filter_map(|state| self.certainly_starved(state)),
        );
        for recorded in &mut open {
            self.lasting().fill(&mut recorded.hold);
        }
        let mut holds = self.holds();
        for recorded in open {
            let id = HoldId::of(&recorded.hold);
            if !holds.iter().any(|over| HoldId::of(&over.hold) == id) {
                holds.push(recorded);
            }
        }
        holds
    }
}
