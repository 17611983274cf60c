//! Made-up rounds, one for each rule.

use std::time::Duration;

use crate::tests::ms;
use crate::{
    Beside, BesideKind, BesideReason, BesideRound, Pieces, Sample, judge_beside,
    judge_beside_round, next_beside, pace,
};
use holdup_model::{ClientTime, Failure, Lane, Timeline};
use serde_json::json;

fn lane(sent: u64, ended: u64) -> Lane {
    let mut lane = Lane::start("/", ms(sent));
    lane.record_head(ms(ended), 200);
    lane.finish(ms(ended));
    lane
}

fn fresh(sent: u64, ended: u64) -> Sample {
    Sample {
        lane: lane(sent, ended),
        kept: None,
    }
}

fn kept(connection: usize, sent: u64, ended: u64) -> Sample {
    Sample {
        lane: lane(sent, ended),
        kept: Some(connection),
    }
}

/// B takes 2 ms alone.
fn alone() -> Vec<Sample> {
    (0..8).map(|at| fresh(at * 10, at * 10 + 2)).collect()
}

/// A begins after a second, and its requests end after these times.
fn round(ends: &[u64], samples: Vec<Sample>) -> BesideRound {
    let lanes: Vec<_> = ends.iter().map(|end| lane(1000, 1000 + end)).collect();
    BesideRound {
        at_once: Timeline::from(lanes),
        samples,
    }
}

/// B is asked every 10 ms for so long, and each answer comes when `ended` says.
fn asked(length: u64, ended: impl Fn(u64) -> u64) -> Vec<Sample> {
    let sent = (0..length / 10).map(|place| place * 10);
    sent.map(|at| fresh(1000 + at, 1000 + ended(at))).collect()
}

/// What is sent before `until` is answered then.
fn held_until(until: u64) -> impl Fn(u64) -> u64 {
    move |at| if at < until { until + at / 100 } else { at + 2 }
}

/// What is sent before `until` is answered at the end of the piece in which it was sent.
fn held_in_pieces(piece: u64, until: u64) -> impl Fn(u64) -> u64 {
    move |at| {
        if at < until {
            (at / piece + 1) * piece
        } else {
            at + 2
        }
    }
}

#[test]
fn the_pieces_in_which_nothing_is_answered_are_added_up() {
    for (piece, count) in [(80, 5), (200, 2), (400, 1)] {
        let round = round(&[400], asked(500, held_in_pieces(piece, 400)));
        let pieces = judge_beside_round(&alone(), &round).pieces;
        assert_eq!(pieces.count, count, "{pieces:?}");
        assert_eq!(pieces.length, ms(piece), "{pieces:?}");
        assert_eq!(pieces.silent, ms(400), "{pieces:?}");
    }
    // B alone is sometimes answered as late.
    let noisy: Vec<_> = (0..8)
        .map(|at| fresh(at * 100, at * 100 + 20 + at * 10))
        .collect();
    let round_of = |piece| round(&[400], asked(500, held_in_pieces(piece, 400)));
    assert_eq!(
        judge_beside_round(&noisy, &round_of(80)).pieces,
        Pieces::default()
    );
    assert_eq!(judge_beside_round(&noisy, &round_of(200)).pieces.count, 2);
    // The turns of threads.
    let round = round(&[400], asked(500, held_in_pieces(20, 400)));
    let pieces = judge_beside_round(&alone(), &round).pieces;
    assert_eq!(pieces, Pieces::default());
}

fn judged(rounds: &[BesideRound]) -> Beside {
    judge_beside(&alone(), rounds)
}

fn kind(round: &BesideRound) -> BesideKind {
    judge_beside_round(&alone(), round).kind
}

fn reason(round: &BesideRound) -> BesideReason {
    let finding = judge_beside_round(&alone(), round);
    assert_eq!(finding.kind, BesideKind::Inconclusive, "{finding:#?}");
    finding.reason.expect("a reason")
}

