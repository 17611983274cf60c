//! Spreads of connections, as servers produce them.

use super::dice::Dice;
use crate::spread::*;

fn id(worker: &str) -> WorkerId {
    WorkerId {
        replica: None,
        worker: worker.to_owned(),
    }
}

fn at(replica: &str, worker: &str) -> WorkerId {
    WorkerId {
        replica: Some(replica.to_owned()),
        worker: worker.to_owned(),
    }
}

fn tally(counts: &[(WorkerId, usize)]) -> Tally {
    let mut tally = Tally::default();
    for (worker, count) in counts {
        for _ in 0..*count {
            tally.add(Heard::From(worker.clone()));
        }
    }
    tally
}

fn counts(counts: &[usize]) -> Tally {
    let named: Vec<_> = counts
        .iter()
        .enumerate()
        .map(|(worker, count)| (id(&worker.to_string()), *count))
        .collect();
    tally(&named)
}

fn judged(tally: &Tally) -> Spread {
    judge_spread(tally, None, &[], 3)
}

#[test]
fn an_even_spread_is_even_and_an_uneven_one_is_not() {
    for (found, kind, told) in [
        (
            &[25, 25, 25, 25][..],
            SpreadKind::Even,
            "100 connections: 25, 25, 25, 25. The 4 workers get them in turn.",
        ),
        (
            &[31, 27, 24, 18],
            SpreadKind::Even,
            "100 connections: 31, 27, 24, 18. Nothing speaks against an even spread over 4 workers: it looks \
             like this, or less even, in ",
        ),
        (
            &[40, 40, 10, 10],
            SpreadKind::Uneven,
            "100 connections: 40, 40, 10, 10. An even spread over 4 workers looks like this, or less even, less \
             than once in a million cases.",
        ),
        (
            &[41, 26, 20, 13],
            SpreadKind::Uneven,
            "looks like this, or less even, once in 1,",
        ),
    ] {
        let spread = judged(&counts(found));
        assert_eq!(spread.kind, kind, "{spread:#?}");
        assert!(spread.sentence.contains(told), "{}", spread.sentence);
        assert_eq!(spread.advice.is_empty(), kind == SpreadKind::Even);
        assert_eq!(spread.reason, None);
    }
}

#[test]
fn what_may_be_either_is_neither() {
    // As uvicorn's workers did.
    let spread = judged(&counts(&[33, 33, 24, 10]));
    assert_eq!(spread.kind, SpreadKind::Inconclusive, "{spread:#?}");
    assert_eq!(
        spread.sentence,
        "100 connections: 33, 33, 24, 10. Inconclusive: an even spread looks like this, or less even, in 3 of 1,000 \
         cases, which is too rare to call it even, and too common to call it uneven."
    );
    assert!(spread.chance.is_some() && !spread.advice.is_empty());
    let spread = judged(&counts(&[31, 30, 27, 12]));
    assert_eq!(spread.kind, SpreadKind::Even);
    assert!(
        spread
            .sentence
            .ends_with("in 25 of 1,000 cases, so chance may explain it."),
        "{}",
        spread.sentence
    );
    let rounds = judge_frozen(&rounds(&[11, 2, 11, 2, 8], 20));
    assert!(rounds.chance.is_some(), "{rounds:#?}");
    assert_eq!(rounds.kind, SpreadKind::Inconclusive, "{rounds:#?}");
}

#[test]
fn a_worker_that_is_expected_and_not_seen_counts_as_none() {
    let found = counts(&[34, 33, 33]);
    assert_eq!(judged(&found).kind, SpreadKind::Even);
    let spread = judge_spread(&found, Some(4), &[], 3);
    assert_eq!(spread.kind, SpreadKind::Uneven, "{spread:#?}");
    assert!(
        spread
            .sentence
            .starts_with("100 connections: 34, 33, 33, 0. "),
        "{}",
        spread.sentence
    );
    let [advice] = spread.advice.as_slice() else {
        panic!("the others are even: {spread:#?}");
    };
    assert!(advice.contains("which got nothing"), "{advice}");
    let spread = judge_spread(&found, Some(2), &[], 3);
    assert_eq!(
        spread.reason,
        Some(SpreadReason::MoreThanExpected {
            seen: 3,
            expected: 2
        })
    );
}

