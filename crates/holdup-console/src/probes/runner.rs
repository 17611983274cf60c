//! Runs probes of the app's own routes that are started from the page, one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tokio::runtime;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use url::Url;

use super::parameter::Values;
use crate::lane::CHUNKS;
use holdup_model::{HumanDuration, Lane, Timeline, millis};
use holdup_probe::{Event, Report, Request, Settings, Summary, Target, probe};
use holdup_verdict::experiment::{Http2, RoundKind};

/// The rounds of a probe, and the warm-up before them.
const STEPS: u8 = 4;

/// The same if another route is asked as well.
const STEPS_BESIDE: u8 = 6;

/// The state of a probe.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ProbeRun {
    id: u64,
    #[serde(flatten)]
    asked: Asked,
    state: State,
    phase: &'static str,
    step: u8,
    steps: u8,
    /// The time on the probe's own clock, which its lanes use.
    #[serde(rename = "now_ms", serialize_with = "millis::serialize")]
    now: Duration,
    #[serde(rename = "timeout_ms", serialize_with = "millis::serialize_option")]
    timeout: Option<Duration>,
    lanes: Vec<Lane>,
    /// The result, in the format of `probe --json`.
    findings: Option<Summary>,
    /// Why the probe failed.
    detail: Option<String>,
    #[serde(skip)]
    stop: Arc<Notify>,
}

/// What to measure.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Asked {
    pub(super) button: usize,
    pub(super) requests: usize,
    /// The values of the button's parameters.
    pub(super) values: Values,
    /// The route that is asked meanwhile.
    #[serde(skip)]
    pub(super) beside: Option<Target>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Running,
    Done,
    Failed,
    Stopped,
}

/// Starts probes and keeps the state of the last one.
#[derive(Debug)]
pub(super) struct Runner {
    latest: watch::Sender<Option<ProbeRun>>,
    started: AtomicU64,
    /// The longest that all rounds of a probe may take.
    longest: Duration,
}

/// The error when another probe is running.
#[derive(Debug)]
pub(super) struct Busy;

impl Runner {
    pub(super) fn new(longest: Duration) -> Self {
        Self {
            latest: watch::Sender::new(None),
            started: AtomicU64::new(0),
            longest,
        }
    }

    /// The latest probe, published whenever it changes.
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<ProbeRun>> {
        self.latest.subscribe()
    }

    /// Starts a probe on its own thread, and returns the probe's number without waiting.
    pub(super) fn start(self: &Arc<Self>, target: Target, asked: Asked) -> Result<u64, Busy> {
        let id = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let mut settings = Settings::default();
        settings.requests = asked.requests;
        settings.beside.extend(asked.beside.clone());
        // The page shows the rounds that the verdict and the cause rest on, and no others.
        settings.http2 = Http2::Off;
        let run = ProbeRun::new(id, asked);
        let stop = Arc::clone(&run.stop);
        let begun = self.latest.send_if_modified(|latest| {
            if latest
                .as_ref()
                .is_some_and(|run| run.state == State::Running)
            {
                return false;
            }
            *latest = Some(run);
            true
        });
        if !begun {
            return Err(Busy);
        }
        let runner = Arc::clone(self);
        let run = move || {
            // A panic, which the panic hook reports, must not keep the next probe from starting.
            let _guard = Unfinished(&runner, id);
            runner.run(&target, settings, &stop);
        };
        let thread = thread::Builder::new()
            .name("holdup-probe".to_owned())
            .spawn(run);
        if let Err(error) = thread {
            self.end(State::Failed, Some(format!("no thread for it: {error}")));
        }
        Ok(id)
    }

    /// Stops the running probe.
    pub(super) fn stop(&self) {
        if let Some(run) = &*self.latest.borrow() {
            run.stop.notify_one();
        }
    }