#[test]
fn a_bystander_that_waits_for_one_request_is_frozen_by_one() {
    let samples = (0..64).map(|at| fresh(1000 + at * 15, 4002 + at / 4));
    let beside = judged(&[round(&[3000], samples.collect())]).named("GET /healthz");
    assert_eq!(
        (beside.kind, beside.frozen_by),
        (BesideKind::Frozen, Some(1))
    );
    assert_eq!(
        beside.sentence,
        "GET /healthz got no answer for 3.00 s while one request ran: from 0 ms to 3.00 s."
    );
    assert_eq!(
        serde_json::to_value(&beside).expect("JSON"),
        json!({
            "verdict": "frozen", "alone_ms": 2.0, "frozen_by": 1,
            "rounds": [{
                "requests": 1, "verdict": "frozen", "asked": 64, "late": 64,
                "longest_ms": 3002.0, "from_ms": 0.0, "to_ms": 3002.0,
            }],
        })
    );
}

#[test]
fn a_bystander_that_is_answered_as_ever_is_untouched() {
    let rounds = [1, 2, 4].map(|n| round(&vec![1000; n], asked(1100, |at| at + 2)));
    let beside = judged(&rounds);
    assert_eq!(
        (beside.kind, beside.frozen_by),
        (BesideKind::Untouched, None)
    );
    assert_eq!(
        beside.sentence,
        "The other route was answered as usual while 4 requests ran: in 2.0 ms, and in 2.0 ms alone."
    );
    assert_eq!(beside.evidence.len(), 4);
}

#[test]
fn late_answers_that_keep_coming_are_slowed() {
    let beside = judged(&[round(&[1000; 4], asked(1100, |at| at + 45))]);
    assert_eq!((beside.kind, beside.frozen_by), (BesideKind::Slowed, None));
    assert_eq!(
        beside.named("/fast").sentence,
        "/fast took 45 ms while 4 requests ran, and 2.0 ms alone."
    );
}

#[test]
fn if_others_are_answered_meanwhile_only_a_part_is_frozen() {
    let every_other = |at: u64| match at / 10 % 2 {
        0 => held_until(1000)(at),
        _ => at + 2,
    };
    let beside = judged(&[round(&[1000], asked(1100, every_other))]);
    assert_eq!(
        (beside.kind, beside.frozen_by),
        (BesideKind::SomeFrozen, Some(1))
    );
    assert_eq!(
        beside.sentence,
        "A part of the requests to the other route got no answer for 1.00 s while one request ran, from 0 ms \
         to 1.00 s; the others were answered."
    );
}

#[test]
fn a_client_that_must_not_send_more_does_not_make_a_part_look_like_all() {
    // After 320 ms, all requests that may be unanswered are those of the worker that is held.
    let samples = (0..64).map(|place| {
        let sent = 1000 + place * 5;
        let held = place % 2 == 0;
        fresh(sent, if held { 4001 } else { sent + 2 })
    });
    assert_eq!(
        kind(&round(&[3000], samples.collect())),
        BesideKind::SomeFrozen
    );
}

#[test]
fn kept_connections_alone_show_that_a_part_is_frozen() {
    let mut samples = asked(1100, |at| at + 2);
    samples.extend((0..4).map(|connection| kept(connection, 1005, 2001)));
    samples.extend((0..40).map(|place| kept(4, 1005 + place * 25, 1007 + place * 25)));
    assert_eq!(kind(&round(&[1000], samples)), BesideKind::SomeFrozen);
    // One of them alone may have been late by chance.
    let mut samples = asked(1100, |at| at + 2);
    samples.push(kept(0, 1005, 2001));
    let few = BesideReason::FewHeld { count: 1 };
    assert_eq!(reason(&round(&[1000], samples)), few);
}

#[test]
fn answers_between_two_turns_change_nothing() {
    let between = |at: u64| {
        let turn = at / 300;
        // Ten are answered between two turns, and then the next turn begins.
        let rest = at % 300;
        if turn < 4 {
            (turn + 1) * 300 + rest / 30
        } else {
            at + 2
        }
    };
    let beside = judged(&[round(&[300, 602, 901, 1204], asked(1300, between))]);
    assert_eq!(
        (beside.kind, beside.frozen_by),
        (BesideKind::Frozen, Some(4))
    );
}

