//! The task that owns the state of the page and sends every change to all readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web::Bytes;
use metrics_exporter_prometheus::PrometheusRecorder;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::await_points::AwaitPoints;
use super::board::Board;
use super::doing::Doing;
use super::figures::{self, End, Recorded};
use super::holds::{self, Holds};
use super::lane;
use super::looks::Looks;
use super::message::{Intro, Limits, Message, SCHEMA, Snapshot, Worker};
use super::probes::{self, ProbeRun, Published};
use super::rest::Rest;
use super::survey::Survey;
use super::surveys::Surveys;
use super::trace;
use super::unread::unread;
use holdup_model::millis::Millis;
use holdup_watch::{Event, Subscription, Watch};

/// The interval between batches: short enough to look live, and long enough to put thousands of
/// events into one batch.
const BEAT: Duration = Duration::from_millis(50);

/// The interval between batches when nothing changes. Readers learn from them that the connection
/// is alive, and what time it is on the watch's clock.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A hold is published within this time after it crosses the threshold.
const KNOWN_WITHIN: Duration = Duration::from_millis(500);

/// The last requests of a probe are read within this time after it has ended.
const READ_WITHIN: Duration = Duration::from_secs(1);

/// How many batches a reader may fall behind: more than six seconds' worth.
const MAX_LAG: usize = 128;

/// The questions that the hub answers.
pub(super) enum Command {
    /// The snapshot, and a subscription to all later batches. The app's URL depends on how the
    /// reader's browser reached the console.
    Join(
        Option<String>,
        oneshot::Sender<(Bytes, broadcast::Receiver<Bytes>)>,
    ),
    /// The snapshot alone.
    State(Option<String>, oneshot::Sender<Bytes>),
    /// The snapshot as a trace.
    Trace(oneshot::Sender<Value>),
    /// What open requests do from now on.
    Survey(oneshot::Sender<Arc<Surveyed>>),
}

/// A survey of the open requests.
pub(super) struct Surveyed {
    pub(super) survey: Survey,
    /// What the page shows of it; `None` if no reader is there.
    pub(super) doing: Option<Doing>,
}

pub(super) struct Hub {
    pub(super) watch: Watch,
    pub(super) events: Subscription,
    /// How many lanes were recorded before this console started.
    pub(super) lanes_before: u64,
    pub(super) buttons: Vec<Published>,
    pub(super) intro: Option<Intro>,
    pub(super) most_lanes: usize,
    /// A request whose path and query contain one of these is drawn first.
    pub(super) followed: Vec<String>,
    /// The port of the app, if it is known.
    pub(super) port: Option<u16>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) run: watch::Receiver<Option<ProbeRun>>,
    pub(super) readers: Arc<AtomicUsize>,
    pub(super) recorder: Arc<PrometheusRecorder>,
    pub(super) await_points: Arc<AwaitPoints>,
}

/// What the hub works with.
struct State {
    board: Board,
    news: broadcast::Sender<Bytes>,
    figures: Recorded,
    holds: Holds,
    /// The path that a probe asks beside a button's route, and when the probe last ran.
    beside: Option<(String, Duration)>,
    /// When a worker was last known to be held.
    held_at: Duration,
    sent_at: Duration,
    looks: Looks,
    surveys: Surveys<Surveyed>,
    /// What was last sent of a survey.
    doing: Option<Doing>,
    rest: Rest,
}

