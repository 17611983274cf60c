//! A simulated server, with a clock of its own, that a whole experiment is made with.

use std::collections::HashMap;
use std::time::Duration;

use super::dice::Dice;
use crate::experiment::{Experiment, Findings, Policy, Round, Step};
use holdup_model::{Failure, Lane};

/// How requests get in each other's way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Way {
    /// So many workers take requests in turn.
    Workers(usize),
    /// So many workers have a line of their own each, and chance deals out the requests.
    Dealt(usize),
    /// All run, and so many cores are shared evenly, in turns that are too short to be seen.
    Cores(f64),
    /// An event loop that answers at once, and is then blocked for so long by each request, in seconds.
    LeavesBehind(f64),
    /// One request at a time for each URL.
    LockByUrl,
    /// One answer is given to all who wait for the same URL, and another one to those who ask later.
    OnceForAll,
    /// Answers are kept by URL.
    Kept,
    /// Each request takes so much less than the one before it, but at least a sixth of the first one.
    Warms(f64),
    /// A bucket of so many tokens gets one every so many seconds.
    Tokens(usize, f64),
    /// So many workers take requests, and all others are answered with this status at once.
    Rejects(usize, u16),
    /// So many requests are answered in each window of so many seconds, all others with this status at once.
    Window(usize, f64, u16),
    /// A bucket of so many tokens gets one every so many seconds, and who gets none is answered with this status.
    Bucket(usize, f64, u16),
}

/// Times are in seconds.
pub(crate) struct Server {
    pub(super) way: Way,
    /// What a request takes that nothing gets in the way of.
    pub(super) service: f64,
    /// By this part of it, more or less.
    pub(super) jitter: f64,
    /// What the first request takes on top.
    pub(super) cold: f64,
    /// Connecting, sending, waking up: at most this for each.
    pub(super) overhead: f64,
    /// Each request is accepted so much later than the one before it.
    pub(super) accepts: f64,
    /// By chance, this part of the requests is late by at most this.
    pub(super) late: (f64, f64),
    /// All requests of this round, counted from the warm-up as 0, are answered with this status.
    pub(super) odd: Option<(usize, u16)>,
    /// In this round, two requests are late as if they had waited for a turn.
    pub(super) pause: Option<usize>,
    /// Whether the body says which URL was asked, and nothing else.
    pub(super) echo: bool,
    pub(super) dice: Dice,
    pub(super) now: f64,
    /// What was asked, in short.
    pub(super) asked: Vec<String>,
    busy: Vec<f64>,
    tokens: f64,
    tokens_at: f64,
    /// The window, and how many requests it had.
    window: (f64, usize),
    /// How many requests a server that warms up had.
    warmed: usize,
    urls: HashMap<String, f64>,
    answers: u64,
}

impl Server {
    pub(crate) fn new(way: Way, service: f64) -> Self {
        let (workers, tokens) = match way {
            Way::Workers(workers) | Way::Rejects(workers, _) | Way::Dealt(workers) => (workers, 0),
            Way::Tokens(burst, _) | Way::Bucket(burst, ..) => (0, burst),
            _ => (1, 0),
        };
        Self {
            way,
            service,
            jitter: 0.0,
            cold: 0.0,
            overhead: 0.0,
            accepts: 0.0,
            late: (0.0, 0.0),
            odd: None,
            pause: None,
            echo: false,
            dice: Dice(1),
            now: 0.0,
            asked: Vec::new(),
            busy: vec![0.0; workers],
            #[expect(clippy::cast_precision_loss, reason = "few tokens")]
            tokens: tokens as f64,
            tokens_at: 0.0,
            window: (0.0, 0),
            warmed: 0,
            urls: HashMap::new(),
            answers: 0,
        }
    }

    /// Works in another way from now on.
    pub(super) fn becomes(&mut self, way: Way) {
        let now = self.now;
        let asked = std::mem::take(&mut self.asked);
        *self = Self::new(way, self.service);
        (self.now, self.asked) = (now, asked);
    }

    /// The whole experiment with this server.
    pub(crate) fn judged(&mut self, policy: Policy) -> Findings {
        let mut experiment = Experiment::new(policy);
        loop {
            let round = match experiment.next() {
                Step::Ask(round) => round.clone(),
                Step::Done(findings) => return (**findings).clone(),
            };
            let lanes = self.ask(&round);
            experiment.feed(lanes);
        }
    }