#[test]
fn a_short_freeze_must_be_seen_again() {
    let frozen = || round(&[200], asked(300, held_until(200)));
    let beside = judged(&[frozen()]);
    assert_eq!(beside.kind, BesideKind::Inconclusive);
    assert_eq!(beside.reason, Some(BesideReason::Once { took: ms(200) }));
    let (mut rounds, mut found) = (Vec::new(), Vec::new());
    while let Some(requests) = next_beside(&found, 8) {
        assert_eq!(requests, 1);
        rounds.push(frozen());
        found.push(judge_beside_round(&alone(), &rounds[rounds.len() - 1]));
    }
    assert_eq!(rounds.len(), 4);
    let beside = judged(&rounds);
    assert_eq!(
        (beside.kind, beside.frozen_by),
        (BesideKind::Frozen, Some(1))
    );
}

#[test]
fn the_number_of_requests_is_doubled_until_it_freezes() {
    let untouched = |n: usize| round(&vec![1000; n], asked(1100, |at| at + 2));
    let frozen = |n: usize| round(&vec![1000; n], asked(1100, held_until(1000)));
    for (most, freezes, expected) in [
        (6, 9, &[1, 2, 4, 6][..]),
        (8, 4, &[1, 2, 4]),
        (1, 9, &[1]),
        (0, 9, &[]),
    ] {
        let mut found = Vec::new();
        let mut asked = Vec::new();
        while let Some(n) = next_beside(&found, most) {
            asked.push(n);
            let round = if n < freezes { untouched(n) } else { frozen(n) };
            found.push(judge_beside_round(&alone(), &round));
        }
        assert_eq!(asked, expected);
    }
    let beside = judged(&[untouched(1), untouched(2), frozen(4)]);
    assert_eq!(
        (beside.kind, beside.frozen_by),
        (BesideKind::Frozen, Some(4))
    );
    // It is not known what fewer do.
    let short = round(&[30], asked(40, |at| at + 2));
    let beside = judged(&[short, frozen(2)]);
    assert_eq!((beside.kind, beside.frozen_by), (BesideKind::Frozen, None));
}

#[test]
fn rounds_that_contradict_each_other_are_inconclusive() {
    let frozen = round(&[1000], asked(1100, held_until(1000)));
    let untouched = round(&[1000], asked(1100, |at| at + 2));
    let slowed = round(&[1000], asked(1100, |at| at + 45));
    for rounds in [
        [frozen.clone(), untouched.clone()],
        [slowed.clone(), untouched.clone()],
    ] {
        let beside = judged(&rounds);
        let reason = beside.reason.expect("a reason");
        assert!(matches!(reason, BesideReason::Differs { .. }), "{reason:?}");
    }
    let beside = judged(&[slowed.clone(), untouched, slowed]);
    assert_eq!(beside.kind, BesideKind::Slowed);
}

#[test]
fn a_time_without_an_answer_that_is_not_as_long_as_a_is_not_blamed_on_it() {
    for (from, to) in [(0, 450), (300, 750), (600, 1000)] {
        let samples = asked(
            1100,
            |at| {
                if (from..to).contains(&at) { to } else { at + 2 }
            },
        );
        let reason = reason(&round(&[1000], samples));
        let expected = BesideReason::Partly {
            from: ms(from),
            to: ms(to),
            took: ms(1000),
            full: false,
        };
        assert_eq!(reason, expected);
    }
}