#[test]
fn one_worker_shows_nothing_unless_more_are_expected() {
    let found = counts(&[100]);
    let spread = judged(&found);
    assert_eq!(
        spread.reason,
        Some(SpreadReason::OneWorker { connections: 100 })
    );
    assert!(
        spread.evidence.iter().any(|line| line.contains("4.5 %")),
        "{spread:#?}"
    );
    let spread = judge_spread(&found, Some(4), &[], 3);
    assert_eq!(spread.kind, SpreadKind::Uneven);
    assert!(
        spread
            .sentence
            .starts_with("100 connections: 100, 0, 0, 0. "),
        "{}",
        spread.sentence
    );
}

#[test]
fn ids_of_requests_and_too_few_connections_are_said() {
    let spread = judged(&counts(&[1; 50]));
    assert_eq!(spread.reason, Some(SpreadReason::Requests { answers: 50 }));
    let spread = judged(&counts(&[2; 20]));
    assert_eq!(
        spread.reason,
        Some(SpreadReason::TooFew {
            connections: 40,
            workers: 20,
            needed: 100
        })
    );
    assert_eq!(spread.kind, SpreadKind::Inconclusive);
    assert_eq!(judged(&counts(&[5; 20])).kind, SpreadKind::Even);
}

#[test]
fn answers_that_are_missing_may_be_those_of_one_worker() {
    let mut found = counts(&[50, 46]);
    for _ in 0..4 {
        found.add(Heard::Failed("connection refused".to_owned()));
    }
    let spread = judged(&found);
    assert_eq!(spread.kind, SpreadKind::Even, "{spread:#?}");
    let told = "no answer, 4 times: connection refused";
    assert!(
        spread.evidence.iter().any(|line| line == told),
        "{spread:#?}"
    );
    found.add(Heard::Nameless("status 502".to_owned()));
    found.add(Heard::Nameless("status 502".to_owned()));
    let spread = judged(&found);
    assert_eq!(
        spread.sentence,
        "Inconclusive: 2 of 102 answers do not say which worker gave them (status 502)."
    );
    let mut none = Tally::default();
    for _ in 0..20 {
        none.add(Heard::Failed("connection refused".to_owned()));
    }
    assert_eq!(
        judged(&none).sentence,
        "Inconclusive: 20 of 20 connections failed (connection refused)."
    );
}

#[test]
fn replicas_are_compared_and_the_workers_within_each() {
    // A balancer gives each replica as many, however many workers it has.
    let fair = tally(&[
        (at("a", "0"), 30),
        (at("b", "0"), 15),
        (at("b", "1"), 15),
        (at("c", "0"), 10),
        (at("c", "1"), 10),
        (at("c", "2"), 10),
    ]);
    let spread = judged(&fair);
    assert_eq!(spread.kind, SpreadKind::Even, "{spread:#?}");
    assert_eq!(
        spread.sentence,
        "90 connections: 30, 15, 15, 10, 10, 10. The 6 workers of 3 replicas get them in turn."
    );
    assert!(
        spread
            .evidence
            .contains(&"by replica: a 30, b 30, c 30".to_owned()),
        "{spread:#?}"
    );
    // The replicas are alike, but the workers of one are not.
    let within = tally(&[(at("a", "0"), 48), (at("a", "1"), 2), (at("b", "0"), 50)]);
    assert_eq!(judged(&within).kind, SpreadKind::Uneven);
    let between = tally(&[(at("a", "0"), 80), (at("b", "0"), 20)]);
    let spread = judged(&between);
    assert_eq!(spread.kind, SpreadKind::Uneven);
    let weights = |line: &String| line.contains("weights");
    assert!(spread.advice.iter().any(weights), "{spread:#?}");
    // One replica with two workers is like a server that names only its workers.
    let one = tally(&[(at("a", "0"), 25), (at("a", "1"), 25)]);
    assert_eq!(judged(&one).kind, SpreadKind::Even);
    assert_eq!(
        judged(&tally(&[(at("a", "0"), 50)])).reason,
        Some(SpreadReason::OneWorker { connections: 50 })
    );
}