impl Hub {
    /// Runs until every sender of questions is dropped.
    pub(super) async fn run(mut self) {
        let mut board = Board::new(self.lanes_before, self.most_lanes, self.watch.least_hold());
        board.follow(std::mem::take(&mut self.followed));
        let mut state = State {
            board,
            news: broadcast::channel(MAX_LAG).0,
            figures: Recorded::new(&self.recorder, &self.watch),
            holds: Holds::default(),
            beside: None,
            held_at: Duration::ZERO,
            sent_at: Duration::ZERO,
            looks: Looks::default(),
            surveys: Surveys::default(),
            doing: None,
            rest: Rest::default(),
        };
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let rests = state.rest.is_on();
            let mut first = None;
            let asked = tokio::select! {
                _ = beat.tick(), if !rests => None,
                event = self.events.next(), if rests => {
                    first = event;
                    None
                }
                command = self.commands.recv() => Some(command),
                () = state.surveys.until_ended() => None,
            };
            if rests {
                // Nothing was open meanwhile.
                state.board.advance(0, self.watch.elapsed());
            }
            // Events are applied before a question is answered, so that the answer is current.
            let is_active = self.turn(&mut state, first) || asked.is_some();
            state.rest.note(is_active, self.watch.elapsed());
            match asked {
                None => {}
                Some(Some(command)) => self.answer(&mut state, command),
                Some(None) => return,
            }
        }
    }

    fn is_read(&self) -> bool {
        self.readers.load(Ordering::Relaxed) > 0
    }

    /// Applies new events, of which one may have been taken already, and sends the changes. Returns whether something
    /// happened, or may happen without an event.
    fn turn(&mut self, state: &mut State, mut first: Option<Event>) -> bool {
        self.events.want_chunks(self.is_read());
        let workers = self.watch.workers();
        let now = self.watch.elapsed();
        if let Some(path) = self.run.borrow().as_ref().and_then(ProbeRun::beside) {
            state.beside = Some((path, now));
        }
        let lately = |(_, at): &&(String, Duration)| now.saturating_sub(*at) < READ_WITHIN;
        let beside = state.beside.as_ref().filter(lately);
        state.board.leave_out(beside.map(|(path, _)| path.as_str()));
        let mut ended = Vec::new();
        let mut is_active = false;
        while let Some(event) = first.take().or_else(|| self.events.try_next()) {
            is_active = true;
            match event {
                Event::Held(hold) | Event::Updated(hold) => {
                    state.board.draw_culprits(&hold);
                    state.holds.lasts(hold);
                }
                Event::Released(hold) => {
                    state.board.draw_culprits(&hold);
                    ended.push(End::Released(hold.clone()));
                    state.holds.released(hold);
                }
                Event::Withdrawn(hold) => {
                    ended.push(End::Withdrawn(hold.clone()));
                    state.holds.withdrawn(hold);
                }
                Event::Lost { .. } => {
                    state.holds.lost();
                    state.board.apply(event);
                }
                _ => state.board.apply(event),
            }
        }
        let open = workers.iter().map(|load| load.open).sum();
        is_active |= open > 0 || !state.holds.none_lasts() || self.is_read();
        self.look_for_waiting(state, now);
        state.board.advance(open, now);

        let mut news = Batch::default();
        state.board.drain_changes(&mut |change| news.add(&change));
        state.holds.drain_changes(&mut |change| news.add(&change));
        self.survey(state, now);
        if let Some(doing) = self.new_doing(state) {
            news.add(&Message::Doing(doing));
        }
        if self.run.has_changed().unwrap_or(false)
            && let Some(run) = &*self.run.borrow_and_update()
        {
            news.add(&Message::Probe(run));
        }
        if !news.is_empty() || now.saturating_sub(state.sent_at) >= HEARTBEAT {
            state.sent_at = now;
            news.add(&Message::Now {
                now_ms: Millis(now),
                totals: state.board.totals(),
                workers: workers.clone(),
            });
            // A send fails only when there are no readers, which is not an error.
            state.news.send(news.into_bytes()).ok();
        }

        let now = figures::Now {
            at: now,
            holds: &state.holds,
            ended: &ended,
            workers: workers.len(),
            open,
            requests: state.board.totals().requests,
            readers: self.readers.load(Ordering::Relaxed),
        };
        state.figures.update(&self.recorder, &self.watch, &now);
        is_active || state.board.has_waiting() || state.surveys.are_wanted()
    }

    /// Surveys the open requests, if somebody looks and it is time.
    fn survey(&self, state: &mut State, now: Duration) {
        let is_read = self.is_read();
        let (watch, least) = (self.watch.clone(), self.watch.least_hold());
        let drawn = state.board.drawn_open();
        state.surveys.begin(now, is_read, move || {
            let survey = Survey::take(&watch);
            let doing = is_read.then(|| Doing::new(&survey, least, &drawn));
            Surveyed { survey, doing }
        });
    }

    /// What open requests do, if readers have not been sent it.
    fn new_doing<'a>(&self, state: &'a mut State) -> Option<&'a Doing> {
        let is_read = self.is_read();
        if !is_read {
            // The next reader must not get what is long past.
            state.doing = None;
        }
        let surveyed = state.surveys.take_ended()?;
        if self.await_points.are_scraped(surveyed.survey.at) {
            surveyed.survey.record_in(&self.await_points);
        }
        let mut doing = surveyed.doing.clone()?;
        let drawn = state.board.drawn_open();
        doing.lanes.retain(|lane| drawn.contains(&lane.lane));
        let is_new = is_read && state.doing.as_ref() != Some(&doing);
        if is_new {
            state.doing = Some(doing);
        }
        state.doing.as_ref().filter(|_| is_new)
    }

    /// Looks for connections that wait for a held worker.
    fn look_for_waiting(&self, state: &mut State, now: Duration) {
        let Some(port) = self.port else { return };
        let seen = state.looks.ended(now);
        if !state.holds.none_lasts() {
            state.held_at = now;
        } else if !state.board.has_waiting() {
            // The result of a look that is already running does not apply to the next hold.
            state.looks.outdate(now);
            return;
        } else if now.saturating_sub(state.held_at) >= KNOWN_WITHIN + self.watch.least_hold() {
            // Bytes that are unread now wait for something other than a held worker. The margin is
            // the threshold, because the next hold is not detected before it.
            state.board.set_unread(&[], now);
            state.looks.outdate(now);
            return;
        }
        if let Some((peers, at)) = seen {
            state.board.set_unread(&peers, at);
        }
        state.looks.begin(now, move || unread(port));
    }

    fn answer(&self, state: &mut State, command: Command) {
        // The reader that asked may have left, which is not an error.
        match command {
            Command::Join(app, reply) => {
                let mut news = Batch::default();
                self.snapshot(state, app, |snapshot| news.add(snapshot));
                let first = news.into_bytes();
                reply.send((first, state.news.subscribe())).ok();
            }
            Command::State(app, reply) => {
                self.snapshot(state, app, |snapshot| {
                    let json = serde_json::to_vec(snapshot).unwrap_or_default();
                    reply.send(json.into()).ok();
                });
            }
            Command::Trace(reply) => {
                let (workers, now) = (self.watch.workers(), self.watch.elapsed());
                let trace = trace::trace(&state.board, &state.holds, &workers, now);
                reply.send(trace).ok();
            }
            Command::Survey(reply) => {
                state.surveys.ask(reply);
                self.survey(state, self.watch.elapsed());
            }
        }
    }

    /// Calls `send` with a message that holds the complete state.
    fn snapshot(&self, state: &State, app: Option<String>, send: impl FnOnce(&Message<'_>)) {
        let held = state.holds.by_worker();
        let workers = self.watch.workers().into_iter();
        let workers = workers.map(|load| Worker {
            load,
            held: held.get(&load.worker).map(|&hold| hold.clone().into()),
        });
        let run = self.run.borrow();
        let board = &state.board;
        send(&Message::Snapshot(Box::new(Snapshot {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            now_ms: Millis(self.watch.elapsed()),
            threshold_ms: Millis(self.watch.least_hold()),
            limits: Limits {
                lanes: self.most_lanes,
                chunks: lane::CHUNKS,
                holds: holds::OVER,
                requests: probes::MOST_REQUESTS,
                beat_ms: Millis(BEAT),
                heartbeat_ms: Millis(HEARTBEAT),
            },
            intro: self
                .intro
                .as_ref()
                .map(|intro| intro.at(app.as_deref().unwrap_or_default())),
            app_url: app,
            buttons: &self.buttons,
            workers: workers.collect(),
            lanes: board.lanes().collect(),
            waiting: board.waiting(),
            holds: state.holds.over().cloned().map(Into::into).collect(),
            totals: board.totals(),
            doing: state.doing.as_ref(),
            probe: run.as_ref(),
        })));
    }
}

/// Messages that are sent together, as server-sent events.
#[derive(Default)]
pub(super) struct Batch {
    text: String,
}

impl Batch {
    pub(super) fn add(&mut self, message: &impl Serialize) {
        // Serializing strings and numbers cannot fail.
        if let Ok(json) = serde_json::to_string(message) {
            self.text.push_str("data: ");
            self.text.push_str(&json);
            self.text.push_str("\n\n");
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.text.into()
    }
}