#[test]
fn a_bystander_without_a_usual_time_shows_nothing() {
    let fine = || round(&[1000], asked(1100, |at| at + 2));
    let told = |alone: &[Sample]| {
        let beside = judge_beside(alone, &[fine()]);
        assert_eq!(beside.kind, BesideKind::Inconclusive);
        beside.sentence
    };
    let begins = "It is not certain what happens to the other route: ";
    let mut broken = alone();
    broken[3].lane.record_head(ms(32), 503);
    let mut refused = alone();
    refused[3].lane.fail(ms(32), Failure::Refused);
    let slow: Vec<_> = (0..8).map(|at| fresh(at * 900, at * 900 + 700)).collect();
    let varies = [10, 700, 20, 650, 10, 700, 20, 650];
    let varies: Vec<_> = varies.iter().map(|time| fresh(0, *time)).collect();
    for (alone, why) in [
        (
            broken,
            "it answered once with status 503, although nothing else ran.",
        ),
        (
            refused,
            "it failed once, although nothing else ran: connection refused.",
        ),
        (alone()[..4].to_vec(), "it was answered only 4 times alone."),
        (
            slow,
            "it takes 700 ms alone, too long beside the first route's 1.00 s.",
        ),
        (
            varies,
            "it takes from 10 ms to 700 ms alone, which varies too much beside the first route's 1.00 s.",
        ),
    ] {
        assert_eq!(told(&alone), format!("{begins}{why}"));
    }
    assert_eq!(judged(&[]).reason, Some(BesideReason::NotAsked));
}

#[test]
fn what_is_not_even_answered_alone_says_why() {
    let mut refused = Lane::start("/", ms(0));
    refused.fail(ms(1), Failure::Refused);
    let mut missing = lane(0, 1);
    missing.record_head(ms(1), 404);
    for (lane, why) in [(refused, "it failed once"), (missing, "status 404")] {
        let beside = judge_beside(&[Sample { lane, kept: None }], &[]);
        assert_eq!(beside.kind, BesideKind::Inconclusive);
        assert!(beside.sentence.contains(why), "{}", beside.sentence);
    }
}

#[test]
fn a_kept_connection_that_the_server_closed_is_no_failure_of_the_bystander() {
    let mut alone = alone();
    let mut closed = kept(0, 100, 102);
    closed.lane.fail(ms(101), Failure::Reset);
    alone.push(closed);
    let found = judge_beside_round(&alone, &round(&[600], asked(700, |at| at + 2)));
    assert_eq!(found.kind, BesideKind::Untouched, "{found:?}");
}

#[test]
fn what_fails_shows_nothing() {
    let mut rejected = round(&[1000, 1000], asked(1100, |at| at + 2));
    rejected.at_once.lanes[1].record_head(ms(1002), 429);
    let expected = BesideReason::OffenderFailed {
        count: 1,
        what: "status 429".to_owned(),
    };
    assert_eq!(reason(&rejected), expected);

    let mut failing = round(&[1000], asked(1100, |at| at + 2));
    for sample in &mut failing.samples[20..30] {
        sample.lane.record_head(ms(1300), 503);
    }
    let expected = BesideReason::Status {
        count: 10,
        status: 503,
        alone: false,
    };
    assert_eq!(reason(&failing), expected);
    let mut refused = round(&[1000], asked(1100, |at| at + 2));
    for sample in &mut refused.samples[20..30] {
        sample.lane.fail(ms(1300), Failure::Refused);
    }
    assert!(matches!(
        reason(&refused),
        BesideReason::Failed {
            count: 10,
            alone: false,
            ..
        }
    ));
    // A server may close what was kept open.
    let mut closed = round(&[1000], asked(1100, |at| at + 2));
    for sample in &mut closed.samples[20..30] {
        sample.kept = Some(0);
        sample.lane.fail(ms(1300), Failure::Reset);
    }
    assert_eq!(kind(&closed), BesideKind::Untouched);
}

#[test]
fn requests_that_are_never_answered_were_held() {
    let mut frozen = round(&[1000], asked(1100, held_until(1000)));
    for (place, sample) in frozen.samples.iter_mut().enumerate().take(100) {
        let sent = sample.lane.requested_at();
        sample.lane = Lane::start("/", sent);
        if place % 2 == 0 {
            sample.lane.fail(ms(2300), Failure::TimedOut);
        }
    }
    assert_eq!(kind(&frozen), BesideKind::Frozen);
}

#[test]
fn an_a_that_is_too_short_shows_nothing() {
    let short = round(&[60], asked(100, |at| at + 2));
    assert_eq!(reason(&short), BesideReason::TooShort { took: ms(60) });
}

