//! How long the collector's thread overslept. The machine or this process did not run in that time, so it is
//! not counted as a hold of any worker.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::system;

/// Shorter delays are ignored, because every machine wakes threads this late now and then. Nanoseconds.
const LEAST: u64 = 10_000_000;

/// The most stages that are kept. The oldest are dropped first.
const KEPT: usize = 64;

/// A period in which the collector only paused or sampled workers, which takes hardly any time. All times are
/// nanoseconds of one clock.
#[derive(Debug, Clone, Copy)]
struct Stage {
    from: u64,
    /// When it was planned to end.
    due: u64,
    /// When it ended.
    to: u64,
    /// How long the collector's thread was in the run queue in this stage.
    queued: u64,
    /// How long it is known to have computed: its CPU time if the stage was work.
    computed: u64,
}

impl Stage {
    fn late(&self) -> u64 {
        self.to.saturating_sub(self.due)
    }

    fn is_late(&self) -> bool {
        self.late() >= LEAST
    }

    /// The longest time that the process may have been stopped, or the machine suspended. A thread that is
    /// only kept off the CPU is in the run queue, so the run-queue time is subtracted. The stop may have
    /// begun at any time in the stage.
    fn stopped(&self) -> u64 {
        if self.late().saturating_sub(self.queued) < LEAST {
            return 0;
        }
        (self.to - self.from).saturating_sub(self.queued + self.computed)
    }

    /// Returns `time`, limited to the part of this stage that lies between `start` and `end`.
    fn within(&self, start: u64, end: u64, time: u64) -> u64 {
        let common = end.min(self.to).saturating_sub(start.max(self.from));
        time.min(common)
    }
}

/// The stages in which the collector overslept, readable by all threads.
#[derive(Debug, Default)]
pub(crate) struct Oversleeps {
    late: Mutex<VecDeque<Stage>>,
    /// When the collector's current stage began; 0 if there is none.
    since: AtomicU64,
}

impl Oversleeps {
    fn ended(&self, stage: Stage) {
        if stage.is_late() {
            let mut late = self.lock();
            if late.len() == KEPT {
                late.pop_front();
            }
            late.push_back(stage);
        }
    }

    /// Whether all stages up to `until` are recorded.
    pub(crate) fn are_known(&self, until: u64) -> bool {
        let since = self.since.load(Ordering::Acquire);
        since == 0 || since >= until
    }

    /// The longest time between `start` and `end` that the process may have been stopped, or the machine
    /// suspended.
    pub(crate) fn stopped(&self, start: u64, end: u64) -> u64 {
        let all = self.lock();
        all.iter()
            .map(|stage| stage.within(start, end, stage.stopped()))
            .sum()
    }

    /// As [`stopped`](Self::stopped), but only the stops that took at least `least`. On a busy machine, a thread may
    /// be late for other reasons by less.
    pub(crate) fn long_stops(&self, start: u64, end: u64, least: u64) -> u64 {
        let all = self.lock();
        all.iter()
            .filter(|stage| stage.stopped() >= least)
            .map(|stage| stage.within(start, end, stage.stopped()))
            .sum()
    }

    /// The longest time between `start` and `end` that a thread may have been kept from running, if its own
    /// run-queue time is not known. It is estimated by how late the collector was.
    pub(crate) fn missed(&self, start: u64, end: u64) -> u64 {
        let all = self.lock();
        all.iter()
            .map(|stage| stage.within(start, end, stage.stopped().max(stage.late())))
            .sum()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Stage>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The collector's own side, which records how late it is.
#[derive(Debug, Default)]
pub(crate) struct Lateness {
    clock: Clock,
    /// When the current stage began, and when it is planned to end.
    stage: Option<(u64, u64)>,
    /// When work began that takes as long as it takes, and the thread's CPU time then.
    work: Option<(u64, u64)>,
    /// The thread's run-queue time, read when the stage began or earlier.
    run_delay: Option<u64>,
}

impl Lateness {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            ..Self::default()
        }
    }