    pub(super) fn ask(&mut self, round: &Round) -> Vec<Lane> {
        let number = self
            .asked
            .iter()
            .filter(|asked| !asked.starts_with("pause"))
            .count();
        if !round.pause.is_zero() {
            self.asked
                .push(format!("pause {:.1} s", round.pause.as_secs_f64()));
            self.now += round.pause.as_secs_f64();
        }
        let (requests, beside) = (round.requests(), round.asks.len() - round.requests());
        self.asked.push(match (round.asks.len(), beside) {
            (1, _) => round.kind.to_string(),
            (_, 0) => format!("{} {requests}", round.kind),
            _ => format!("{} {requests}+{beside}", round.kind),
        });
        let begun = self.now;
        let mut sent: Vec<_> = round
            .asks
            .iter()
            .map(|ask| begun + ask.after.as_secs_f64())
            .collect();
        for at in &mut sent {
            *at += self.dice.between(0.0, self.overhead);
        }
        let names: Vec<_> = round.asks.iter().map(|ask| ask.name.as_str()).collect();
        let (mut ended, turned_away) = self.ended(&names, &sent);
        if self.cold > 0.0 {
            for ended in &mut ended {
                *ended += self.cold;
            }
            self.cold = 0.0;
        }
        if self.pause == Some(number) {
            for ended in ended.iter_mut().take(2) {
                *ended += self.service;
            }
        }
        let needed = ended
            .iter()
            .zip(&round.asks)
            .filter(|(_, ask)| !ask.optional);
        let needed = needed.map(|(ended, _)| *ended).fold(begun, f64::max);
        let over = needed + round.linger.as_secs_f64();
        let status = self
            .odd
            .filter(|(odd, _)| *odd == number)
            .map_or(200, |(_, status)| status);
        let mut lanes = Vec::new();
        for (place, (name, sent)) in names.iter().zip(sent).enumerate() {
            let ended = ended[place];
            let status = turned_away[place].unwrap_or(status);
            let mut lane = Lane::start(*name, seconds(sent));
            let longest = sent + round.timeout.as_secs_f64();
            if ended > longest {
                lane.fail(seconds(longest), Failure::TimedOut);
            } else if ended <= over {
                lane.record_head(seconds(ended), status);
                lane.record_chunk(seconds(ended), self.body(name, number).as_bytes());
                lane.finish(seconds(ended));
            }
            self.now = self.now.max(ended.min(over).min(longest));
            lanes.push(lane);
        }
        lanes
    }

    /// Bodies differ by URL, and by when they are made.
    fn body(&mut self, name: &str, round: usize) -> String {
        self.answers += 1;
        match self.way {
            _ if self.echo => name.to_owned(),
            Way::OnceForAll => format!("{name} {round}"),
            _ => format!("{name} {}", self.answers),
        }
    }

