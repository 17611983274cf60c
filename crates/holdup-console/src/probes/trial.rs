//! A probe of one of the app's own routes, started from the page: one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tokio::runtime;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::parameter::Values;
use crate::lane::CHUNKS;
use holdup_model::{HumanDuration, Lane, Timeline, millis};
use holdup_probe::{Event, Findings, Report, Request, Settings, Target, probe};
use holdup_verdict::experiment::RoundKind;

/// The phases, with the one that warms up.
const STEPS: u8 = 4;

/// A probe, as far as it has come.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Trial {
    id: u64,
    #[serde(flatten)]
    asked: Asked,
    state: State,
    phase: &'static str,
    step: u8,
    steps: u8,
    /// On its own clock, as its lanes are.
    #[serde(rename = "now_ms", serialize_with = "millis::serialize")]
    now: Duration,
    #[serde(rename = "timeout_ms", serialize_with = "millis::serialize_option")]
    timeout: Option<Duration>,
    lanes: Vec<Lane>,
    /// What was found, as `probe --json` has it.
    findings: Option<Findings>,
    /// Why it failed.
    detail: Option<String>,
    #[serde(skip)]
    stop: Arc<Notify>,
}

/// What to measure.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Asked {
    pub(super) button: usize,
    pub(super) requests: usize,
    /// Of the button's parameters.
    pub(super) values: Values,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Running,
    Done,
    Failed,
    Stopped,
}

/// Starts probes and knows the last one.
#[derive(Debug)]
pub(super) struct Trials {
    latest: watch::Sender<Option<Trial>>,
    started: AtomicU64,
    /// The longest that all rounds of a probe may take.
    longest: Duration,
}

/// One is running already.
#[derive(Debug)]
pub(super) struct Busy;

impl Trials {
    pub(super) fn new(longest: Duration) -> Self {
        Self {
            latest: watch::Sender::new(None),
            started: AtomicU64::new(0),
            longest,
        }
    }

    /// The latest, whenever there is news of it.
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<Trial>> {
        self.latest.subscribe()
    }

    /// Measures on a thread of its own, and returns the trial's number at once.
    pub(super) fn start(self: &Arc<Self>, target: Target, asked: Asked) -> Result<u64, Busy> {
        let id = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let requests = asked.requests;
        let trial = Trial::new(id, asked);
        let stop = Arc::clone(&trial.stop);
        let begun = self.latest.send_if_modified(|latest| {
            if latest
                .as_ref()
                .is_some_and(|trial| trial.state == State::Running)
            {
                return false;
            }
            *latest = Some(trial);
            true
        });
        if !begun {
            return Err(Busy);
        }
        let trials = Arc::clone(self);
        let run = move || {
            // A panic is told where it happens; the next one may start all the same.
            let _guard = Unfinished(&trials, id);
            trials.run(&target, requests, &stop);
        };
        let thread = thread::Builder::new()
            .name("holdup-probe".to_owned())
            .spawn(run);
        if let Err(error) = thread {
            self.end(State::Failed, Some(format!("no thread for it: {error}")));
        }
        Ok(id)
    }

    /// Ends the one that is running.
    pub(super) fn stop(&self) {
        if let Some(trial) = &*self.latest.borrow() {
            trial.stop.notify_one();
        }
    }

    fn run(&self, target: &Target, requests: usize, stop: &Notify) {
        let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let why = format!("the probe cannot start: {error}");
                return self.end(State::Failed, Some(why));
            }
        };
        let mut settings = Settings::default();
        settings.requests = requests;
        let request = Request::default();
        let mut observe = |event: Event<'_>| self.observe(&event);
        let outcome = runtime.block_on(async {
            let measured = probe(target, &request, settings, &mut observe);
            tokio::select! {
                measured = timeout(self.longest, measured) => Some(measured),
                () = stop.notified() => None,
            }
        });
        match outcome {
            Some(Ok(report)) => self.update(|trial| trial.finish(&report)),
            Some(Err(_)) => {
                let why = format!(
                    "the probe took longer than {:#}; use fewer requests at once",
                    HumanDuration(self.longest)
                );
                self.end(State::Failed, Some(why));
            }
            None => self.end(State::Stopped, None),
        }
        // A name that is still being looked up would be waited for otherwise.
        runtime.shutdown_background();
    }

    fn observe(&self, event: &Event<'_>) {
        self.update(|trial| match event {
            Event::Round(round) => {
                (trial.phase, trial.step) = match round.kind {
                    RoundKind::Unique => ("unique", 3),
                    RoundKind::Identical => ("identical", 4),
                    _ => ("solo", 2),
                };
                trial.timeout = Some(round.timeout);
                trial.lanes.clear();
            }
            Event::Progress { timeline, now } => {
                trial.now = *now;
                trial.lanes = shown(&timeline.lanes);
            }
            _ => {}
        });
    }

    fn update(&self, change: impl FnOnce(&mut Trial)) {
        self.latest.send_modify(|latest| {
            if let Some(trial) = latest {
                change(trial);
            }
        });
    }

    fn end(&self, state: State, detail: Option<String>) {
        self.update(|trial| (trial.state, trial.detail) = (state, detail));
    }
}

/// When it is dropped, the trial of that number has failed if it still runs.
struct Unfinished<'a>(&'a Trials, u64);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.update(|trial| {
            if trial.id == self.1 && trial.state == State::Running {
                let why = "the probe ended too early, which is a fault of the prober".to_owned();
                (trial.state, trial.detail) = (State::Failed, Some(why));
            }
        });
    }
}

impl Trial {
    fn new(id: u64, asked: Asked) -> Self {
        Self {
            id,
            asked,
            state: State::Running,
            phase: "warm-up",
            step: 1,
            steps: STEPS,
            now: Duration::ZERO,
            timeout: None,
            lanes: Vec::new(),
            findings: None,
            detail: None,
            stop: Arc::default(),
        }
    }

    fn finish(&mut self, report: &Report) {
        let alone = || Timeline::from(report.alone.clone());
        let timeline = report.unique.clone().unwrap_or_else(alone);
        self.state = State::Done;
        self.now = timeline.end();
        self.lanes = shown(&timeline.lanes);
        self.findings = Some(report.findings());
    }
}

/// The lanes, with no more chunks than are shown.
fn shown(lanes: &[Lane]) -> Vec<Lane> {
    let shown = |lane: &Lane| lane.with_newest_chunks(CHUNKS);
    lanes.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_ends_leaves_the_next_alone() {
        let trial = |id| {
            let asked = Asked {
                button: 0,
                requests: 2,
                values: Values::default(),
            };
            Some(Trial::new(id, asked))
        };
        let state = |trials: &Trials| trials.latest.borrow().as_ref().map(|trial| trial.state);
        let trials = Trials::new(Duration::MAX);
        trials.latest.send_replace(trial(1));
        let first = Unfinished(&trials, 1);
        // Its result is told before its thread ends, and somebody starts the next at once.
        trials.end(State::Done, None);
        trials.latest.send_replace(trial(2));
        drop(first);
        assert_eq!(state(&trials), Some(State::Running));
        drop(Unfinished(&trials, 2));
        assert_eq!(state(&trials), Some(State::Failed));
    }
}