/// Connections that fall on workers by chance.
fn thrown(dice: &mut Dice, connections: usize, workers: usize) -> Tally {
    let mut found = vec![0; workers];
    for _ in 0..connections {
        found[dice.below(workers)] += 1;
    }
    counts(&found)
}

#[test]
fn an_even_spread_is_rarely_called_uneven() {
    let mut dice = Dice(14);
    for (connections, workers) in [(40, 4), (60, 2), (100, 20), (1000, 8)] {
        let runs = 2000;
        let uneven = (0..runs).filter(|_| {
            judged(&thrown(&mut dice, connections, workers)).kind == SpreadKind::Uneven
        });
        let uneven = uneven.count();
        // Two are expected. More than ten are seen less than once in 100,000 runs of this test.
        assert!(
            uneven <= 10,
            "{connections} on {workers}: {uneven} of {runs}"
        );
    }
}

#[test]
fn the_chance_is_as_often_as_it_says() {
    let mut dice = Dice(7);
    for (connections, workers) in [(30, 3), (100, 20)] {
        let runs = 2000_u32;
        let small = (0..runs).filter(|_| {
            let spread = judged(&thrown(&mut dice, connections, workers));
            spread
                .chance
                .is_some_and(|chance| chance.probability <= 0.1)
        });
        let share = f64::from(u32::try_from(small.count()).expect("few")) / f64::from(runs);
        // Counts are whole, so that the chance is at most 0.1 a little less often than in a tenth of the runs.
        assert!(
            (0.06..0.13).contains(&share),
            "{connections} {workers}: {share}"
        );
    }
}

fn kept(workers: &[&str]) -> KeptConnection {
    KeptConnection {
        heard: workers
            .iter()
            .map(|worker| Heard::From(id(worker)))
            .collect(),
        closed: workers.len() < 3,
    }
}

#[test]
fn a_kept_connection_stays_moves_or_is_closed() {
    let fresh = counts(&[10, 10]);
    for (one, kind, told) in [
        (
            &["0", "0", "0"][..],
            KeptKind::Stays,
            "on each of 10 connections",
        ),
        (
            &["0", "1", "0"],
            KeptKind::Moves,
            "does not stay with one worker: on each of 10 connections",
        ),
        (
            &["0"],
            KeptKind::Closed,
            "The server closes each connection",
        ),
    ] {
        let connections = vec![kept(one); 10];
        let found = judge_spread(&fresh, None, &connections, 3)
            .kept
            .expect("kept");
        assert_eq!(found.kind, kind, "{found:#?}");
        assert!(found.sentence.contains(told), "{}", found.sentence);
        let answers: usize = found.workers.iter().map(|worker| worker.answers).sum();
        assert_eq!(answers, one.len() * 10);
    }
    let alone = judge_spread(&counts(&[20]), None, &vec![kept(&["0", "0", "0"]); 10], 3);
    let found = alone.kept.expect("kept");
    assert_eq!(found.kind, KeptKind::Unclear);
    assert!(
        found.sentence.contains("only one worker"),
        "{}",
        found.sentence
    );
}

fn rounds(frozen: &[usize], of: usize) -> Vec<FrozenRound> {
    let round = |frozen: &usize| FrozenRound {
        connections: of,
        frozen: *frozen,
        prompt: of - frozen,
        ..FrozenRound::default()
    };
    frozen.iter().map(round).collect()
}

