//! The thread that looks at the workers from outside: it sees a hold while it lasts, and is the
//! only one to tell of it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use tracing::warn;

use super::figures::Figures;
use super::hold::Hold;
use super::recorder::Event;
use super::shared::Shared;
use super::system;

/// How often it looks: this many times in a threshold.
const LOOKS: u64 = 4;

/// How often at most, and at least: often enough for a page that is drawn live.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(25));

/// Starts the thread. It ends when the watch and all its workers are gone.
pub(super) fn start(shared: Weak<Shared>) -> Thread {
    let run = move || {
        let mut monitor = Monitor::default();
        while let Some(shared) = shared.upgrade() {
            let pause = if monitor.look(&shared) {
                let pause = Duration::from_nanos(shared.threshold() / LOOKS);
                Some(pause.clamp(PAUSE.0, PAUSE.1))
            } else {
                None
            };
            drop(shared);
            match pause {
                Some(pause) => thread::park_timeout(pause),
                None => thread::park(),
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
    /// When the hold began of which a worker's warning has told, by worker.
    told: HashMap<usize, Duration>,
    figures: Figures,
}

impl Monitor {
    /// One look at everything. False when there is no worker to look at.
    fn look(&mut self, shared: &Arc<Shared>) -> bool {
        let slots = shared.slots();
        let mut held_workers = 0;
        for slot in &slots {
            // Before the look, so that a stretch that begins during it is not taken for older.
            let now = system::now();
            let unanswered = slot.ask_beat(now);
            let ongoing = slot.ongoing(now);
            let since = ongoing.as_ref().map(|ongoing| ongoing.stretch.start);
            slot.sample(now, since.or(unanswered));
            let hold = match ongoing {
                Some(ongoing) => shared.ongoing(slot, ongoing, now),
                None => unanswered.and_then(|asked| shared.outside(slot, asked, now)),
            };
            if let Some(hold) = hold {
                held_workers += 1;
                if self.told.insert(hold.worker, hold.started) != Some(hold.started) {
                    warn!(target: "holdup", worker = hold.worker, "{hold}");
                    shared.recorder.send(Event::Held(hold));
                }
            }
        }
        for hold in shared.untold() {
            self.released(shared, hold);
        }
        self.figures
            .update(shared.polls(), held_workers, slots.len());
        shared.recorder.pass_on(|at| shared.since_origin(at));
        !slots.is_empty()
    }

    fn released(&mut self, shared: &Shared, hold: Hold) {
        if self.told.get(&hold.worker) == Some(&hold.started) {
            self.told.remove(&hold.worker);
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