    /// Ends the current stage and begins one that is planned to end at once.
    pub(crate) fn note(&mut self, oversleeps: &Oversleeps) {
        let now = self.clock.now();
        let is_work = self.stage.is_none();
        if let Some((from, due)) = self.stage.or_else(|| self.worked()) {
            let mut stage = Stage {
                from,
                due,
                to: now,
                queued: 0,
                computed: if is_work { due - from } else { 0 },
            };
            if stage.is_late() {
                let before = self.run_delay;
                self.look_at_run_delay();
                if let (Some(before), Some(delay)) = (before, self.run_delay) {
                    stage.queued = delay.saturating_sub(before);
                }
            }
            oversleeps.ended(stage);
        } else {
            self.look_at_run_delay();
        }
        self.begin(oversleeps, now, now);
    }

    /// Begins a stage that is planned to end after `pause`.
    pub(crate) fn pauses(&mut self, oversleeps: &Oversleeps, pause: Duration) {
        self.note_with_run_delay(oversleeps);
        let pause = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
        if let Some((from, due)) = &mut self.stage {
            *due = from.saturating_add(pause);
        }
    }

    /// As [`note`](Self::note). The next stage knows the run-queue time at its beginning. The process may be stopped
    /// while that is read, so this is a stage, too.
    fn note_with_run_delay(&mut self, oversleeps: &Oversleeps) {
        self.note(oversleeps);
        self.look_at_run_delay();
        self.note(oversleeps);
    }

    /// Notes that the collector was woken at this time, so that the current stage was planned to end then. Has no
    /// effect if that was before the stage began.
    pub(crate) fn was_woken(&mut self, at: u64) {
        if let Some((from, due)) = &mut self.stage
            && at >= *from
        {
            *due = at.min(*due);
        }
    }

    /// Ends the current stage. What the thread computes until the next one begins is not late, however long it takes.
    pub(crate) fn works(&mut self, oversleeps: &Oversleeps) {
        self.note_with_run_delay(oversleeps);
        let begun = self.stage.map(|(from, _)| from);
        let work = begun.zip(self.clock.thread_cpu());
        self.ignore(oversleeps);
        self.work = work;
        if let Some((from, _)) = work {
            oversleeps.since.store(from, Ordering::Release);
        }
    }

    /// Ends the current stage without recording it. The time until the next stage begins does not count.
    pub(crate) fn ignore(&mut self, oversleeps: &Oversleeps) {
        (self.stage, self.work) = (None, None);
        oversleeps.since.store(0, Ordering::Release);
    }

    /// The work that ends now, as a stage that was planned to take the thread's CPU time.
    fn worked(&mut self) -> Option<(u64, u64)> {
        let (from, cpu) = self.work.take()?;
        let computed = self.clock.thread_cpu()?.saturating_sub(cpu);
        Some((from, from + computed))
    }

    fn begin(&mut self, oversleeps: &Oversleeps, now: u64, due: u64) {
        self.stage = Some((now, due));
        oversleeps.since.store(now, Ordering::Release);
    }

