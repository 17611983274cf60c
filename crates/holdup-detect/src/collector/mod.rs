//! The thread that watches the workers from outside: it drains their queues, samples what they are in, asks
//! for heartbeats, and sends what it found to the threads of `sink`. It writes no log, looks up no names and
//! calls none of the app's code, so nothing keeps it from sampling the workers.

mod activity;
mod asking;
mod cadence;
#[cfg(any(target_os = "linux", test))]
mod call;
mod figures;
mod lock_holder;
mod parked;
mod publish;
mod schedule;
#[cfg(test)]
mod tests;
mod told;

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Once, Weak};
use std::thread;
use std::time::Duration;

use holdup_model::{Event, Hold};

use self::asking::Asking;
use self::cadence::{Cadence, Found, Pace};
use self::figures::Figures;
use self::publish::{losses, released, who, withdraw_gone, withdrawn};
use self::schedule::Schedule;
use self::told::Told;
use crate::outlets::{Figure, LogEntry, Outlet, Outlets};
use crate::oversleep::Lateness;
use crate::record::HoldId;
use crate::shared::Shared;
use crate::stack::{self, Missed, StackSample};
use crate::worker_state::WorkerState;

/// How many times per threshold the collector samples the workers.
const LOOKS: u64 = 4;

/// The shortest and the longest pause between two samples. The longest is short enough for a live page.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(25));

/// The pauses between two samples while the collector dozes: if all workers can be seen from outside, and if one of
/// them is woken each time. In both cases, that makes five wake-ups a second.
const DOZE: Duration = Duration::from_millis(200);
const DOZE_AND_WAKE: Duration = Duration::from_millis(400);

/// The longest that the end of a hold waits for the names of its stacks.
const NAMES: Duration = Duration::from_secs(2);

/// The same when the program is about to end.
const NAMES_AT_THE_END: Duration = Duration::from_millis(200);

