//! The plan with simulated servers: which rounds it requests, and what it finds.

use super::dice::Dice;
use super::ms;
use super::server::{Server, Way};
use crate::experiment::{Experiment, Findings, Policy, RoundKind, Step};
use crate::{IdenticalKind, Kind, Reason};
use holdup_model::{Failure, Lane};

/// What the plan asked a server, in short, and what it found.
fn plan(server: &mut Server, policy: Policy) -> (String, Findings) {
    let findings = server.judged(policy);
    (server.asked.join(", "), findings)
}

fn outside(way: Way, service: f64) -> (String, Findings) {
    plan(&mut Server::new(way, service), Policy::outside(4))
}

#[test]
fn a_server_is_asked_alone_and_then_for_all_at_once() {
    for (way, kind, rounds) in [
        (
            Way::Workers(4),
            Kind::Concurrent,
            "warm-up, solo, solo, unique 4, identical 4, after",
        ),
        (
            Way::Workers(1),
            Kind::Serialized,
            "warm-up, solo, solo, unique 4",
        ),
        // Two steps may be one pause: once more.
        (
            Way::Workers(2),
            Kind::Limited,
            "warm-up, solo, solo, unique 4, unique 4, identical 4, after",
        ),
        (
            Way::Cores(2.0),
            Kind::Limited,
            "warm-up, solo, solo, unique 4, unique 4, identical 4, after",
        ),
    ] {
        let (asked, findings) = outside(way, 0.3);
        assert_eq!(asked, rounds, "{way:?}");
        assert_eq!(findings.verdict.kind, kind, "{:#?}", findings.verdict);
        let expected = match kind {
            Kind::Serialized => None,
            _ => Some(IdenticalKind::Same),
        };
        assert_eq!(findings.identical.map(|found| found.kind), expected);
    }
}

#[test]
fn a_server_that_takes_long_is_not_asked_alone_where_the_rounds_prove_it_concurrent() {
    for service in [1.0, 3.0] {
        let mut server = Server::new(Way::Workers(9), service);
        let (asked, findings) = plan(&mut server, Policy::outside(4));
        assert_eq!(asked, "warm-up, unique 4, identical 4+1");
        assert_eq!(findings.verdict.kind, Kind::Concurrent);
        assert_eq!(findings.alone[0].label(), "warm");
        assert!(server.now <= 3.15 * service, "{}", server.now);
    }
    // More than four do not run at a time: the one beside them is left, since it has to wait.
    let mut server = Server::new(Way::Workers(4), 1.0);
    let (asked, findings) = plan(&mut server, Policy::outside(4));
    assert_eq!(asked, "warm-up, unique 4, identical 4+1");
    assert_eq!(findings.verdict.kind, Kind::Concurrent);
    assert!(server.now <= 3.2, "{}", server.now);
    // If bodies name their URL, a repeated request with another body shows that one answer was given to all.
    let mut server = Server::new(Way::Workers(4), 1.0);
    server.echo = true;
    let (asked, findings) = plan(&mut server, Policy::outside(4));
    assert_eq!(asked, "warm-up, unique 4, identical 4+1, after");
    let found = findings.identical.expect("it is compared");
    assert_eq!(found.kind, IdenticalKind::Same);
}

#[test]
fn a_server_that_takes_long_is_asked_alone_where_anything_else_is_found() {
    for (way, cold, kind, rounds) in [
        (
            Way::Workers(1),
            0.0,
            Kind::Serialized,
            "warm-up, unique 4, solo",
        ),
        (
            Way::Workers(2),
            0.0,
            Kind::Limited,
            "warm-up, unique 4, solo, unique 4, identical 4, after",
        ),
        // The first request took longer, by chance exactly as long as four that share two cores.
        (
            Way::Cores(2.0),
            1.0,
            Kind::Limited,
            "warm-up, unique 4, identical 4+1, solo, unique 4, identical 4, after",
        ),
        (
            Way::Workers(9),
            0.5,
            Kind::Concurrent,
            "warm-up, unique 4, solo, identical 4+1",
        ),
        (
            Way::LockByUrl,
            0.0,
            Kind::Concurrent,
            "warm-up, unique 4, identical 4+1, solo, unique 4, identical 4, unique 4, identical 4, \
             unique 4, identical 4",
        ),
    ] {
        let mut server = Server::new(way, 1.0);
        server.cold = cold;
        let (asked, findings) = plan(&mut server, Policy::outside(4));
        assert_eq!(asked, rounds, "{way:?}");
        assert_eq!(findings.verdict.kind, kind, "{:#?}", findings.verdict);
    }
}