    fn look_at_run_delay(&mut self) {
        self.run_delay = self.clock.run_delay(system::thread_number());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::clock::Time;

    const MS: u64 = 1_000_000;

    /// Oversleeps with pauses of 25 ms: (from ms, to ms, ms in the run queue).
    fn oversleeps(pauses: &[(u64, u64, u64)]) -> Oversleeps {
        let oversleeps = Oversleeps::default();
        for &(from, to, queued) in pauses {
            oversleeps.ended(Stage {
                from: from * MS,
                due: (from + 25) * MS,
                to: to * MS,
                queued: queued * MS,
                computed: 0,
            });
        }
        oversleeps
    }

    #[test]
    fn a_punctual_pause_is_not_recorded_and_run_queue_time_is_not_a_stop() {
        let oversleeps = oversleeps(&[(0, 26, 0), (30, 64, 0), (100, 425, 299)]);
        assert_eq!(oversleeps.stopped(0, 1000 * MS), 0);
        assert_eq!(oversleeps.missed(0, 1000 * MS), 300 * MS);
        assert_eq!(oversleeps.missed(200 * MS, 300 * MS), 100 * MS);
    }

    #[test]
    fn a_stop_may_have_begun_with_the_pause_and_counts_within_the_hold_only() {
        let oversleeps = oversleeps(&[(100, 425, 5), (500, 1525, 0)]);
        assert_eq!(oversleeps.stopped(0, 450 * MS), 320 * MS);
        assert_eq!(oversleeps.stopped(400 * MS, 450 * MS), 25 * MS);
        assert_eq!(oversleeps.stopped(430 * MS, 490 * MS), 0);
        assert_eq!(oversleeps.stopped(0, 2000 * MS), 1345 * MS);
        assert_eq!(oversleeps.long_stops(0, 2000 * MS, 400 * MS), 1025 * MS);
        assert_eq!(oversleeps.long_stops(0, 700 * MS, 400 * MS), 200 * MS);
    }

    #[test]
    fn the_overslept_time_is_known_when_its_stage_is_over() {
        let (oversleeps, mut lateness) = (Oversleeps::default(), Lateness::default());
        assert!(oversleeps.are_known(u64::MAX), "there is no collector");
        lateness.pauses(&oversleeps, Duration::from_millis(25));
        let now = system::now() + 1;
        assert!(oversleeps.are_known(now - 1000 * MS) && !oversleeps.are_known(now));
        lateness.note(&oversleeps);
        assert!(oversleeps.are_known(now) && !oversleeps.are_known(u64::MAX));
        lateness.ignore(&oversleeps);
        assert!(oversleeps.are_known(u64::MAX), "no stage is open");
    }

    #[test]
    fn a_sleep_is_a_stop_unless_it_is_ignored() {
        let (oversleeps, mut lateness) = (Oversleeps::default(), Lateness::default());
        #[expect(clippy::disallowed_methods, reason = "it stands for a stop")]
        let sleep = || thread::sleep(Duration::from_millis(60));
        let start = system::now();
        lateness.pauses(&oversleeps, Duration::from_millis(1));
        sleep();
        lateness.note(&oversleeps);
        let first = system::now();
        assert!(oversleeps.stopped(start, first) >= 50 * MS);
        lateness.ignore(&oversleeps);
        sleep();
        lateness.note(&oversleeps);
        assert_eq!(oversleeps.stopped(first, system::now()), 0);
    }

    /// A clock that a test sets: the time, and the thread's CPU time.
    #[derive(Debug, Default)]
    struct Times(AtomicU64, AtomicU64);

    impl Time for Times {
        fn now(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        fn thread_cpu(&self) -> Option<u64> {
            Some(self.1.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn a_stop_during_work_is_counted_and_the_work_is_not() {
        let times = Arc::new(Times::default());
        let mut lateness = Lateness::new(Clock::of(Arc::clone(&times) as Arc<dyn Time>));
        let oversleeps = Oversleeps::default();
        let pass = |ms| times.0.fetch_add(ms * MS, Ordering::Relaxed);
        pass(100);
        lateness.works(&oversleeps);
        assert!(oversleeps.are_known(100 * MS) && !oversleeps.are_known(101 * MS));
        times.1.fetch_add(300 * MS, Ordering::Relaxed);
        pass(305);
        lateness.pauses(&oversleeps, Duration::from_millis(25));
        assert_eq!(oversleeps.stopped(0, 405 * MS), 0);
        pass(25);
        lateness.works(&oversleeps);
        pass(700);
        lateness.note(&oversleeps);
        assert_eq!(oversleeps.stopped(0, 1130 * MS), 700 * MS);
        lateness.works(&oversleeps);
        times.1.fetch_add(300 * MS, Ordering::Relaxed);
        pass(320);
        lateness.note(&oversleeps);
        assert_eq!(oversleeps.stopped(1130 * MS, 1450 * MS), 20 * MS);
    }

    #[test]
    fn the_oldest_stages_are_dropped() {
        let pauses: Vec<_> = (0..100).map(|n| (n * 100, n * 100 + 75, 0)).collect();
        let oversleeps = oversleeps(&pauses);
        assert_eq!(oversleeps.stopped(0, 3600 * MS), 0);
        assert_eq!(oversleeps.stopped(3600 * MS, 3700 * MS), 75 * MS);
    }
}
