//! The ongoing holds of the workers, read from their cells.

use std::sync::Arc;

use holdup_model::{Hold, HoldKind, WorkerStatus};

use crate::busy_period::BusyPeriod;
use crate::gap::Gap;
use crate::record::{HoldId, HoldRecord, Recorded};
use crate::run_queue::Delay;
use crate::shared::Shared;
use crate::worker_state::{Ongoing, WorkerState};

impl Shared {
    /// The hold that a worker is in at `now`, given its `ongoing` busy period and the time since which a
    /// heartbeat is `unanswered`, if there are any.
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

    /// The hold that a worker's ongoing busy period amounts to at `now`; `None` if it is too short.
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

    /// The hold of a worker that has not answered a heartbeat since `since` and ran no watched work
    /// meanwhile; `None` if that is too short.
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

    /// The hold of a worker that does not poll its sockets, up to `until`. The work that began at `until` is
    /// left out, because it may become a hold of its own.
    fn starved(&self, state: &Arc<WorkerState>, until: u64) -> Option<Recorded> {
        state.sockets.unseen()?;
        let gap = state.sockets.gap()?;
        let record = self.starved_record(state, &gap, until)?;
        let mut recorded = self.judged(self.named(&record))?;
        recorded.hold.descheduled = None;
        Some(recorded)
    }

    /// The part of [`starved`](Self::starved) that is certain: up to the end of the last poll, or until the
    /// loop polled its sockets.
    fn certainly_starved(&self, state: &Arc<WorkerState>) -> Option<Recorded> {
        let gap = state.sockets.gap()?;
        let end = state.sockets.looked().unwrap_or(gap.period.end);
        self.judged(self.named(&self.starved_record(state, &gap, end)?))
    }

    /// The record of a starved hold up to `end`, marked as ongoing. `None` if it is too short, or if there
    /// was no loop iteration in it, in which case the worker was blocked, not starved.
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

    /// All live workers, ordered by number, each with the number of its open requests.
    pub(crate) fn worker_statuses(&self) -> Vec<WorkerStatus> {
        let states = self.workers.alive().into_iter();
        let mut workers: Vec<_> = states
            .map(|state| WorkerStatus::new(state.worker, state.open()))
            .collect();
        workers.sort_unstable_by_key(|status| status.worker);
        workers
    }

    /// The ongoing holds.
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

    /// The holds so far, including the ongoing ones. Of an ongoing hold, only the watched work is included.
    pub(crate) fn holds_including_open(&self) -> Vec<Recorded> {
        // The ongoing holds are read first. A hold that ends meanwhile is then read twice, and never missed.
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