#[test]
fn what_is_kept_or_answered_once_is_found_in_either_way() {
    for service in [0.3, 1.0] {
        for way in [Way::Kept, Way::OnceForAll] {
            let (asked, findings) = outside(way, service);
            let found = findings.identical.expect("it is compared");
            assert_eq!(found.kind, IdenticalKind::AnsweredOnce, "{way:?}: {asked}");
            assert_eq!(found.ran, Kind::Concurrent);
            assert_eq!(findings.verdict.kind, Kind::Concurrent);
        }
        let (asked, findings) = outside(Way::LockByUrl, service);
        let found = findings.identical.expect("it is compared");
        assert_eq!(found.kind, IdenticalKind::Serialized, "{asked}");
    }
}

#[test]
fn a_server_that_is_warming_up_keeps_no_answer() {
    let mut looked = 0;
    for place in 0..100_u32 {
        let service = if place % 2 == 0 { 0.6 } else { 1.5 };
        let mut server = Server::new(Way::Warms(service / f64::from(10 + place / 2)), service);
        // Whoever asks sees only how long they take.
        server.echo = true;
        let (asked, findings) = plan(&mut server, Policy::outside(4));
        looked += usize::from(asked.contains("after, after"));
        let kind = findings.identical.map(|found| found.kind);
        assert_ne!(kind, Some(IdenticalKind::AnsweredOnce), "{asked}");
    }
    assert!(looked > 5, "{looked}");
}

#[test]
fn new_urls_are_asked_only_if_a_repeated_one_is_fast() {
    for (way, service, rounds) in [
        (
            Way::Kept,
            0.3,
            "warm-up, solo, solo, unique 4, identical 4, after, after, after",
        ),
        (
            Way::Kept,
            1.0,
            "warm-up, unique 4, identical 4+1, solo, after",
        ),
        (
            Way::Workers(9),
            0.3,
            "warm-up, solo, solo, unique 4, identical 4, after",
        ),
    ] {
        let (asked, _) = outside(way, service);
        assert_eq!(asked, rounds, "{way:?}");
    }
}

#[test]
fn a_verdict_that_one_pause_could_cause_is_confirmed() {
    let mut server = Server::new(Way::Workers(9), 0.3);
    server.pause = Some(3);
    let (asked, findings) = plan(&mut server, Policy::outside(4));
    assert_eq!(asked, "warm-up, solo, solo, unique 4, unique 4");
    assert!(matches!(
        findings.verdict.reason,
        Some(Reason::Differs { .. })
    ));
}

#[test]
fn a_limit_on_the_rate_gets_the_time_to_recover() {
    for early in [true, false] {
        let mut server = Server::new(Way::Tokens(6, 2.0), 1.0);
        let mut policy = Policy::outside(12);
        policy.early = early;
        let (asked, findings) = plan(&mut server, policy);
        let rate = matches!(findings.verdict.reason, Some(Reason::Rate { .. }));
        assert!(rate, "{asked}: {:#?}", findings.verdict);
        assert!(asked.contains("pause"), "{asked}");
    }
}

#[test]
fn what_requests_leave_behind_is_looked_for_after_pauses() {
    let (asked, findings) = outside(Way::LeavesBehind(0.3), 0.002);
    let rested = "pause 0.8 s, rested, pause 0.0 s, after, ";
    let round = ", pause 0.4 s, unique 4, pause 0.0 s, after";
    let expected = format!(
        "warm-up, solo, solo, {rested}{}{}{round}{round}",
        rested,
        rested.trim_end_matches(", ")
    );
    // The first pair may still have met what those before left.
    let two = expected.replacen(rested, "", 1);
    assert!([expected, two].contains(&asked), "{asked}");
    assert_eq!(findings.verdict.kind, Kind::Serialized);
    assert!(matches!(
        findings.verdict.reason,
        Some(Reason::LeftBehind { .. })
    ));
    assert!(findings.identical.is_none());

    // Where a request takes long, the plan in full is begun anew.
    let (asked, findings) = outside(Way::LeavesBehind(2.0), 1.0);
    let begins = "warm-up, unique 4, solo, pause 15.0 s, warm-up, solo, pause 8.0 s, rested";
    assert!(asked.starts_with(begins), "{asked}");
    assert_eq!(findings.verdict.kind, Kind::Serialized, "{asked}");
}

#[test]
fn a_server_that_fails_gets_no_further_requests() {
    // The second solo.
    let mut server = Server::new(Way::Workers(9), 0.3);
    server.odd = Some((2, 500));
    let (asked, findings) = plan(&mut server, Policy::outside(4));
    assert_eq!(asked, "warm-up, solo, solo");
    assert!(matches!(
        findings.verdict.reason,
        Some(Reason::Status { alone: true, .. })
    ));
    // All at once, where one takes long.
    let mut server = Server::new(Way::Workers(9), 1.0);
    server.odd = Some((1, 503));
    let (asked, findings) = plan(&mut server, Policy::outside(4));
    assert_eq!(asked, "warm-up, unique 4");
    assert!(matches!(
        findings.verdict.reason,
        Some(Reason::Status { alone: false, .. })
    ));
    assert_eq!(findings.unique.map(|unique| unique.lanes.len()), Some(4));

    // The first of all.
    let mut experiment = Experiment::new(Policy::outside(4));
    let mut refused = Lane::start("/", ms(0));
    refused.fail(ms(1), Failure::Refused);
    experiment.feed(vec![refused]);
    let Step::Done(findings) = experiment.next() else {
        panic!("{experiment:#?}");
    };
    assert!(matches!(
        findings.verdict.reason,
        Some(Reason::Failed { count: 1, .. })
    ));
    assert_eq!(findings.alone.len(), 1);
}

