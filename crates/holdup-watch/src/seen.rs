//! What was seen of holds while they lasted: what their threads were doing, and where.

use std::collections::VecDeque;
#[cfg(feature = "stacks")]
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdup_model::{Activity, Hold};
#[cfg(feature = "stacks")]
use holdup_model::{Culprit, Line};
#[cfg(feature = "stacks")]
use holdup_stack::{HANDLER, Reading, Stack};

/// Functions that return when nobody else has the lock any more.
#[cfg(feature = "stacks")]
const LOCKS: &[&str] = &[
    "lock_api::",
    "parking_lot::",
    "std::sync::Mutex::",
    "std::sync::RwLock::",
    "std::sync::mutex::",
    "std::sync::rwlock::",
];

/// Whether a line takes a lock.
#[cfg(feature = "stacks")]
pub(super) fn takes_a_lock(line: &Line) -> bool {
    let is_of = |called: &String| LOCKS.iter().any(|lock| called.starts_with(lock));
    line.called.as_ref().is_some_and(is_of)
}

#[cfg(feature = "stacks")]
fn is_same(line: &Line, other: &Line) -> bool {
    let key = |line: &Line| (line.line, line.file.clone(), line.called.clone());
    line.function == other.function && key(line) == key(other)
}

/// The most stacks that are kept of one hold.
#[cfg(feature = "stacks")]
pub(super) const STACKS: usize = 100;

/// The most holds of one worker of which something is kept: one that lasts, and one that is over and
/// not yet told.
const HOLDS_OF_A_WORKER: usize = 2;

#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<VecDeque<Sights>>);

/// What was seen of one hold.
#[derive(Debug)]
struct Sights {
    worker: usize,
    started: Duration,
    activities: Vec<(Activity, u32)>,
    latest: Option<Activity>,
    /// With when they were taken, since the watch was made.
    #[cfg(feature = "stacks")]
    stacks: Vec<(Duration, Arc<Stack>)>,
}

impl Seen {
    /// A hold was seen at that.
    pub(super) fn note(&self, worker: usize, started: Duration, activity: Activity) {
        let mut all = self.lock();
        let sights = of(&mut all, worker, started);
        sights.latest = Some(activity.clone());
        let same = sights.activities.iter_mut().find(|seen| seen.0 == activity);
        match same {
            Some((_, times)) => *times += 1,
            None => sights.activities.push((activity, 1)),
        }
    }

    /// A hold's stack was taken, at that time since the watch was made.
    #[cfg(feature = "stacks")]
    pub(super) fn add(&self, worker: usize, started: Duration, at: Duration, stack: &Arc<Stack>) {
        let mut all = self.lock();
        let sights = of(&mut all, worker, started);
        // Of a hold that lasts for hours the latest is worth more than the one before it.
        sights.stacks.truncate(STACKS - 1);
        sights.stacks.push((at, Arc::clone(stack)));
    }

    /// The latest stack of a hold.
    #[cfg(feature = "stacks")]
    pub(super) fn latest(&self, worker: usize, started: Duration) -> Option<Arc<Stack>> {
        let all = self.lock();
        let same = |sights: &&Sights| sights.worker == worker && sights.started == started;
        let (_, stack) = all.iter().find(same)?.stacks.last()?;
        Some(Arc::clone(stack))
    }

