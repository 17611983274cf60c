//! The task that plays a record and sends every change to all readers, as the hub does for a live watch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{MissedTickBehavior, interval};

use super::control::Control;
use super::player::Player;
use crate::doing::Doing;
use crate::holds;
use crate::hub::{Batch, Command, Surveyed};
use crate::lane;
use crate::message::{Intro, Limits, Message, SCHEMA, Snapshot, Worker};
use crate::probes;
use crate::trace;
use holdup_model::millis::Millis;

/// The interval between batches while it plays.
const BEAT: Duration = Duration::from_millis(50);

/// The interval while it does not. Readers that are gone are noticed by what they are sent.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How often what open requests do is worked out again.
const DOING: Duration = Duration::from_millis(500);

/// How many batches a reader may fall behind.
const MAX_LAG: usize = 128;

pub(crate) struct Conductor {
    pub(super) player: Player,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) controls: mpsc::Receiver<Control>,
    pub(super) readers: Arc<AtomicUsize>,
}

/// What readers were sent.
struct Sent {
    news: broadcast::Sender<Bytes>,
    doing: Doing,
    doing_at: Instant,
    /// Whether it plays, how fast, and where it is.
    state: (bool, f64, Duration),
    at: Instant,
}

impl Conductor {
    /// Runs until every sender of questions is dropped.
    pub(crate) async fn run(mut self) {
        let mut then = Instant::now();
        let mut sent = Sent {
            news: broadcast::channel(MAX_LAG).0,
            doing: Doing::default(),
            doing_at: then,
            state: self.player.place(),
            at: then,
        };
        let (mut beat, mut was_read) = (interval(BEAT), false);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                Some(control) = self.controls.recv() => {
                    if self.player.control(control) {
                        self.anew(&mut sent);
                    }
                }
                command = self.commands.recv() => {
                    let Some(command) = command else { return };
                    if matches!(command, Command::Join(..)) && !was_read {
                        // The first reader has not seen anything yet.
                        was_read = true;
                        self.player.play();
                    }
                    self.answer(&mut sent, command);
                }
            }
            let now = Instant::now();
            let passed = now - std::mem::replace(&mut then, now);
            // While nobody looks, it waits.
            if self.readers.load(Ordering::Relaxed) > 0 {
                self.player.advance(passed);
            }
            self.send_news(&mut sent, now);
        }
    }

    /// Sends what has changed.
    fn send_news(&mut self, sent: &mut Sent, now: Instant) {
        let mut news = Batch::default();
        let at = self.player.now();
        let scene = &mut self.player.scene;
        scene.board.drain_changes(&mut |change| news.add(&change));
        scene.holds.drain_changes(&mut |change| news.add(&change));
        if now - sent.doing_at >= DOING {
            sent.doing_at = now;
            let doing = scene.doing(at);
            if doing != sent.doing {
                news.add(&Message::Doing(&doing));
                sent.doing = doing;
            }
        }
        let place = self.player.place();
        if (place.0, place.1) != (sent.state.0, sent.state.1) {
            news.add(&self.player.state());
        }
        let is_due = now - sent.at >= HEARTBEAT;
        if is_due || !news.is_empty() || place.2 != sent.state.2 {
            sent.at = now;
            let scene = &self.player.scene;
            news.add(&Message::Now {
                now_ms: Millis(at),
                totals: scene.board.totals(),
                workers: scene.workers.clone(),
            });
            // A send fails only when there are no readers, which is not an error.
            sent.news.send(news.into_bytes()).ok();
        }
        sent.state = place;
    }

    /// Sends the scene, which was made anew.
    fn anew(&mut self, sent: &mut Sent) {
        let at = self.player.now();
        let scene = &mut self.player.scene;
        // They are in the snapshot.
        scene.board.drain_changes(&mut |_| ());
        scene.holds.drain_changes(&mut |_| ());
        sent.doing = scene.doing(at);
        let mut news = Batch::default();
        self.add_all(sent, &mut news);
        sent.news.send(news.into_bytes()).ok();
    }

    /// Adds the whole scene, and the state of the replay.
    fn add_all(&self, sent: &Sent, news: &mut Batch) {
        self.snapshot(sent, |snapshot| news.add(snapshot));
        news.add(&self.player.state());
    }

    fn answer(&self, sent: &mut Sent, command: Command) {
        // The reader that asked may have left, which is not an error.
        match command {
            Command::Join(_, reply) => {
                let mut news = Batch::default();
                self.add_all(sent, &mut news);
                reply.send((news.into_bytes(), sent.news.subscribe())).ok();
            }
            Command::State(_, reply) => self.snapshot(sent, |snapshot| {
                let json = serde_json::to_vec(snapshot).unwrap_or_default();
                reply.send(json.into()).ok();
            }),
            Command::Trace(reply) => {
                let (scene, now) = (&self.player.scene, self.player.now());
                let trace = trace::trace(&scene.board, &scene.holds, &scene.workers, now);
                reply.send(trace).ok();
            }
            Command::Survey(reply) => {
                let survey = self.player.scene.survey(self.player.now());
                let surveyed = Surveyed {
                    survey,
                    doing: None,
                };
                reply.send(Arc::new(surveyed)).ok();
            }
        }
    }

    /// Calls `pass` with a message that holds the complete scene.
    fn snapshot(&self, sent: &Sent, pass: impl FnOnce(&Message<'_>)) {
        let scene = &self.player.scene;
        let held = scene.holds.by_worker();
        let workers = scene.workers.iter().map(|&load| Worker {
            load,
            held: held.get(&load.worker).map(|&hold| hold.clone().into()),
        });
        pass(&Message::Snapshot(Box::new(Snapshot {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            now_ms: Millis(self.player.now()),
            threshold_ms: Millis(self.player.threshold()),
            limits: Limits {
                lanes: self.player.most_lanes(),
                chunks: lane::CHUNKS,
                holds: holds::OVER,
                requests: probes::MOST_REQUESTS,
                beat_ms: Millis(BEAT),
                // Time passes as the replay says, and not by itself.
                heartbeat_ms: Millis(Duration::ZERO),
            },
            app_url: None,
            intro: Some(Intro {
                sentence: "Healthy requests are not recorded, only counted.".to_owned(),
                commands: Vec::new(),
            }),
            buttons: &[],
            workers: workers.collect(),
            lanes: scene.board.lanes().collect(),
            waiting: Vec::new(),
            holds: scene.holds.over().cloned().map(Into::into).collect(),
            totals: scene.board.totals(),
            doing: Some(&sent.doing),
            probe: None,
        })));
    }
}