    fn run(&self, target: &Target, settings: Settings, stop: &Notify) {
        let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let why = format!("the probe cannot start: {error}");
                return self.end(State::Failed, Some(why));
            }
        };
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
            Some(Ok(report)) => self.update(|run| run.finish(&report)),
            Some(Err(_)) => {
                let why = format!(
                    "the probe took longer than {:#}; use fewer requests at once",
                    HumanDuration(self.longest)
                );
                self.end(State::Failed, Some(why));
            }
            None => self.end(State::Stopped, None),
        }
        // Dropping the runtime would wait for a name lookup that is still running.
        runtime.shutdown_background();
    }

    fn observe(&self, event: &Event<'_>) {
        self.update(|run| match event {
            Event::Round(round) => {
                (run.phase, run.step) = match round.kind {
                    RoundKind::Unique => ("unique", 3),
                    RoundKind::Identical => ("identical", 4),
                    RoundKind::BesideAlone => ("beside-alone", 5),
                    RoundKind::Beside => ("beside", 6),
                    _ => ("solo", 2),
                };
                run.timeout = Some(round.timeout);
                run.lanes.clear();
            }
            Event::Progress { timeline, now } => {
                run.now = *now;
                run.lanes = shown(&timeline.lanes);
            }
            _ => {}
        });
    }

    fn update(&self, change: impl FnOnce(&mut ProbeRun)) {
        self.latest.send_modify(|latest| {
            if let Some(run) = latest {
                change(run);
            }
        });
    }

    fn end(&self, state: State, detail: Option<String>) {
        self.update(|run| (run.state, run.detail) = (state, detail));
    }
}

/// Marks the probe with this number as failed on drop, if it is still running.
struct Unfinished<'a>(&'a Runner, u64);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.update(|run| {
            if run.id == self.1 && run.state == State::Running {
                let why = "internal error: the probe stopped unexpectedly".to_owned();
                (run.state, run.detail) = (State::Failed, Some(why));
            }
        });
    }
}

impl ProbeRun {
    fn new(id: u64, asked: Asked) -> Self {
        let steps = if asked.beside.is_some() {
            STEPS_BESIDE
        } else {
            STEPS
        };
        Self {
            id,
            asked,
            state: State::Running,
            phase: "warm-up",
            step: 1,
            steps,
            now: Duration::ZERO,
            timeout: None,
            lanes: Vec::new(),
            findings: None,
            detail: None,
            stop: Arc::default(),
        }
    }

    /// The path that the probe asks again and again beside the button's route, while the probe runs.
    pub(crate) fn beside(&self) -> Option<String> {
        let beside = self.asked.beside.as_ref();
        let url = Url::parse(beside.filter(|_| self.state == State::Running)?.url()).ok()?;
        Some(url.path().to_owned())
    }

    fn finish(&mut self, report: &Report) {
        let alone = || Timeline::from(report.found.alone.clone());
        let timeline = report.found.unique.clone().unwrap_or_else(alone);
        self.state = State::Done;
        self.now = timeline.end();
        self.lanes = shown(&timeline.lanes);
        self.findings = Some(report.summary());
    }
}

/// The lanes, with no more chunks than the page shows.
fn shown(lanes: &[Lane]) -> Vec<Lane> {
    let shown = |lane: &Lane| lane.with_newest_chunks(CHUNKS);
    lanes.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(beside: Option<&str>) -> Asked {
        Asked {
            button: 0,
            requests: 2,
            values: Values::default(),
            beside: beside.map(|url| Target::parse(url).expect("a URL")),
        }
    }

    #[test]
    fn the_other_route_is_named_only_while_it_is_asked() {
        let mut run = ProbeRun::new(1, asked(Some("http://127.0.0.1:8080/healthz?full=1")));
        assert_eq!(run.beside().as_deref(), Some("/healthz"));
        run.state = State::Done;
        assert_eq!(run.beside(), None);
        assert_eq!(ProbeRun::new(2, asked(None)).beside(), None);
    }

    #[test]
    fn a_probe_that_ends_does_not_change_the_next_one() {
        let run = |id| Some(ProbeRun::new(id, asked(None)));
        let state = |runner: &Runner| runner.latest.borrow().as_ref().map(|run| run.state);
        let runner = Runner::new(Duration::MAX);
        runner.latest.send_replace(run(1));
        let first = Unfinished(&runner, 1);
        // A result is published before its thread ends, and the next probe starts at once.
        runner.end(State::Done, None);
        runner.latest.send_replace(run(2));
        drop(first);
        assert_eq!(state(&runner), Some(State::Running));
        drop(Unfinished(&runner, 2));
        assert_eq!(state(&runner), Some(State::Failed));
    }
}
