//! Simulated servers: a wrong verdict never, and a verdict if the case is clear.

use std::time::Duration;

use super::server::{Noise, QUIET, Server, Way};
use crate::tests::dice::Dice;
use crate::{Beside, BesideKind, BesideReason};

/// The cores are busy, the client stops now and then, and one answer in a hundred takes 200 ms longer.
const BUSY: Noise = Noise {
    busy: 8.0,
    pauses: None,
    client: 0.02,
    tail: (0.01, 200.0),
};

/// The machine of the server stops now and then, too.
const PAUSES: Noise = Noise {
    busy: 2.0,
    pauses: Some(10_000.0),
    client: 0.1,
    tail: (0.01, 200.0),
};

/// A number between these two; its order of magnitude is what varies.
fn any(dice: &mut Dice, least: f64, most: f64) -> f64 {
    least * (most / least).powf(dice.roll())
}

/// A server with an A of 100 ms to 4 s, and a B that takes up to a twentieth of it.
fn server(dice: &mut Dice, way: Way, noise: Noise) -> Server<'_> {
    let a = any(dice, 100.0, 4000.0);
    let (b, spread) = (any(dice, 0.5, 20.0).min(a / 20.0), dice.roll());
    let keeps = dice.roll() < 0.7;
    let mut server = Server::new(dice, way, a);
    (server.b, server.b_spread) = (b, b * spread);
    server.noise = noise;
    if !keeps {
        server.kept.clear();
    }
    server
}

/// The same with an A of at least 200 ms and a B that is short beside it.
fn clear(dice: &mut Dice, way: Way, noise: Noise) -> Server<'_> {
    let mut server = server(dice, way, noise);
    server.a = server.a.max(200.0);
    server.b = server.b.min(server.a / 100.0);
    server.b_spread = server.b_spread.min(server.b);
    server
}

/// What came out of experiments.
#[derive(Debug, Default)]
struct Count {
    all: usize,
    rounds: usize,
    right: usize,
    unknown: usize,
    /// The first few of those that are wrong.
    wrong: Vec<String>,
}

impl Count {
    /// `right` says whether the kind and the number of requests are.
    fn add(&mut self, beside: &Beside, right: bool) {
        self.all += 1;
        self.rounds += beside.rounds.len();
        let is_unknown = beside.kind == BesideKind::Inconclusive
            || beside.kind.is_frozen() && beside.frozen_by.is_none();
        match (right, is_unknown) {
            (true, _) => self.right += 1,
            (false, true) => self.unknown += 1,
            (false, false) => self.wrong.push(format!("{:#?}", beside.evidence)),
        }
    }

    /// At least this part is right, in percent, and at most this many in a thousand are wrong.
    #[track_caller]
    fn assert(&self, right: usize, wrong: usize) {
        let first = self.wrong.first();
        let told = format!(
            "{} right, {} unknown and {} wrong of {}: {first:?}",
            self.right,
            self.unknown,
            self.wrong.len(),
            self.all,
        );
        assert!(self.right * 100 >= self.all * right, "{told}");
        assert!(self.wrong.len() * 1000 <= self.all * wrong, "{told}");
    }
}

fn is(beside: &Beside, kind: BesideKind, frozen_by: Option<usize>) -> bool {
    (beside.kind, beside.frozen_by) == (kind, frozen_by)
}

const NOISES: [Noise; 3] = [QUIET, BUSY, PAUSES];
const INNOCENT: [Way; 3] = [Way::Awaits, Way::OwnQueue(1), Way::OwnQueue(2)];

/// Experiments with servers on which B is never touched.
fn untouched(experiments: usize, seed: u64) -> Count {
    let mut dice = Dice(seed);
    let mut count = Count::default();
    for number in 0..experiments {
        let (way, noise) = (INNOCENT[number % 3], NOISES[number / 3 % 3]);
        let beside = server(&mut dice, way, noise).judged(8);
        count.add(&beside, is(&beside, BesideKind::Untouched, None));
    }
    count
}

#[test]
fn nothing_but_noise_never_looks_frozen() {
    untouched(300, 1).assert(95, 0);
}

#[test]
#[ignore = "takes minutes in a debug build"]
fn a_hundred_thousand_rounds_of_noise_never_look_frozen() {
    let count = untouched(25_000, 2);
    assert!(count.rounds >= 100_000, "{}", count.rounds);
    count.assert(95, 0);
}

/// Experiments with an A and a B for which the right answer is known.
fn known(way: Way, kind: BesideKind, frozen_by: Option<usize>, experiments: usize) -> Count {
    let mut dice = Dice(3);
    let mut count = Count::default();
    for number in 0..experiments {
        let noise = NOISES[number % 3];
        let mut server = clear(&mut dice, way, noise);
        let beside = server.judged(8);
        count.add(&beside, is(&beside, kind, frozen_by));
    }
    count
}