#[test]
fn the_share_that_waits_is_one_in_as_many_as_there_are_workers() {
    let spread = judge_frozen(&rounds(&[5, 5, 5, 5, 5], 20));
    assert_eq!(spread.kind, SpreadKind::Even, "{spread:#?}");
    assert_eq!(
        spread.sentence,
        "25 of 100 connections waited for the request that held its worker, as with 4 workers of equal share (3 to \
         5). Nothing speaks against an even spread."
    );
    let found = spread.frozen.expect("frozen").workers.expect("some waited");
    assert!((found.about - 4.0).abs() < 1e-9);

    let spread = judge_frozen(&rounds(&[14, 3, 14, 2, 14], 20));
    assert_eq!(spread.kind, SpreadKind::Uneven, "{spread:#?}");
    assert!(
        spread.sentence.contains("not alike in all rounds"),
        "{spread:#?}"
    );
}

#[test]
fn a_worker_that_gets_nearly_all_is_found_although_all_rounds_are_alike() {
    let spread = judge_frozen(&rounds(&[18, 19, 18, 19, 18], 20));
    assert_eq!(spread.kind, SpreadKind::Uneven, "{spread:#?}");
    assert!(
        spread
            .sentence
            .contains("which fits no number of workers of equal share"),
        "{}",
        spread.sentence
    );
}

/// Rounds in which a connection picks the worker that is held, and others fall on it or not, by these shares.
fn thrown_rounds(dice: &mut Dice, shares: &[f64], of: usize) -> Vec<FrozenRound> {
    let mut picked = || {
        let mut at = dice.roll();
        let worker = shares.iter().position(|share| {
            at -= share;
            at < 0.0
        });
        worker.unwrap_or(shares.len() - 1)
    };
    let frozen: Vec<_> = (0..5)
        .map(|_| {
            let held = picked();
            (0..of).filter(|_| picked() == held).count()
        })
        .collect();
    rounds(&frozen, of)
}

#[test]
fn even_rounds_are_rarely_called_uneven_and_uneven_ones_often() {
    let mut dice = Dice(3);
    let mut uneven = |shares: &[f64], of: usize, runs: usize| {
        let found = (0..runs).filter(|_| {
            judge_frozen(&thrown_rounds(&mut dice, shares, of)).kind == SpreadKind::Uneven
        });
        found.count()
    };
    for shares in [&[0.25; 4][..], &[0.5; 2], &[0.125; 8]] {
        let found = uneven(shares, 20, 300);
        // Fewer than one is expected.
        assert!(found <= 4, "{shares:?}: {found}");
    }
    let found = uneven(&[0.7, 0.17, 0.13], 40, 100);
    assert!(found > 70, "{found}");
}

#[test]
fn without_some_that_wait_and_some_that_do_not_nothing_is_said() {
    for (rounds, reason) in [
        (rounds(&[0, 0], 20), SpreadReason::NoneFroze { of: 40 }),
        (rounds(&[20, 20], 20), SpreadReason::AllFroze { of: 40 }),
        (
            // Those that show nothing are not said to have waited.
            vec![FrozenRound {
                connections: 100,
                frozen: 91,
                unclear: 9,
                ..FrozenRound::default()
            }],
            SpreadReason::AllFroze { of: 91 },
        ),
        (
            rounds(&[1, 2], 20),
            SpreadReason::FewFroze { frozen: 3, of: 40 },
        ),
        (
            vec![FrozenRound {
                connections: 20,
                frozen: 10,
                prompt: 5,
                unclear: 5,
                failed: 0,
            }],
            SpreadReason::Unclear { unclear: 5, of: 20 },
        ),
    ] {
        let spread = judge_frozen(&rounds);
        assert_eq!(spread.kind, SpreadKind::Inconclusive);
        assert_eq!(spread.reason, Some(reason));
    }
    let few = judge_frozen(&rounds(&[1, 2], 20));
    assert!(
        few.sentence
            .ends_with("As many as there are with 13 workers of equal share (6 to 38)."),
        "{}",
        few.sentence
    );
    assert_eq!(judge_frozen(&[]).kind, SpreadKind::Inconclusive);
}