    /// When requests for these URLs end that are sent at these times, and which status those get that are turned
    /// away.
    fn ended(&mut self, names: &[&str], sent: &[f64]) -> (Vec<f64>, Vec<Option<u16>>) {
        let mut turned_away = vec![None; sent.len()];
        let sent: &[f64] = &self.accepted(sent);
        let work: Vec<_> = sent.iter().map(|_| self.work()).collect();
        if let Way::Cores(cores) = self.way {
            return (shared(sent, &work, cores), turned_away);
        }
        let mut order: Vec<_> = (0..sent.len()).collect();
        order.sort_by(|one, other| sent[*one].total_cmp(&sent[*other]));
        let mut ended = vec![0.0; sent.len()];
        for place in order {
            let (sent, work) = (sent[place], work[place]);
            ended[place] = match self.way {
                Way::Workers(_) => {
                    self.busy.sort_by(f64::total_cmp);
                    self.busy[0] = self.busy[0].max(sent) + work;
                    self.busy[0]
                }
                Way::Rejects(_, status) => {
                    self.busy.sort_by(f64::total_cmp);
                    if self.busy[0] > sent {
                        turned_away[place] = Some(status);
                        sent + self.dice.between(0.0, 0.002 + self.overhead)
                    } else {
                        self.busy[0] = sent + work;
                        self.busy[0]
                    }
                }
                Way::Window(most, length, status) => {
                    let window = (sent / length).floor();
                    if self.window.0 < window {
                        self.window = (window, 0);
                    }
                    self.window.1 += 1;
                    let is_over = self.window.1 > most;
                    turned_away[place] = is_over.then_some(status);
                    if is_over { sent } else { sent + work }
                }
                Way::Bucket(burst, every, status) => {
                    if self.token(burst, every, sent) > sent {
                        self.tokens += 1.0;
                        turned_away[place] = Some(status);
                        sent
                    } else {
                        sent + work
                    }
                }
                Way::Dealt(_) => {
                    let worker = self.dice.below(self.busy.len());
                    self.busy[worker] = self.busy[worker].max(sent) + work;
                    self.busy[worker]
                }
                Way::LockByUrl => {
                    let free = self.urls.entry(names[place].to_owned()).or_default();
                    *free = free.max(sent) + work;
                    *free
                }
                Way::Kept => {
                    let made = *self
                        .urls
                        .entry(names[place].to_owned())
                        .or_insert(sent + work);
                    made.max(sent + 0.001)
                }
                Way::Warms(by) => {
                    #[expect(clippy::cast_precision_loss, reason = "few requests")]
                    let faster = by * self.warmed as f64;
                    self.warmed += 1;
                    sent + (work - faster).max(work / 6.0)
                }
                Way::Tokens(burst, every) => self.token(burst, every, sent) + work,
                Way::LeavesBehind(_) => self.busy[0].max(sent) + work,
                Way::OnceForAll | Way::Cores(_) => sent + work,
            };
        }
        if let Way::LeavesBehind(behind) = self.way {
            let last = ended.iter().copied().fold(self.busy[0], f64::max);
            #[expect(clippy::cast_precision_loss, reason = "few requests")]
            let count = sent.len() as f64;
            self.busy[0] = last + behind * count;
        }
        (ended, turned_away)
    }

    /// When requests are accepted that are sent at these times.
    fn accepted(&mut self, sent: &[f64]) -> Vec<f64> {
        let (chance, most) = self.late;
        let mut accepted = Vec::new();
        let mut free = 0.0_f64;
        for sent in sent {
            free = free.max(*sent) + self.accepts;
            let is_late = self.dice.roll() < chance;
            let late = if is_late {
                self.dice.between(0.0, most)
            } else {
                0.0
            };
            accepted.push(free + late);
        }
        accepted
    }

    fn work(&mut self) -> f64 {
        let (jitter, overhead) = (self.jitter, self.overhead);
        self.service * self.dice.between(1.0 - jitter, 1.0 + jitter)
            + self.dice.between(0.0, overhead)
    }

    /// When a request sent at that time gets its token.
    fn token(&mut self, burst: usize, every: f64, sent: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "few tokens")]
        let most = burst as f64;
        if sent > self.tokens_at {
            self.tokens = (self.tokens + (sent - self.tokens_at) / every).min(most);
            self.tokens_at = sent;
        }
        self.tokens -= 1.0;
        sent + (-self.tokens).max(0.0) * every
    }
}

/// When all is done of what was `sent` and takes so much `work`, with `cores` that all share evenly.
fn shared(sent: &[f64], work: &[f64], cores: f64) -> Vec<f64> {
    let mut left = work.to_vec();
    let mut ended = vec![f64::NAN; sent.len()];
    let mut now = sent.iter().copied().fold(f64::MAX, f64::min);
    while ended.iter().any(|ended| ended.is_nan()) {
        let going: Vec<_> = (0..sent.len())
            .filter(|place| ended[*place].is_nan() && sent[*place] <= now)
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "few requests")]
        let speed = (cores / going.len().max(1) as f64).min(1.0);
        let next = sent
            .iter()
            .copied()
            .filter(|sent| *sent > now)
            .fold(f64::MAX, f64::min);
        let done = going
            .iter()
            .map(|place| now + left[*place] / speed)
            .fold(f64::MAX, f64::min);
        let until = next.min(done);
        for place in going {
            left[place] -= (until - now) * speed;
            if left[place] <= 1e-9 {
                ended[place] = until;
            }
        }
        now = until;
    }
    ended
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}