#[test]
fn a_loop_that_one_request_holds_is_frozen_by_one() {
    for gap in [0.0, 15.0] {
        known(Way::Loop { gap }, BesideKind::Frozen, Some(1), 150).assert(95, 0);
    }
}

#[test]
fn a_loop_that_is_held_in_pieces_is_never_blamed_on_the_client() {
    let mut dice = Dice(8);
    let mut full = 0;
    for number in 0..150 {
        let way = Way::Pieces(2 + number % 2);
        let mut server = clear(&mut dice, way, QUIET);
        let beside = server.judged(4);
        assert_ne!(beside.kind, BesideKind::Untouched, "{:#?}", beside.evidence);
        for round in &beside.rounds {
            match &round.reason {
                Some(BesideReason::Gap { .. } | BesideReason::Spent { .. }) => {
                    panic!("{:#?}", beside.evidence)
                }
                Some(BesideReason::Partly { full: true, .. }) => full += 1,
                _ => {}
            }
        }
    }
    assert!(full > 100, "{full}");
}

#[test]
fn workers_are_frozen_by_as_many_requests_as_there_are_workers() {
    for (workers, frozen_by) in [(1, 1), (2, 2), (3, 4), (4, 4)] {
        let way = Way::Shared(workers);
        known(way, BesideKind::Frozen, Some(frozen_by), 150).assert(95, 0);
    }
}

#[test]
fn workers_with_queues_of_their_own_are_frozen_in_part_by_one() {
    let way = Way::Dealt {
        workers: 2,
        first: 1.0,
    };
    known(way, BesideKind::SomeFrozen, Some(1), 150).assert(90, 10);
}

#[test]
fn loops_that_accept_when_they_are_free_hold_up_their_kept_connections() {
    let mut dice = Dice(4);
    let mut count = Count::default();
    for number in 0..150 {
        let mut server = clear(&mut dice, Way::Accepting(2), NOISES[number % 3]);
        if server.kept.is_empty() {
            server.kept = (0..8).map(|place| place % 2).collect();
        }
        // A reaches another loop each time, and needs to meet at least two of the kept connections.
        let mine = server.kept.iter().filter(|worker| **worker == 0).count();
        if !(2..=6).contains(&mine) {
            continue;
        }
        let beside = server.judged(8);
        count.add(&beside, is(&beside, BesideKind::SomeFrozen, Some(1)));
    }
    count.assert(90, 10);
}

#[test]
fn a_part_is_frozen_even_if_one_worker_gets_most_connections() {
    let way = Way::Dealt {
        workers: 2,
        first: 4.0,
    };
    let mut dice = Dice(5);
    let (mut touched, experiments) = (0, 150);
    for number in 0..experiments {
        let beside = clear(&mut dice, way, NOISES[number % 3]).judged(8);
        touched += usize::from(beside.kind.is_frozen());
        let wrong = matches!(beside.kind, BesideKind::Untouched | BesideKind::Slowed);
        assert!(!wrong, "{:#?}", beside.evidence);
    }
    assert!(touched * 100 >= experiments * 95, "{touched}");
}

#[test]
fn answers_that_share_cores_are_slowed() {
    for slice in [5.0, 20.0] {
        let mut dice = Dice(6);
        let mut count = Count::default();
        for number in 0..90 {
            let noise = [QUIET, PAUSES][number % 2];
            let beside = clear(&mut dice, Way::Shares { slice }, noise).judged(8);
            count.add(&beside, is(&beside, BesideKind::Slowed, None));
        }
        count.assert(95, 15);
    }
}

#[test]
fn the_frozen_time_is_found_where_it_was() {
    let mut dice = Dice(7);
    let (mut near, mut all) = (0, 0);
    for number in 0..200 {
        let noise = [QUIET, BUSY][number % 2];
        let mut server = clear(&mut dice, Way::Loop { gap: 0.0 }, noise);
        let beside = server.judged(8);
        let round = beside.rounds.last().expect("a round");
        if round.requests > 1 {
            continue;
        }
        let (from, to) = server.held.expect("it was held");
        let limit = f64::max(20.0, server.a * 0.05);
        let is_near = |time: Duration, at: f64| (time.as_secs_f64() * 1e3 - at).abs() <= limit;
        all += 1;
        near += usize::from(is_near(round.from, from) && is_near(round.to, to));
    }
    assert!(all >= 190 && near * 100 >= all * 97, "{near} of {all}");
}
