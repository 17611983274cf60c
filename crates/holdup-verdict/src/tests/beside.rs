//! Bystanders: made-up rounds.

use super::ms;
use crate::{BesideKind, BesideRound, Sample, judge_beside};
use holdup_model::{Lane, Timeline};

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

#[test]
fn a_bystander_that_waits_for_one_request_is_frozen_by_one() {
    let alone: Vec<_> = (0..8).map(|at| fresh(at * 10, at * 10 + 2)).collect();
    let samples = (0..64).map(|at| fresh(1000 + at * 5, 4002 + at / 4));
    let round = BesideRound {
        at_once: Timeline::from(vec![lane(1000, 4000)]),
        samples: samples.collect(),
    };
    let beside = judge_beside(&alone, &[round]).named("GET /healthz");
    assert_eq!(
        (beside.kind, beside.frozen_by),
        (BesideKind::Frozen, Some(1))
    );
    assert_eq!(
        beside.sentence,
        "GET /healthz got no answer for 3.00 s while one request ran: from 0 ms to 3.00 s."
    );
}