#[test]
fn a_pause_of_the_client_freezes_nothing() {
    let late = |lane: &mut Lane, to: u64| {
        let ended = lane.finished_at().unwrap_or_default();
        if ended < ms(to) && ended > ms(1100) {
            let by = ms(to).saturating_sub(ended);
            lane.finish(ms(to));
            lane.record_client_time(ClientTime {
                busy: Duration::ZERO,
                late: by,
                late_for_it: by,
                longest: by,
            });
        }
    };
    // Nothing of what came after 100 ms was seen before 700 ms.
    let mut paused = round(&[500], asked(600, |at| at + 2));
    for lane in &mut paused.at_once.lanes {
        late(lane, 1700);
    }
    for sample in &mut paused.samples {
        late(&mut sample.lane, 1700);
    }
    assert!(matches!(
        reason(&paused),
        BesideReason::ClientTooSlow { .. }
    ));
    // Nor was anything sent.
    let mut paused = round(&[1000], asked(1100, |at| at + 2));
    paused.samples.retain(|sample| {
        let sent = sample.lane.requested_at();
        sent < ms(1200) || sent > ms(1600)
    });
    let gap = BesideReason::Gap {
        from: ms(190),
        to: ms(610),
    };
    assert_eq!(reason(&paused), gap);
}

/// B is asked every 5 ms while A takes 3 s, and answered when the server turns to it: after 1 s and after 2.3 s. Until
/// then, as many of its requests are unanswered as may be.
fn full_twice() -> BesideRound {
    let burst = |begin: u64, until: u64| (0..64).map(move |at| fresh(begin + at * 5, until));
    let last = (0..6).map(|at| fresh(3305 + at * 100, 3307 + at * 100));
    let samples = burst(1000, 2000).chain(burst(2004, 3300)).chain(last);
    round(&[3000], samples.collect())
}

#[test]
fn a_server_that_leaves_too_many_unanswered_is_not_taken_for_a_client_that_is_late() {
    let full = full_twice();
    let expected = BesideReason::Partly {
        from: ms(1004),
        to: ms(2300),
        took: ms(3000),
        full: true,
    };
    assert_eq!(reason(&full), expected);
    assert_eq!(
        judged(&[full]).because().as_deref(),
        Some(
            "it got no answer from 1.00 s to 2.30 s, which is only a part of the first route's 3.00 s, and so \
             many of its requests were unanswered that no more were sent meanwhile"
        )
    );
    // The client may have seen the answers a second late.
    let mut late = full_twice();
    for sample in &mut late.samples[64..128] {
        sample.lane.record_client_time(ClientTime {
            busy: Duration::ZERO,
            late: ms(1000),
            late_for_it: ms(1000),
            longest: ms(1000),
        });
    }
    let gap = BesideReason::Gap {
        from: ms(1319),
        to: ms(2305),
    };
    assert_eq!(reason(&late), gap);
}

#[test]
fn a_bystander_that_had_all_its_requests_before_a_was_over_is_not_said_to_be_asked_late() {
    let samples = (0..384).map(|at| fresh(1000 + at * 5, 1002 + at * 5));
    let spent = round(&[3000], samples.collect());
    let expected = BesideReason::Spent {
        count: 384,
        from: ms(1915),
        to: ms(3000),
    };
    assert_eq!(reason(&spent), expected);
    assert_eq!(
        judged(&[spent]).because().as_deref(),
        Some("it had got the 384 requests of the round, and was not asked from 1.92 s to 3.00 s")
    );
}

#[test]
fn the_pace_fits_a_and_does_not_load_b() {
    let takes = |time: u64| vec![fresh(0, time); 8];
    for (b, a, expected) in [
        (1, 100, 5),
        (1, 1000, 5),
        (1, 3000, 15),
        (10, 1000, 20),
        (100, 3000, 150),
        (100, 1000, 125),
    ] {
        assert_eq!(pace(&takes(b), ms(a)), ms(expected), "{b} {a}");
    }
    assert_eq!(pace(&[], Duration::ZERO), ms(5));
}