    /// Puts into a hold what was seen of it up to then.
    pub(super) fn fill(&self, hold: &mut Hold, until: Duration) {
        let mut all = self.lock();
        let same = |sights: &Sights| sights.worker == hold.worker && sights.started == hold.started;
        let Some(index) = all.iter().position(same) else {
            return;
        };
        let sights = &all[index];
        let most = sights.activities.iter().max_by_key(|(_, times)| *times);
        hold.activity = if hold.ongoing {
            sights.latest.clone()
        } else {
            most.map(|(activity, _)| activity.clone())
        };
        #[cfg(feature = "stacks")]
        let stacks = sights.stacks_until(until);
        #[cfg(not(feature = "stacks"))]
        let _ = until;
        if !hold.ongoing {
            all.remove(index);
        }
        // Finding names may take a moment, in which others look.
        drop(all);
        #[cfg(feature = "stacks")]
        fill_lines(hold, &stacks);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Sights>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those of that hold, the newest of its worker.
fn of(all: &mut VecDeque<Sights>, worker: usize, started: Duration) -> &mut Sights {
    let same = |sights: &Sights| sights.worker == worker && sights.started == started;
    let index = all.iter().position(same).unwrap_or_else(|| {
        let mut others = 0;
        // From the newest: those that come later are the older ones.
        all.retain(|sights| {
            others += usize::from(sights.worker == worker);
            sights.worker != worker || others < HOLDS_OF_A_WORKER
        });
        all.push_front(Sights {
            worker,
            started,
            activities: Vec::new(),
            latest: None,
            #[cfg(feature = "stacks")]
            stacks: Vec::new(),
        });
        0
    });
    &mut all[index]
}

#[cfg(feature = "stacks")]
impl Sights {
    /// Those that were taken while it lasted, up to then.
    fn stacks_until(&self, until: Duration) -> Vec<Arc<Stack>> {
        let within = |(at, _): &&(Duration, _)| (self.started..=until).contains(at);
        let stacks = self.stacks.iter().filter(within);
        stacks.map(|(_, stack)| Arc::clone(stack)).collect()
    }
}

/// The line that a stack of a hold shows.
#[cfg(feature = "stacks")]
pub(super) fn line(reading: &Reading, hold: &Hold) -> Option<Line> {
    let place = reading.place.as_ref()?;
    let mut function = place.function.clone();
    // Of all that held the worker there is one route: then it is that one's.
    let route = |culprit: &Culprit| format!("{} {}", culprit.method, culprit.route);
    let mut routes: Vec<_> = hold.culprits.iter().map(route).collect();
    routes.dedup();
    if let ([route], true) = (routes.as_slice(), function == HANDLER) {
        function = format!("{HANDLER} of {route}");
    }
    let mut line = Line::new(function);
    line.file.clone_from(&place.file);
    line.line = place.line;
    line.called.clone_from(&place.called);
    line.library = place.library;
    Some(line)
}

#[cfg(feature = "stacks")]
fn fill_lines(hold: &mut Hold, stacks: &[Arc<Stack>]) {
    // Whoever asks while it lasts does not wait until names are found.
    let readings = stacks.iter().filter_map(|stack| {
        if hold.ongoing {
            stack.known_reading()
        } else {
            Some(stack.reading())
        }
    });
    let readings: Vec<_> = readings.collect();
    let mut lines: Vec<Line> = Vec::new();
    let mut first = None;
    for &reading in &readings {
        let Some(mut line) = line(reading, hold) else {
            continue;
        };
        if let Some(seen) = lines.iter_mut().find(|seen| is_same(seen, &line)) {
            seen.samples += 1;
            line.samples = seen.samples;
        } else {
            lines.push(line.clone());
        }
        // The stack that is shown is one of the most frequent line.
        if first.as_ref().is_none_or(|(most, _)| line.samples > *most) {
            first = Some((line.samples, reading));
        }
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.samples));
    let shown = first.map(|(_, reading)| reading);
    let shown = shown.or_else(|| readings.first().copied());
    hold.stack = shown
        .map(|reading| reading.stack.clone())
        .unwrap_or_default();
    hold.lines = lines;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hold::HoldKind;

    fn hold(worker: usize, started: u64, ongoing: bool) -> Hold {
        let ms = Duration::from_millis;
        let mut hold = Hold::new(HoldKind::Blocked, worker, ms(started), ms(300));
        hold.ongoing = ongoing;
        hold
    }

    fn activity(seen: &Seen, mut hold: Hold) -> Option<Activity> {
        seen.fill(&mut hold, Duration::from_secs(60));
        hold.activity
    }

    #[test]
    fn while_it_lasts_the_latest_activity_is_told_and_at_the_end_the_most_frequent() {
        let seen = Seen::default();
        let started = Duration::from_millis(5);
        for activity in [Activity::Sleeping, Activity::Sleeping, Activity::Computing] {
            seen.note(1, started, activity);
        }
        assert_eq!(activity(&seen, hold(1, 5, true)), Some(Activity::Computing));
        assert_eq!(activity(&seen, hold(1, 5, false)), Some(Activity::Sleeping));
        // It is told once.
        assert_eq!(activity(&seen, hold(1, 5, false)), None);
    }

    #[test]
    fn holds_are_told_apart_and_what_nobody_asks_for_is_forgotten() {
        let seen = Seen::default();
        for started in [5, 400, 800] {
            seen.note(1, Duration::from_millis(started), Activity::Sleeping);
        }
        seen.note(2, Duration::from_millis(5), Activity::Polling);
        assert_eq!(activity(&seen, hold(1, 5, false)), None, "the third newest");
        assert_eq!(activity(&seen, hold(2, 5, false)), Some(Activity::Polling));
        assert_eq!(activity(&seen, hold(3, 5, false)), None);
        for started in [400, 800] {
            let seen = activity(&seen, hold(1, started, false));
            assert_eq!(seen, Some(Activity::Sleeping));
        }
    }

    #[cfg(all(feature = "stacks", target_os = "linux", target_env = "gnu"))]
    #[test]
    fn while_it_lasts_nobody_waits_until_its_lines_are_found() {
        use super::super::system;
        use holdup_stack as lines;

        lines::start();
        lines::prepare_thread();
        let stack = lines::take(system::thread_number()).expect("this thread's own");
        let stack = Arc::new(stack);
        let seen = Seen::default();
        let (started, at) = (Duration::from_millis(5), Duration::from_millis(50));
        let mut all = seen.lock();
        let stacks = &mut of(&mut all, 1, started).stacks;
        stacks.push((at, Arc::clone(&stack)));
        drop(all);
        seen.fill(&mut hold(1, 5, true), Duration::from_secs(60));
        assert!(stack.known_reading().is_none());
        seen.fill(&mut hold(1, 5, false), Duration::from_secs(60));
        assert!(stack.known_reading().is_some());
    }
}