#[test]
fn requests_that_are_cut_off_by_time_are_no_verdict() {
    for service in [0.3, 1.0] {
        let mut server = Server::new(Way::Workers(1), service);
        let mut policy = Policy::outside(4);
        policy.timeout = Some(super::ms(2500).mul_f64(service));
        let (asked, findings) = plan(&mut server, policy);
        assert!(asked.ends_with("unique 4"), "{asked}");
        let failed = matches!(
            findings.verdict.reason,
            Some(Reason::Failed {
                count: 2,
                alone: false,
                ..
            })
        );
        assert!(failed, "{:#?}", findings.verdict);
    }
}

#[test]
fn a_round_has_its_number_of_requests_and_their_time_out() {
    let mut experiment = Experiment::new(Policy::outside(5));
    let answered = |label: &str, after: u64| {
        let mut lane = Lane::start(label, ms(0));
        lane.record_head(ms(after), 200);
        lane.finish(ms(after));
        lane
    };
    for (kind, requests, timeout) in [
        (RoundKind::WarmUp, 1, 60_000),
        (RoundKind::Unique, 5, 225_000),
        (RoundKind::Identical, 5, 225_000),
    ] {
        let Step::Ask(round) = experiment.next() else {
            panic!("{experiment:#?}");
        };
        let round = round.clone();
        assert_eq!((round.kind, round.requests()), (kind, requests));
        assert_eq!(round.timeout, ms(timeout));
        let lanes = round.asks.iter().map(|ask| answered(&ask.name, 30_000));
        experiment.feed(lanes.collect::<Vec<_>>());
    }
    assert!(matches!(experiment.next(), Step::Done(_)));
    // Nothing goes on after the end.
    experiment.feed(Vec::new());
    assert!(matches!(experiment.next(), Step::Done(_)));
}

#[test]
fn lanes_that_are_missing_are_requests_without_an_answer() {
    let mut experiment = Experiment::new(Policy::outside(4));
    experiment.feed(Vec::new());
    let Step::Done(findings) = experiment.next() else {
        panic!("{experiment:#?}");
    };
    assert!(matches!(
        findings.verdict.reason,
        Some(Reason::Failed { .. })
    ));
}

#[test]
fn in_a_test_noise_is_measured_anew_and_identical_urls_are_not_asked() {
    let (asked, findings) = plan(
        &mut Server::new(Way::Workers(9), 0.1),
        Policy::in_process(4),
    );
    assert_eq!(asked, "warm-up, solo, solo, unique 4");
    assert_eq!(findings.verdict.kind, Kind::Concurrent);

    // One pause: both have to agree, and then all is measured anew.
    let mut server = Server::new(Way::Workers(9), 0.1);
    server.pause = Some(3);
    let (asked, findings) = plan(&mut server, Policy::in_process(4));
    let once = "solo, solo, unique 4";
    assert_eq!(asked, format!("warm-up, {once}, unique 4, {once}"));
    assert_eq!(findings.verdict.kind, Kind::Concurrent);

    // Work that differs by a factor of four is not judged, and not for ever.
    let mut server = Server::new(Way::Workers(9), 0.1);
    (server.jitter, server.dice) = (0.6, Dice(5));
    let (asked, findings) = plan(&mut server, Policy::in_process(4));
    assert_eq!(findings.verdict.kind, Kind::Inconclusive, "{asked}");
    assert_eq!(asked.matches("solo, solo").count(), 10, "{asked}");

    // Errors are certain, and shown.
    let mut server = Server::new(Way::Workers(9), 0.1);
    server.odd = Some((1, 404));
    let (asked, _) = plan(&mut server, Policy::in_process(4));
    assert_eq!(asked, format!("warm-up, {once}"));
}

#[test]
fn measuring_anew_finds_a_healthy_handler_and_never_makes_a_blocking_one_concurrent() {
    for seed in 1..200 {
        let judged = |workers, jitter| {
            let mut server = Server::new(Way::Workers(workers), 0.1);
            (server.jitter, server.dice) = (jitter, Dice(seed * 7919));
            plan(&mut server, Policy::in_process(4)).1.verdict.kind
        };
        assert_eq!(judged(9, 0.3), Kind::Concurrent, "{seed}");
        assert_eq!(judged(1, 0.3), Kind::Serialized, "{seed}");
        assert_ne!(judged(1, 0.6), Kind::Concurrent, "{seed}");
    }
}
