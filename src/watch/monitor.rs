//! The thread that looks at the workers from outside: it sees a hold while it lasts, and is the
//! only one to tell of it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use tracing::warn;

use super::activity;
use super::figures::Figures;
use super::hold::Hold;
use super::oversleep::Lateness;
use super::recorder::Event;
use super::shared::Shared;
use super::slot::Slot;
use super::system;
#[cfg(feature = "lines")]
use super::{lines, seen};

/// How often it looks: this many times in a threshold.
const LOOKS: u64 = 4;

/// How often at most, and at least: often enough for a page that is drawn live.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(25));

/// Starts the thread. It ends when the watch and all its workers are gone.
pub(super) fn start(shared: Weak<Shared>) -> Thread {
    let run = move || {
        let mut monitor = Monitor::default();
        #[cfg(feature = "lines")]
        lines::start();
        while let Some(shared) = shared.upgrade() {
            let some = monitor.look(&shared);
            #[cfg(feature = "lines")]
            lines::rest(system::now());
            if some {
                let pause = Duration::from_nanos(shared.threshold() / LOOKS);
                let pause = pause.clamp(PAUSE.0, PAUSE.1);
                monitor.lateness.pauses(&shared.oversleeps, pause);
                drop(shared);
                thread::park_timeout(pause);
            } else {
                monitor.lateness.ignore(&shared.oversleeps);
                drop(shared);
                thread::park();
            }
        }
    };
    let thread = thread::Builder::new()
        .name("holdup-watch".to_owned())
        .spawn(run);
    thread
        .expect("the system has room for one more thread")
        .thread()
        .clone()
}

#[derive(Default)]
struct Monitor {
    /// The latest hold of which a warning has told, by worker.
    told: HashMap<usize, Told>,
    figures: Figures,
    lateness: Lateness,
}

/// A hold of which a warning has told.
struct Told {
    started: Duration,
    #[cfg(feature = "lines")]
    stacks: Stacks,
}

impl Monitor {
    /// One look at everything. False when there is no worker to look at.
    fn look(&mut self, shared: &Arc<Shared>) -> bool {
        self.lateness.note(&shared.oversleeps);
        let slots = shared.slots();
        let mut held_workers = 0;
        for slot in &slots {
            // Before the look, so that a stretch that begins during it is not taken for older.
            let now = system::now();
            let unanswered = slot.ask_beat(now);
            let ongoing = slot.ongoing(now);
            let since = ongoing.as_ref().map(|ongoing| ongoing.stretch.start);
            slot.sample(since.or(unanswered));
            // What is late by now cannot be in the hold, which is looked at as of before.
            self.lateness.note(&shared.oversleeps);
            let hold = match ongoing {
                Some(ongoing) => shared.ongoing(slot, ongoing, now),
                None => unanswered.and_then(|asked| shared.outside(slot, asked, now)),
            };
            if let Some(hold) = hold {
                held_workers += 1;
                self.held(shared, slot, hold);
            }
        }
        self.told
            .retain(|worker, _| slots.iter().any(|slot| slot.worker == *worker));
        self.lateness.note(&shared.oversleeps);
        if !shared.is_settled() {
            // Names of functions may have to be found, here or by another thread.
            self.lateness.ignore(&shared.oversleeps);
        }
        for hold in shared.untold() {
            self.released(shared, hold);
        }
        self.figures
            .update(shared.polls(), held_workers, slots.len());
        shared.recorder.pass_on(|at| shared.since_origin(at));
        !slots.is_empty()
    }

    /// Whether that hold of a worker began after the latest one that was told.
    fn is_new(&self, worker: usize, started: Duration) -> bool {
        let told = self.told.get(&worker);
        told.is_none_or(|told| told.started < started)
    }