/// Runs until the watch and all its workers are gone.
pub(crate) fn run(shared: &Weak<Shared>, outlets: &Outlets) {
    let Some(mut collector) = shared.upgrade().map(|shared| Collector::new(&shared)) else {
        return;
    };
    while let Some(shared) = shared.upgrade() {
        let is_busy = collector.look(&shared, outlets);
        if is_busy {
            let pause = collector.pause(&shared);
            collector.lateness.pauses(&shared.oversleeps, pause);
            drop(shared);
            thread::park_timeout(pause);
        } else {
            collector.lateness.ignore(&shared.oversleeps);
            collector.stays_awake(&shared);
            drop(shared);
            thread::park();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Collector {
    /// The latest hold of each worker.
    latest: HashMap<usize, Schedule>,
    /// Holds that are over and wait for the names of their stacks, each with the time at which the wait
    /// began.
    nameless: Vec<(Hold, Duration)>,
    lateness: Lateness,
    asking: Asking,
    cadence: Cadence,
    /// What follows the latest look.
    pace: Pace,
    /// Whether a thread failed to deliver its stack in this round of samples. No other stack is taken in the
    /// round, because waiting for it would take too long.
    has_missed: bool,
    figures: Figures,
    told: Told,
    /// The latest flush that was asked for, and when a look first found it.
    flush: (u64, Duration),
}

impl Collector {
    /// Creates a collector. It takes over the incomplete holds of an earlier one that panicked, if any.
    pub(crate) fn new(shared: &Shared) -> Self {
        let now = shared.elapsed();
        let incomplete = shared.memory.incomplete().into_iter();
        Self {
            latest: HashMap::new(),
            nameless: incomplete.map(|hold| (hold, now)).collect(),
            lateness: Lateness::new(shared.clock.clone()),
            asking: Asking::default(),
            cadence: Cadence::default(),
            pace: Pace::Awake,
            has_missed: false,
            figures: Figures::default(),
            told: Told::default(),
            flush: (0, Duration::ZERO),
        }
    }

    /// Samples all workers once. Returns false if no worker and no ongoing hold is left.
    pub(crate) fn look(&mut self, shared: &Shared, outlets: &Outlets) -> bool {
        if let Some(at) = shared.doze.woken() {
            self.lateness.was_woken(at);
        }
        self.lateness.note(&shared.oversleeps);
        self.has_missed = false;
        let (flush, is_flush) = (shared.flushes.asked(), shared.flushes.is_asked());
        let states = shared.workers.alive();
        let dozes = self.pace == Pace::Dozing && shared.doze.is_on();
        self.asking.begin(&states, dozes, shared.clock.now());
        let (mut held, mut is_ending) = (0, false);
        for state in &states {
            let (sample, cpu) = state.sample();
            // The clock is read before the worker's state, so that a busy period that begins meanwhile does not
            // appear to be older.
            let now = shared.clock.now();
            let unanswered = if self.asking.asks(state, now) {
                state.ask_beat(now, cpu)
            } else {
                state.unanswered()
            };
            let ongoing = state.ongoing(now);
            let since = ongoing.as_ref().map(|ongoing| ongoing.period.start);
            is_ending |= ongoing
                .as_ref()
                .is_some_and(|it| it.is_ending(now, shared.threshold()));
            if let Some(sample) = sample {
                state.keep(sample, since.or(unanswered));
            }
            // An idle loop polls its sockets anyway, so it is not asked.
            if ongoing.is_some() || unanswered.is_some() {
                state.sockets.ask(state.thread);
            }
            // Recorded after `now` was read, so that this lateness is not part of the hold, which ends at
            // `now`.
            self.lateness.note(&shared.oversleeps);
            if let Some(recorded) = shared.current(state, ongoing, unanswered, now) {
                held += 1;
                self.held(shared, outlets, state, recorded.hold);
            }
        }
        self.latest
            .retain(|worker, _| states.iter().any(|state| state.worker == *worker));
        self.lateness.note(&shared.oversleeps);
        self.take_closed(shared, outlets);
        self.release_named(shared, outlets);
        withdraw_gone(shared, outlets, &states);
        let (polls, now) = (shared.workers.polls(), shared.elapsed());
        let open = states.iter().map(|state| state.open()).sum();
        if is_flush {
            self.figures.are_due();
        }
        if let Some(figure) = self.figures.update(polls, open, held, states.len(), now) {
            outlets.metrics.send(figure);
        }
        // The time in which the process was stopped is known up to now. What follows may take long after a hold with
        // thousands of victims.
        self.lateness.works(&shared.oversleeps);
        losses(shared, outlets, &mut self.told);
        if is_flush {
            self.told.say_what_is_left_out(&outlets.log);
        }
        if self
            .figures
            .are_ended_due(now, is_flush || states.is_empty())
        {
            let times = shared.held_up_times();
            if self.figures.have_ended(&times) {
                outlets.metrics.send(Figure::Ended(times));
            }
        }
        shared.lanes.drain(
            |at| shared.since_origin(at),
            |loss| shared.blamed(loss).by.clone(),
            |event| shared.events.publish(event),
        );
        if !is_ending && self.has_published_all(flush, shared.elapsed(), &outlets.log) {
            shared.flushes.has_published(flush);
        }
        let is_lasting = !shared.lasting().is_empty();
        let is_published = self.nameless.is_empty() && !is_lasting;
        let mut found = self.asking.end(polls, is_published);
        if self.cadence.is_settling() && !shared.doze.is_on() {
            // A request was opened meanwhile.
            found = Found::Active;
        }
        self.pace = self.cadence.next(found, shared.clock.now());
        match self.pace {
            Pace::Settling => shared.doze.begin(),
            _ if !self.cadence.is_settling() => shared.doze.end(),
            Pace::Awake | Pace::Dozing => {}
        }
        !states.is_empty() || is_lasting
    }

    /// Whether everything is published that was over when a look first found this flush asked for. That look takes all
    /// of it, and only the names of stacks are waited for.
    fn has_published_all(&mut self, flush: u64, now: Duration, log: &Outlet<LogEntry>) -> bool {
        if self.flush.0 < flush {
            self.flush = (flush, now);
        }
        let taken_by = |since: Duration| since <= self.flush.1;
        let are_named = !self.nameless.iter().any(|(_, since)| taken_by(*since));
        are_named && self.told.is_all_told(log)
    }

    /// How long the collector pauses after the latest look.
    fn pause(&self, shared: &Shared) -> Duration {
        let awake = Duration::from_nanos(shared.threshold() / LOOKS).clamp(PAUSE.0, PAUSE.1);
        match self.pace {
            Pace::Awake | Pace::Settling => awake,
            // A request has woken the collector meanwhile.
            Pace::Dozing if !shared.doze.is_on() => awake,
            Pace::Dozing if self.asking.is_any_hidden() => DOZE_AND_WAKE,
            Pace::Dozing => DOZE,
        }
    }

    /// Begins anew to find out whether anything happens.
    fn stays_awake(&mut self, shared: &Shared) {
        shared.doze.end();
        (self.cadence, self.pace) = (Cadence::default(), Pace::Awake);
    }

    /// Logs and publishes the hold of a worker, and samples its thread.
    fn held(&mut self, shared: &Shared, outlets: &Outlets, state: &WorkerState, mut hold: Hold) {
        let id = HoldId::of(&hold);
        let latest = self.latest.get(&id.worker);
        if latest.is_none_or(|latest| latest.started < id.started) {
            self.latest.insert(id.worker, Schedule::new(id.started));
        }
        // The worker's state may still contain a hold that has ended or was cut off by another one. It is
        // skipped.
        let is_it = |latest: &&mut Schedule| latest.started == id.started && !latest.is_over();
        let Some(latest) = self.latest.get_mut(&id.worker).filter(is_it) else {
            return;
        };
        if let Some(activity) = activity::of(state.thread)
            && shared.is_in(state, id)
        {
            shared.lasting().note(id, activity);
        }
        // Set before the hold is announced, because the log line about another worker's hold may name it.
        latest.who = who(&hold);
        let deferred = latest.deferred.take();
        let is_due = deferred.is_some() || latest.is_due(hold.duration);
        let mut stack = deferred;
        if stack.is_none() {
            stack = self.take_stack(shared, outlets, state, &hold, is_due);
            // The hold is then announced with the next sample, with the line of code.
            let defers = |stack: &&Arc<StackSample>| !stack.is_known() && stack.is_quick();
            if let Some(stack) = stack.as_ref().filter(defers).filter(|_| is_due) {
                let latest = self.latest.get_mut(&id.worker);
                latest.expect("the schedule was read above").deferred = Some(Arc::clone(stack));
                return;
            }
        }
        shared.lasting().fill(&mut hold);
        let stack = stack.filter(|_| is_due);
        self.log(shared, outlets, &mut hold, is_due, stack.as_deref());
        self.name_line(shared, outlets, state, &hold);
        let mut lasting = shared.lasting();
        if let Some(event) = lasting.event(&hold) {
            outlets.metrics.send(Figure::Lasts(hold.clone()));
            if matches!(event, Event::Held(_)) {
                outlets.callbacks.send(hold);
            }
            // Published while `lasting` is locked, so that a subscription that begins meanwhile gets the
            // event exactly once.
            shared.events.publish(event);
        }
    }

    /// Takes the stack of a held worker if one is due, or if `at_once` is set.
    fn take_stack(
        &mut self,
        shared: &Shared,
        outlets: &Outlets,
        state: &WorkerState,
        hold: &Hold,
        at_once: bool,
    ) -> Option<Arc<StackSample>> {
        let stacks = &mut self.latest.get_mut(&hold.worker)?.stacks;
        let is_time = stacks.is_time(hold.duration, at_once) && !self.has_missed;
        if !is_time || !outlets.symbols.is_open() || !stack::is_on() {
            return None;
        }
        // The time that the thread takes to answer does not count as lateness of the collector.
        self.lateness.ignore(&shared.oversleeps);
        let taken = stack::take(state.thread);
        self.lateness.note(&shared.oversleeps);
        let stack = match taken {
            Ok(stack) => Arc::new(stack),
            Err(missed) => {
                self.has_missed = true;
                stacks.miss(hold.duration);
                if missed == Missed::SignalTaken {
                    static LOGGED: Once = Once::new();
                    LOGGED.call_once(|| {
                        outlets.log.send(LogEntry::SignalTaken);
                    });
                }
                return None;
            }
        };
        stacks.take(hold.duration);
        if !outlets.symbols.send(Arc::clone(&stack)) {
            return None;
        }
        let id = HoldId::of(hold);
        let at = shared.since_origin(stack.at());
        shared.lasting().add_stack(id, at, &stack);
        // The hold may have ended between the sample and the stack.
        shared.is_in(state, id).then_some(stack)
    }

    /// Logs an ongoing hold when it is due, with the line of code that runs now, if that is known.
    fn log(
        &mut self,
        shared: &Shared,
        outlets: &Outlets,
        hold: &mut Hold,
        is_due: bool,
        stack: Option<&StackSample>,
    ) {
        let Some(latest) = self.latest.get_mut(&hold.worker) else {
            return;
        };
        if !is_due && latest.is_logged {
            return;
        }
        if shared.settings.allows(hold) {
            return;
        }
        if let Some(line) = stack.and_then(|stack| stack.line(hold)) {
            hold.lines = vec![line];
        }
        latest.is_logged = true;
        latest.is_named |= !hold.lines.is_empty();
        let lock_holder = lock_holder::of(shared, &self.latest, hold);
        let hold = hold.clone();
        outlets.log.send(LogEntry::Held { hold, lock_holder });
    }

    /// Logs the line of code that holds a worker, if no earlier log line of this hold has named one.
    fn name_line(&mut self, shared: &Shared, outlets: &Outlets, state: &WorkerState, hold: &Hold) {
        let id = HoldId::of(hold);
        let latest = self.latest.get_mut(&hold.worker);
        let Some(latest) = latest.filter(|latest| latest.is_logged && !latest.is_named) else {
            return;
        };
        let stack = shared.lasting().latest_stack(id);
        let Some(line) = stack.and_then(|stack| stack.line(hold)) else {
            return;
        };
        // If the hold has ended, the log line about its end names the code.
        if !shared.is_in(state, id) {
            return;
        }
        latest.is_named = true;
        let who = latest.who.clone();
        let mut hold = hold.clone();
        hold.lines = vec![line];
        let lock_holder = lock_holder::of(shared, &self.latest, &hold);
        outlets.log.send(LogEntry::Named {
            hold,
            who,
            lock_holder,
        });
    }

    /// Takes the holds that have ended, and withdraws those that turned out not to be holds.
    fn take_closed(&mut self, shared: &Shared, outlets: &Outlets) {
        let judged = shared.memory.judge(
            |record| shared.named(record),
            |recorded| shared.judged(recorded),
        );
        let now = shared.elapsed();
        // A worker notes the spans of a hold's culprits before it hands over the hold.
        self.told.take(&outlets.log, &shared.spans, now);
        let ended = judged.holds.iter().map(HoldId::of);
        for id in ended.chain(judged.none.iter().copied()) {
            // The worker's state may still contain the hold, so it is marked as over.
            let latest = self.latest.get(&id.worker);
            if latest.is_none_or(|latest| latest.started <= id.started) {
                self.latest.insert(id.worker, Schedule::over(id.started));
            }
        }
        for id in judged.none {
            self.told.forget(id);
            let mut lasting = shared.lasting();
            if let Some(hold) = lasting.remove(id) {
                withdrawn(shared, outlets, hold);
            }
        }
        for hold in judged.holds {
            shared.lasting().ends(HoldId::of(&hold));
            outlets.metrics.send(Figure::Ends(HoldId::of(&hold)));
            self.nameless.push((hold, now));
        }
    }

    /// Publishes the holds that are over, once the names of their stacks are known. The holds of one worker
    /// are published in the order in which they ended.
    fn release_named(&mut self, shared: &Shared, outlets: &Outlets) {
        let now = shared.elapsed();
        let mut waiting = Vec::new();
        for (hold, since) in mem::take(&mut self.nameless) {
            let patience = if shared.flushes.is_asked() {
                NAMES_AT_THE_END
            } else {
                NAMES
            };
            let waits =
                now.saturating_sub(since) < patience && !shared.lasting().are_names_known(&hold);
            if waits || waiting.contains(&hold.worker) {
                waiting.push(hold.worker);
                self.nameless.push((hold, since));
            } else {
                released(shared, outlets, &mut self.told, hold);
            }
        }
    }
}
