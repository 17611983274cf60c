//! A simulated server with two routes, and a client that asks B on a schedule while A runs. All times are in
//! milliseconds.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "simulated numbers are small and positive"
)]

use std::time::Duration;

use crate::tests::dice::Dice;
use crate::{
    Beside, BesideFinding, BesideRound, Sample, judge_beside, judge_beside_round, next_beside, pace,
};
use holdup_model::{ClientTime, Lane, Timeline};

/// What A does to the server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// Nothing: all of A's requests wait at the same time, and B is served meanwhile.
    Awaits,
    /// A's requests take turns, so many at a time, and B needs none of that.
    OwnQueue(usize),
    /// The only event loop is held. Between A's requests there is this much time for others.
    Loop { gap: f64 },
    /// The only event loop is held by all of A's requests at once, in so many pieces. Between the pieces there is a
    /// moment for others.
    Pieces(u32),
    /// So many workers, each with a queue of its own, to which connections are dealt by chance. The first
    /// one gets this many times as many as each of the others.
    Dealt { workers: usize, first: f64 },
    /// So many workers or threads that take whatever comes next, and that B needs too.
    Shared(usize),
    /// So many event loops that accept whenever they are free. A kept connection belongs to one of them.
    Accepting(usize),
    /// A computes. So each step of B waits until it gets its turn: up to this long for each of A's requests.
    Shares { slice: f64 },
}

/// What else happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Noise {
    /// Each answer of B is later by this much on average, because the cores are busy.
    pub(super) busy: f64,
    /// The machine of the server stops for 100 to 300 ms, once in this many milliseconds on average.
    pub(super) pauses: Option<f64>,
    /// The client stops for 300 ms at some moment of a round, in this part of the rounds.
    pub(super) client: f64,
    /// This part of B's answers takes this much longer.
    pub(super) tail: (f64, f64),
}

pub(super) const QUIET: Noise = Noise {
    busy: 0.3,
    pauses: None,
    client: 0.0,
    tail: (0.0, 0.0),
};

pub(super) struct Server<'a> {
    pub(super) dice: &'a mut Dice,
    pub(super) way: Way,
    pub(super) noise: Noise,
    /// What a request to A takes.
    pub(super) a: f64,
    /// What a request to B takes at the least …
    pub(super) b: f64,
    /// … and how much longer at the most.
    pub(super) b_spread: f64,
    /// The worker of each kept connection. There are none if the server keeps no connection open.
    pub(super) kept: Vec<usize>,
    /// How long A is expected to take in the next round.
    expected: f64,
    /// When the worker that holds B up for the longest time was held, in the last round.
    pub(super) held: Option<(f64, f64)>,
}

/// How long a loop that is held in pieces looks after others in between.
const MOMENT: f64 = 2.0;

/// When something stands still, in order.
type Spans = Vec<(f64, f64)>;

fn time(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1e3)
}

/// The first time from `at` on that is in none of the spans.
fn out_of(spans: &[(f64, f64)], mut at: f64) -> f64 {
    for (from, to) in spans {
        if (*from..*to).contains(&at) {
            at = *to;
        }
    }
    at
}

/// When something ends that begins at `from` and takes `length` outside of the spans.
fn through(spans: &[(f64, f64)], from: f64, length: f64) -> f64 {
    let mut end = from + length;
    for (begin, over) in spans {
        if *over > from && *begin < end {
            end += over - begin.max(from);
        }
    }
    end
}

impl<'a> Server<'a> {
    pub(super) fn new(dice: &'a mut Dice, way: Way, a: f64) -> Self {
        let mut server = Self {
            dice,
            way,
            noise: QUIET,
            a,
            b: 1.0,
            b_spread: 1.0,
            kept: Vec::new(),
            expected: a,
            held: None,
        };
        server.kept = (0..8).map(|_| server.dealt()).collect();
        server
    }

    fn workers(&self) -> usize {
        match self.way {
            Way::Dealt { workers, .. } | Way::Shared(workers) | Way::Accepting(workers) => workers,
            _ => 1,
        }
    }