    fn held(&mut self, shared: &Shared, slot: &Slot, mut hold: Hold) {
        let (worker, started) = (hold.worker, hold.started);
        if let Some(activity) = activity::of(slot.thread)
            && slot.is_in(shared, started)
        {
            shared.seen.note(worker, started, activity);
        }
        // From here on it may have to wait itself, for whoever reads its log.
        self.lateness.ignore(&shared.oversleeps);
        let is_new = self.is_new(worker, started);
        if is_new {
            self.told.insert(worker, Told::new(started));
        }
        #[cfg(feature = "lines")]
        if let Some(told) = self.told.get_mut(&worker) {
            told.stacks.take(shared, slot, &hold);
        }
        if is_new {
            shared.seen.fill(&mut hold, shared.elapsed());
            warn!(target: "holdup", worker, "{hold}");
            shared.recorder.send(Event::Held(hold));
        }
    }

    fn released(&mut self, shared: &Shared, hold: Hold) {
        self.lateness.ignore(&shared.oversleeps);
        // Its worker may show it for a moment longer.
        if self.is_new(hold.worker, hold.started) {
            self.told.insert(hold.worker, Told::new(hold.started));
        }
        warn!(
            target: "holdup",
            worker = hold.worker,
            duration_ms = hold.duration.as_secs_f64() * 1000.0,
            "{hold}"
        );
        Figures::hold(&hold);
        shared.recorder.send(Event::Released(hold));
    }
}

impl Told {
    fn new(started: Duration) -> Self {
        Self {
            started,
            #[cfg(feature = "lines")]
            stacks: Stacks::default(),
        }
    }
}

/// When a held worker's stack is taken: as its hold is first told, and then ever more rarely. Each time
/// its thread is interrupted.
#[cfg(feature = "lines")]
#[derive(Default)]
struct Stacks {
    /// How long the hold has to last for the next one.
    due: Duration,
    taken: usize,
    /// How often in a row it did not come.
    missed: u32,
}

#[cfg(feature = "lines")]
impl Stacks {
    /// The least time from one to the next.
    const PAUSE: Duration = Duration::from_millis(100);

    /// The pause grows with the hold, to a share of its length that is one in this many: ten in the
    /// first second, fifty in the first minute.
    const SHARE: u32 = 10;

    /// After one that did not come the pause is this, and twice as long each time: the machine may be
    /// too busy to give the thread its turn, or the thread cannot be interrupted.
    const PAUSE_AFTER_MISS: Duration = Duration::from_millis(20);

    /// A thread that did not answer this often in a row is left alone for the rest of its hold.
    const MISSES: u32 = 8;

    fn take(&mut self, shared: &Shared, slot: &Slot, hold: &Hold) {
        let enough = self.taken == seen::STACKS || self.missed == Self::MISSES;
        if enough || hold.duration < self.due || lines::off().is_some() {
            return;
        }
        let pause = if let Ok(stack) = lines::take(slot.thread) {
            (self.taken, self.missed) = (self.taken + 1, 0);
            let at = shared.since_origin(stack.at);
            shared.seen.add(hold.worker, hold.started, at, stack);
            Self::PAUSE.max(hold.duration / Self::SHARE)
        } else {
            self.missed += 1;
            Self::PAUSE_AFTER_MISS * (1 << self.missed)
        };
        self.due = hold.duration + pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::shared::Raw;

    #[test]
    fn a_hold_that_was_told_as_over_is_not_told_again() {
        let shared = Shared::new();
        let mut events = shared.recorder.subscribe();
        let slot = Slot::new(0, system::now());
        let hold = |start, ongoing| {
            shared.hold(&Raw {
                slot: Arc::clone(&slot),
                start,
                duration: 150_000_000,
                cpu: None,
                delay: None,
                outside: 0,
                culprits: Vec::new(),
                waiting: 0,
                ongoing,
            })
        };
        let mut monitor = Monitor::default();
        let (first, second) = (system::now(), system::now() + 1_000_000_000);
        monitor.held(&shared, &slot, hold(first, true));
        for start in [first, second] {
            monitor.released(&shared, hold(start, false));
            // A worker that has no turn between handing over its hold and ending it shows it still.
            monitor.held(&shared, &slot, hold(start, true));
        }
        let told: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
        assert!(
            matches!(
                told[..],
                [Event::Held(_), Event::Released(_), Event::Released(_)]
            ),
            "{told:?}"
        );
    }
}
