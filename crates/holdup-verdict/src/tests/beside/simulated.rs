//! Simulated servers: a wrong verdict never, and a verdict if the case is clear.

use std::collections::BTreeMap;

use super::server::{Noise, QUIET, Server, Way};
use crate::tests::dice::Dice;
use crate::{Beside, BesideKind};

const BUSY: Noise = Noise {
    busy: 8.0,
    pauses: None,
    client: 0.02,
    tail: (0.01, 200.0),
};

const PAUSES: Noise = Noise {
    busy: 2.0,
    pauses: Some(10_000.0),
    client: 0.1,
    tail: (0.01, 200.0),
};

/// A time between these two that is as likely to be short as long.
fn any(dice: &mut Dice, least: f64, most: f64) -> f64 {
    least * (most / least).powf(dice.roll())
}

fn server<'a>(dice: &'a mut Dice, way: Way, noise: Noise) -> Server<'a> {
    let a = any(dice, 100.0, 4000.0);
    let (b, spread) = (any(dice, 0.5, 20.0), dice.roll());
    let keeps = dice.roll() < 0.7;
    let mut server = Server::new(dice, way, a);
    (server.b, server.b_spread) = (b.min(a / 20.0), b.min(a / 20.0) * spread);
    server.noise = noise;
    if !keeps {
        server.kept.clear();
    }
    server
}

fn told(beside: &Beside) -> String {
    let reason = beside.reason.as_ref().map(|reason| {
        let reason = format!("{reason:?}");
        reason
            .split([' ', '{'])
            .next()
            .unwrap_or_default()
            .to_owned()
    });
    format!(
        "{} {:?} {}",
        beside.kind,
        beside.frozen_by,
        reason.unwrap_or_default()
    )
}

#[test]
#[ignore = "for looking at"]
fn look() {
    let rounds: usize = std::env::var("ROUNDS").map_or(1000, |n| n.parse().expect("a number"));
    let mut dice = Dice(std::env::var("SEED").map_or(3, |n| n.parse().expect("a number")));
    for (name, noise) in [("quiet", QUIET), ("busy", BUSY), ("pauses", PAUSES)] {
        for way in [
            Way::Awaits,
            Way::OwnQueue(1),
            Way::OwnQueue(2),
            Way::Loop { gap: 0.0 },
            Way::Loop { gap: 15.0 },
            Way::Dealt {
                workers: 2,
                first: 1.0,
            },
            Way::Dealt {
                workers: 2,
                first: 10.0,
            },
            Way::Dealt {
                workers: 4,
                first: 1.0,
            },
            Way::Shared(2),
            Way::Shared(3),
            Way::Shared(4),
            Way::Accepting(2),
            Way::Accepting(4),
            Way::Shares { slice: 5.0 },
            Way::Shares { slice: 20.0 },
        ] {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            let mut made = 0;
            let mut off = 0;
            for _ in 0..rounds {
                let mut server = server(&mut dice, way, noise);
                let beside = server.judged(8);
                made += beside.rounds.len();
                let told = told(&beside);
                if std::env::var("WAY")
                    .is_ok_and(|show| !format!("{name} {way:?}").starts_with(&show))
                {
                    break;
                }
                if std::env::var("SHOW").is_ok_and(|show| told.starts_with(&show)) {
                    println!("{way:?} a {} b {} {}", server.a, server.b, server.b_spread);
                    for (line, round) in beside.evidence.iter().skip(1).zip(&beside.rounds) {
                        println!("    {line}; took {:?}, held {:?}", round.took, round.held);
                    }
                }
                if matches!(way, Way::Loop { .. }) && beside.kind == BesideKind::Frozen {
                    let round = beside.rounds.last().expect("a round");
                    let (from, to) = server.held.expect("held");
                    let near = |one: std::time::Duration, other: f64| {
                        (one.as_secs_f64() * 1e3 - other).abs() <= f64::max(20.0, server.a * 0.05)
                    };
                    off += usize::from(
                        round.requests == 1 && !(near(round.from, from) && near(round.to, to)),
                    );
                }
                *counts.entry(told).or_default() += 1;
            }
            println!("{name} {way:?}: {made} rounds, {off} off, {counts:?}");
        }
    }
}