    /// The worker that gets the next connection, if connections are dealt.
    fn dealt(&mut self) -> usize {
        let first = match self.way {
            Way::Dealt { first, .. } => first,
            _ => 1.0,
        };
        let others = self.workers() as f64 - 1.0;
        let place = self.dice.roll() * (first + others);
        if place < first {
            0
        } else {
            1 + (place - first) as usize
        }
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.dice.roll()).ln()
    }

    /// What one answer of B takes when nothing stands in its way.
    fn b_takes(&mut self) -> f64 {
        let (part, longer) = self.noise.tail;
        let tail = if self.dice.roll() < part { longer } else { 0.0 };
        self.b + self.b_spread * self.dice.roll() + tail
    }

    /// B's answers while A does not run.
    pub(super) fn alone(&mut self) -> Vec<Sample> {
        let mut now = 0.0;
        let mut samples = Vec::new();
        for place in 0..16 {
            let took = self.b_takes() + self.exponential(self.noise.busy);
            let connections = self.kept.len();
            samples.push(Sample {
                lane: lane(now, Some(now + took)),
                kept: (place % 2 == 1 && connections > 0).then(|| place % connections),
            });
            now += took + 1.0;
        }
        samples
    }

    /// Everything: rounds until there is nothing more to learn.
    pub(super) fn judged(&mut self, most: usize) -> Beside {
        let alone = self.alone();
        let (mut rounds, mut found) = (Vec::new(), Vec::<BesideFinding>::new());
        while let Some(requests) = next_beside(&found, most) {
            if let Some(last) = found.last() {
                let more = requests as f64 / last.requests as f64;
                self.expected = last.took.as_secs_f64() * 1e3 * more.max(1.0);
            }
            let round = self.round(&alone, requests);
            found.push(judge_beside_round(&alone, &round));
            rounds.push(round);
        }
        judge_beside(&alone, &rounds)
    }

    /// When each of A's requests ends, and when it holds which worker.
    fn run_a(&mut self, requests: usize, pauses: &Spans) -> (Vec<f64>, Vec<Spans>) {
        let workers = self.workers();
        let mut held = vec![Spans::new(); workers];
        if let Way::Pieces(pieces) = self.way {
            let length = self.a * requests as f64 / f64::from(pieces);
            let mut now = 0.5;
            for _ in 0..pieces {
                let end = through(pauses, now, length);
                held[0].push((now, end));
                now = end + MOMENT;
            }
            return (vec![now - MOMENT; requests], held);
        }
        let mut ends = Vec::new();
        let places = match self.way {
            Way::OwnQueue(at_a_time) => at_a_time,
            Way::Awaits | Way::Shares { .. } => requests,
            _ => workers,
        };
        let mut free: Vec<f64> = vec![0.0; places];
        for number in 0..requests {
            let place = match self.way {
                Way::Dealt { .. } => self.dealt(),
                _ => (0..places)
                    .min_by(|one, other| free[*one].total_cmp(&free[*other]))
                    .unwrap_or_default(),
            };
            let gap = match self.way {
                Way::Loop { gap } if number > 0 => self.dice.between(0.0, gap),
                _ => 0.0,
            };
            let arrives = self.dice.between(0.2, 3.0) + self.exponential(self.noise.busy);
            let begins = out_of(pauses, f64::max(free[place] + gap, arrives));
            let slower = match self.way {
                Way::Shares { .. } => requests as f64,
                _ => 1.0,
            };
            let takes = self.a * slower * self.dice.between(0.98, 1.02);
            let ends_at = match self.way {
                // Waiting goes on while the machine stands still.
                Way::Awaits | Way::OwnQueue(_) => out_of(pauses, begins + takes),
                _ => through(pauses, begins, takes),
            };
            free[place] = ends_at;
            if !matches!(
                self.way,
                Way::Awaits | Way::OwnQueue(_) | Way::Shares { .. }
            ) {
                held[place].push((begins, ends_at));
            }
            ends.push(ends_at);
        }
        (ends, held)
    }

    /// The worker that answers B's next request.
    fn worker(&mut self, kept: Option<usize>, now: f64, held: &[Spans]) -> usize {
        match (self.way, kept) {
            (Way::Dealt { .. } | Way::Accepting(_), Some(connection)) => self.kept[connection],
            (Way::Dealt { .. }, None) => self.dealt(),
            _ => (0..self.workers())
                .min_by(|one, other| {
                    let free = |worker: usize| out_of(&held[worker], now);
                    free(*one).total_cmp(&free(*other))
                })
                .unwrap_or_default(),
        }
    }

    /// One round, in which A gets so many requests at once.
    pub(super) fn round(&mut self, alone: &[Sample], requests: usize) -> BesideRound {
        let all = match self.way {
            Way::Awaits => self.a,
            _ => self.a * requests as f64,
        };
        let mut pauses = Spans::new();
        if let Some(every) = self.noise.pauses {
            let mut at = self.exponential(every) - 300.0;
            while at < all * 2.0 + 1000.0 {
                let to = at + self.dice.between(100.0, 300.0);
                pauses.push((at, to));
                at = to + self.exponential(every);
            }
        }
        let client = if self.dice.roll() < self.noise.client {
            let at = self.dice.between(-300.0, all);
            Some((at, at + 300.0))
        } else {
            None
        };
        let (ends, held) = self.run_a(requests, &pauses);
        self.held = held
            .iter()
            .filter_map(|spans| Some((spans.first()?.0, spans.last()?.1)))
            .max_by(|one, other| (one.1 - one.0).total_cmp(&(other.1 - other.0)));
        let a_ends = ends.iter().copied().fold(0.0, f64::max);
        let lanes: Vec<_> = ends
            .into_iter()
            .map(|end| {
                let end = end + self.dice.between(0.1, 1.0) + self.exponential(self.noise.busy);
                seen(0.0, Some(end), client)
            })
            .collect();
        let samples = self.ask_b(alone, a_ends, &held, &pauses, client, requests);
        BesideRound {
            at_once: Timeline::from(lanes),
            samples,
        }
    }

    fn ask_b(
        &mut self,
        alone: &[Sample],
        a_ends: f64,
        held: &[Spans],
        pauses: &Spans,
        client: Option<(f64, f64)>,
        requests: usize,
    ) -> Vec<Sample> {
        let every = pace(alone, time(self.expected)).as_secs_f64() * 1e3;
        let mut free: Vec<f64> = vec![0.0; self.workers()];
        let mut idle_from: Vec<f64> = vec![0.0; self.kept.len()];
        let mut unanswered: Vec<f64> = Vec::new();
        let (mut spans, mut now, mut sent) = (Vec::new(), 0.0, 0);
        let mut over = f64::INFINITY;
        while now < over.min(a_ends + 3000.0) {
            unanswered.retain(|end| *end > now);
            let stopped = client.is_some_and(|(from, to)| (from..to).contains(&now));
            if sent < 400 && unanswered.len() < 64 && !stopped {
                let idle = (0..self.kept.len()).filter(|place| idle_from[*place] <= now);
                let idle = idle.min_by(|one, other| idle_from[*one].total_cmp(&idle_from[*other]));
                let kept = idle.filter(|_| sent % 2 == 1);
                let arrives = now + 0.1;
                let worker = self.worker(kept, arrives, held);
                let begins = out_of(&held[worker], f64::max(arrives, free[worker]));
                free[worker] = begins + 0.2;
                let mut takes = self.b_takes();
                if let Way::Shares { slice } = self.way
                    && now < a_ends
                {
                    for _ in 0..3 {
                        takes += self.dice.between(0.0, slice * requests as f64);
                    }
                }
                let mut end = through(pauses, out_of(pauses, begins), takes);
                if !matches!(self.way, Way::Shared(_)) {
                    // An event loop gives its answers only when it is not held.
                    end = out_of(&held[worker], end);
                }
                end += self.exponential(self.noise.busy);
                if let Some(connection) = kept {
                    idle_from[connection] = end;
                }
                unanswered.push(end);
                spans.push((now, end, kept));
                sent += 1;
                if now >= a_ends {
                    over = f64::min(over, end);
                }
            }
            if sent == 400 && unanswered.is_empty() && now >= a_ends {
                break;
            }
            now += every;
        }
        spans
            .into_iter()
            .map(|(sent, end, kept)| Sample {
                lane: seen(sent, (end <= now).then_some(end), client),
                kept,
            })
            .collect()
    }
}

/// A lane that was asked at `sent` and ended at `end`. The round begins after ten seconds.
fn lane(sent: f64, end: Option<f64>) -> Lane {
    let mut lane = Lane::start("", time(sent));
    if let Some(end) = end {
        lane.record_head(time(end), 200);
        lane.finish(time(end));
    }
    lane
}

/// The same as a client sees it that stood still for a while.
fn seen(sent: f64, end: Option<f64>, client: Option<(f64, f64)>) -> Lane {
    let begun = 10_000.0;
    let stopped = client
        .zip(end)
        .filter(|((from, to), end)| (from..to).contains(&end));
    let Some(((_, to), end)) = stopped else {
        return lane(begun + sent, end.map(|end| begun + end));
    };
    let mut lane = lane(begun + sent, Some(begun + to));
    lane.record_client_time(ClientTime {
        busy: Duration::from_millis(2),
        late: Duration::from_millis(290),
        late_for_it: time(f64::max(to - end, 290.0)),
        longest: time(f64::max(to - end, 290.0)),
    });
    lane
}
