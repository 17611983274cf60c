//! Whether judging a server early costs verdicts: simulated servers, each asked with and without it.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "simulated numbers are small and positive"
)]

use super::dice::Dice;
use super::server::{Server, Way};
use crate::experiment::{Findings, Policy};
use crate::{IdenticalKind, Kind};

/// How many kinds of servers there are.
const WAYS: usize = 8;

const SERVERS: usize = 2400;

/// What came of many servers.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
struct Counts {
    /// By the way in which the servers work.
    wrong: [usize; WAYS],
    inconclusive: [usize; WAYS],
}

/// Whether what was found is wrong of a server that works so.
fn is_wrong(way: Way, findings: &Findings) -> bool {
    let verdict = &findings.verdict;
    let n = verdict.lanes;
    let wrong = match (way, verdict.kind) {
        (_, Kind::Inconclusive) => false,
        (Way::Workers(workers), _) => verdict.at_a_time != Some(workers.min(n)),
        // As for `judge`: three requests on two cores may be judged either way.
        (Way::Cores(cores), Kind::Concurrent) => cores * 3.0 <= n as f64 * 2.0,
        (Way::Cores(cores), _) => verdict
            .at_a_time
            .is_some_and(|seen| (seen as f64 - cores).abs() > (cores / 4.0).max(0.5)),
        (Way::LeavesBehind(_), kind) => kind != Kind::Serialized,
        // It lets as many through as it has tokens left.
        (Way::Tokens(burst, _), Kind::Concurrent) => n > burst,
        (Way::Tokens(burst, _), Kind::Limited) => verdict.at_a_time > Some(burst),
        (Way::Tokens(..), _) => !verdict.sentence.contains("rate limit"),
        (_, kind) => kind != Kind::Concurrent,
    };
    let identical = findings.identical.as_ref().map(|found| found.kind);
    let wrong_identical = match identical {
        None | Some(IdenticalKind::Inconclusive) => false,
        Some(IdenticalKind::Same) => matches!(way, Way::LockByUrl | Way::OnceForAll | Way::Kept),
        Some(IdenticalKind::AnsweredOnce) => !matches!(way, Way::OnceForAll | Way::Kept),
        Some(_) => way != Way::LockByUrl,
    };
    wrong || wrong_identical
}

/// Many servers of which one request takes from one to five seconds; half of them take longer at first.
fn counted(servers: usize, early: bool) -> Counts {
    let mut counts = Counts::default();
    for seed in 0..servers {
        let mut dice = Dice(0x5eed ^ (seed as u64) << 20);
        let n = 2 + seed % 15;
        let some = |dice: &mut Dice| dice.between(1.0, 9.0) as usize;
        let service = dice.between(1.0, 5.0);
        let way = match seed % WAYS {
            0 => Way::Workers(some(&mut dice)),
            1 => Way::Workers(64),
            2 | 3 => Way::Cores(some(&mut dice) as f64),
            4 => Way::LockByUrl,
            5 => Way::LeavesBehind(service * dice.between(0.1, 2.0)),
            6 => Way::Tokens(some(&mut dice), service * dice.between(1.6, 4.0)),
            _ => [Way::OnceForAll, Way::Kept][seed / WAYS % 2],
        };
        let mut server = Server::new(way, service);
        server.jitter = dice.between(0.0, 0.05);
        server.overhead = 0.005;
        if dice.roll() < 0.5 {
            server.cold = server.service * dice.between(0.0, 3.0);
        }
        server.dice = dice;
        let mut policy = Policy::outside(n);
        policy.early = early;
        let findings = server.judged(policy);
        let wrong = is_wrong(way, &findings);
        counts.wrong[seed % WAYS] += usize::from(wrong);
        counts.inconclusive[seed % WAYS] +=
            usize::from(findings.verdict.kind == Kind::Inconclusive);
    }
    counts
}

#[test]
fn no_verdict_more_is_wrong_for_being_early() {
    let (early, in_full) = (counted(SERVERS, true), counted(SERVERS, false));
    let told = format!("early {early:?}, in full {in_full:?}");
    let sum = |counts: &[usize]| counts.iter().sum::<usize>();
    for way in 0..WAYS {
        assert!(early.wrong[way] <= in_full.wrong[way], "{way}: {told}");
    }
    // Some that were wrong are inconclusive instead, but none that were right.
    let unclear = |counts: &Counts| sum(&counts.wrong) + sum(&counts.inconclusive);
    assert!(unclear(&early) <= unclear(&in_full), "{told}");
}

#[test]
#[ignore = "a minute: the figures of DESIGN.md"]
fn a_hundred_thousand_servers() {
    println!("early   {:?}", counted(100_000, true));
    println!("in full {:?}", counted(100_000, false));
}
