//! The thread that looks at the workers from outside: it sees a hold while it lasts, and is the
//! only one to tell of it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use tracing::warn;

use super::activity;
use super::figures::Figures;
use super::oversleep::Lateness;
use super::shared::Shared;
use super::slot::Slot;
use super::system;
use super::told::Told;
#[cfg(feature = "stacks")]
use super::{hold::who, holder, seen};
#[cfg(feature = "stacks")]
use holdup_model::LineSummary;
use holdup_model::millis::Millis;
use holdup_model::{Event, Hold};
#[cfg(feature = "stacks")]
use holdup_stack::{self as lines, Stack};

/// How often it looks: this many times in a threshold.
const LOOKS: u64 = 4;

/// How often at most, and at least: often enough for a page that is drawn live.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(25));

/// How often a hold that lasts is published anew.
const UPDATES: Duration = Duration::from_millis(250);

/// A hold that its worker has not been in at so many looks in a row, and that did not come to its end, was
/// none. At one look alone the worker may have changed what it shows meanwhile.
const GONE: u32 = 3;

/// A hold that was published as held, as of its latest event.
#[derive(Debug)]
struct Lasting {
    hold: Hold,
    /// At how many looks in a row its worker was not in it.
    gone: u32,
}

/// Starts the thread. It ends when the watch and all its workers are gone.
pub(super) fn start(shared: Weak<Shared>) -> Thread {
    let run = move || {
        let mut monitor = Monitor::default();
        #[cfg(feature = "stacks")]
        lines::start();
        while let Some(shared) = shared.upgrade() {
            let some = monitor.look(&shared);
            #[cfg(feature = "stacks")]
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
    /// The latest hold of each worker, and what was told of it.
    told: HashMap<usize, Told>,
    /// The holds that were published as held and are not over, by worker and beginning.
    lasting: HashMap<(usize, Duration), Lasting>,
    figures: Figures,
    lateness: Lateness,
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
            // A loop that has nothing to do looks at its sockets: no need to ask.
            if ongoing.is_some() || unanswered.is_some() {
                slot.sockets.ask(slot.thread);
            }
            // What is late by now cannot be in the hold, which is looked at as of before.
            self.lateness.note(&shared.oversleeps);
            if let Some(hold) = shared.current(slot, ongoing, unanswered, now) {
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
        let (over, none) = shared.untold();
        for hold in over {
            self.released(shared, hold);
        }
        for began in none {
            if let Some(lasting) = self.lasting.remove(&began) {
                shared.recorder.send(Event::Withdrawn(lasting.hold));
            }
        }
        self.withdraw(shared, &slots);
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
        // Its worker may show one that is over for a moment longer.
        let told = self.told.get_mut(&worker);
        let Some(told) = told.filter(|told| told.started == started) else {
            return;
        };
        let is_due = told.is_due(hold.duration);
        #[cfg(feature = "stacks")]
        let stack = told.take_stack(shared, slot, &hold, is_due);
        if is_due {
            shared.seen.fill(&mut hold, shared.elapsed());
            #[cfg(feature = "stacks")]
            told.tells(&mut hold, stack.as_deref());
            let holder = self.lock_holder(shared, &hold);
            warn!(target: "holdup", worker, "{hold}{holder}");
        }
        self.publish(shared, &hold, is_new);
        // Only now, as it may take a while.
        #[cfg(feature = "stacks")]
        if let Some(stack) = stack {
            self.name_line(shared, slot, hold, &stack);
        }
    }

    /// Publishes a hold that is new, or lasts and has something new.
    fn publish(&mut self, shared: &Shared, hold: &Hold, is_new: bool) {
        let began = (hold.worker, hold.started);
        let event = match self.lasting.get_mut(&began) {
            None if is_new => Event::Held(hold.clone()),
            None => return,
            Some(lasting) => {
                lasting.gone = 0;
                let last = &lasting.hold;
                let has_changed = hold.activity != last.activity
                    || (!hold.lines.is_empty() && hold.lines != last.lines);
                if !has_changed && hold.duration < last.duration + UPDATES {
                    return;
                }
                Event::Updated(hold.clone())
            }
        };
        let hold = hold.clone();
        self.lasting.insert(began, Lasting { hold, gone: 0 });
        shared.recorder.send(event);
    }

    /// Withdraws the holds that are over, though nothing came of them.
    fn withdraw(&mut self, shared: &Shared, slots: &[Arc<Slot>]) {
        self.lasting.retain(|(worker, started), lasting| {
            let slot = slots.iter().find(|slot| slot.worker == *worker);
            let is_in = slot.is_some_and(|slot| slot.is_in(shared, *started));
            lasting.gone = if is_in { 0 } else { lasting.gone + 1 };
            if lasting.gone >= GONE {
                shared.recorder.send(Event::Withdrawn(lasting.hold.clone()));
            }
            lasting.gone < GONE
        });
    }

    fn released(&mut self, shared: &Shared, hold: Hold) {
        self.lateness.ignore(&shared.oversleeps);
        // Its worker may show it for a moment longer.
        let told = self.told.get(&hold.worker);
        if told.is_none_or(|told| told.started <= hold.started) {
            self.told.insert(hold.worker, Told::over(hold.started));
        }
        warn!(
            target: "holdup",
            worker = hold.worker,
            duration_ms = Millis(hold.duration).number(),
            "{hold}"
        );
        Figures::hold(&hold);
        self.lasting.remove(&(hold.worker, hold.started));
        shared.recorder.send(Event::Released(hold));
    }
}

#[cfg(feature = "stacks")]
impl Monitor {
    /// Tells on which line a worker is held, when no warning of the hold could so far.
    fn name_line(&mut self, shared: &Shared, slot: &Slot, mut hold: Hold, stack: &Stack) {
        let line = seen::line(stack.reading(), &hold);
        let told = self.told.get_mut(&hold.worker);
        let (Some(line), Some(told)) = (line, told.filter(|told| !told.is_named)) else {
            return;
        };
        // If it is over, the warning of its end names the line.
        if !slot.is_in(shared, hold.started) {
            return;
        }
        told.is_named = true;
        hold.lines = vec![line];
        let (worker, who, line) = (hold.worker, who(&hold), LineSummary(&hold.lines));
        let holder = self.lock_holder(shared, &hold);
        warn!(target: "holdup", worker, "worker {worker}, held by {who}, is {line}{holder}");
    }

    /// What follows a hold's sentence when somebody may have the lock that it waits for.
    fn lock_holder(&self, shared: &Shared, hold: &Hold) -> String {
        let holder = holder::of(shared, &self.told, hold);
        holder.map_or_else(String::new, |holder| {
            format!("; the lock is perhaps held by {holder}")
        })
    }
}

#[cfg(not(feature = "stacks"))]
impl Monitor {
    #[expect(clippy::unused_self, reason = "with the feature it is used")]
    fn lock_holder(&self, _: &Shared, _: &Hold) -> &'static str {
        ""
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::hold::HoldKind;
    use crate::shared::Raw;

    const SECOND: u64 = 1_000_000_000;

    const STARVED: HoldKind = HoldKind::Starved { turns: 3 };

    fn hold(
        shared: &Shared,
        slot: &Arc<Slot>,
        kind: HoldKind,
        (start, duration): (u64, u64),
        ongoing: bool,
    ) -> Hold {
        let recorded = shared.hold(&Raw {
            kind,
            slot: Arc::clone(slot),
            start,
            duration,
            cpu: None,
            delay: None,
            outside: 0,
            culprits: Vec::new(),
            waiting: 0,
            ongoing,
        });
        recorded.hold
    }

    /// What is logged of holds meanwhile, by the calling thread.
    fn logged(act: impl FnOnce()) -> Vec<String> {
        #[derive(Clone, Default)]
        struct Log(Arc<Mutex<Vec<u8>>>);
        impl Write for Log {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                log.write(bytes)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        // While there is one subscriber alone, tracing asks that of whichever thread first comes to a log
        // line whether it is wanted at all: another test's, which has none.
        let _another = tracing::Dispatch::new(tracing_subscriber::fmt().finish());
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, act);
        let log = log.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = String::from_utf8_lossy(&log);
        let of_holds = lines.lines().filter(|line| line.contains(" worker 0"));
        of_holds.map(str::to_owned).collect()
    }

    #[test]
    fn a_hold_that_lasts_is_logged_again_and_again_and_its_end_with_three_decimals() {
        let starved = " holds worker 0: its loop turned 3 times without looking at its sockets for";
        for (kind, words) in [
            (HoldKind::Blocked, " holds worker 0 for"),
            (STARVED, starved),
        ] {
            let shared = Shared::new();
            let mut events = shared.recorder.subscribe();
            let slot = Slot::new(0, system::now());
            let start = system::now();
            let hold = |duration, ongoing| hold(&shared, &slot, kind, (start, duration), ongoing);
            let logged = logged(|| {
                let mut monitor = Monitor::default();
                for lasted in 1..1_300 {
                    monitor.held(&shared, &slot, hold(lasted * SECOND / 10, true));
                }
                monitor.released(&shared, hold(702_706_607, false));
            });
            let expected = ["100 ms", "1.00 s", "10.0 s", "60.0 s", "120 s"];
            assert_eq!(logged.len(), expected.len() + 1, "{logged:#?}");
            for (line, duration) in logged.iter().zip(expected) {
                let told = format!("{words} {duration} so far");
                assert!(line.contains(&told), "{line}");
            }
            assert!(logged[5].ends_with("duration_ms=702.707"), "{logged:#?}");
            // Who draws it is told of it at its beginning and its end, and four times a second between.
            let told: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
            let [Event::Held(_), updates @ .., Event::Released(_)] = &told[..] else {
                panic!("{told:?}")
            };
            assert_eq!(updates.len(), 1_298 / 3, "a look each tenth of a second");
            let is_update = |event: &Event| matches!(event, Event::Updated(_));
            assert!(updates.iter().all(is_update), "{told:?}");
        }
    }

    #[test]
    fn a_starved_hold_that_a_blocked_one_cuts_off_is_told_once() {
        let shared = Shared::new();
        let mut events = shared.recorder.subscribe();
        let slot = Slot::new(0, system::now());
        let start = system::now();
        let starved = |ongoing| {
            let time = (start, SECOND / 2);
            hold(&shared, &slot, STARVED, time, ongoing)
        };
        let blocked = |ongoing| {
            let time = (start + SECOND / 2, SECOND);
            hold(&shared, &slot, HoldKind::Blocked, time, ongoing)
        };
        let mut monitor = Monitor::default();
        monitor.held(&shared, &slot, starved(true));
        monitor.held(&shared, &slot, blocked(true));
        // A look may still find the one that was cut off.
        monitor.held(&shared, &slot, starved(true));
        monitor.held(&shared, &slot, blocked(true));
        monitor.released(&shared, starved(false));
        monitor.released(&shared, blocked(false));
        let kinds = std::iter::from_fn(|| events.try_next()).map(|event| match event {
            Event::Held(hold) => (hold.kind, true),
            Event::Released(hold) => (hold.kind, false),
            other => panic!("{other:?}"),
        });
        let kinds: Vec<_> = kinds.collect();
        let blocked = HoldKind::Blocked;
        assert_eq!(
            kinds,
            [
                (STARVED, true),
                (blocked, true),
                (STARVED, false),
                (blocked, false)
            ]
        );
    }

    #[test]
    fn a_hold_that_was_told_as_over_is_not_told_again() {
        let shared = Shared::new();
        let mut events = shared.recorder.subscribe();
        let slot = Slot::new(0, system::now());
        let hold = |start, ongoing| {
            let time = (start, 150_000_000);
            hold(&shared, &slot, HoldKind::Blocked, time, ongoing)
        };
        let mut monitor = Monitor::default();
        let (first, second) = (system::now(), system::now() + SECOND);
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
