//! Simulated servers that answer in one way with a cookie, or at one URL, and in another way without it, or at
//! the second URL.

use super::dice::Dice;
use super::server::{Server, Way};
use crate::experiment::{Experiment, Findings, Policy, RoundKind, Step, To};
use crate::{Delivery, Kind, Session, Versus, VersusNames};

/// The measured server, and the one that answers the requests that are sent in another way.
struct Pair {
    measured: Server,
    other: Server,
    /// How many requests were sent in another way …
    varied: usize,
    /// … and how many in the same way after the first of those.
    repeated: usize,
    /// What becomes of the two servers as soon as a comparison is repeated.
    later: Option<(Way, Way)>,
}

impl Pair {
    fn new(measured: Way, other: Way, service: f64) -> Self {
        Self {
            measured: Server::new(measured, service),
            other: Server::new(other, service),
            varied: 0,
            repeated: 0,
            later: None,
        }
    }

    /// The whole experiment, with both.
    fn judged(&mut self, policy: Policy) -> Findings {
        let mut experiment = Experiment::new(policy);
        loop {
            let round = match experiment.next() {
                Step::Ask(round) => round.clone(),
                Step::Done(findings) => return (**findings).clone(),
            };
            let is_other = match round.kind {
                RoundKind::Session => round.asks.iter().all(|ask| ask.anonymous),
                RoundKind::Versus => round.asks.iter().all(|ask| ask.to == To::Versus),
                _ => {
                    let is_plain =
                        |ask: &crate::experiment::Ask| !ask.anonymous && ask.to == To::Target;
                    assert!(round.asks.iter().all(is_plain), "{round:?}");
                    false
                }
            };
            if is_other {
                self.varied += round.asks.len();
            } else if self.varied > 0 {
                self.repeated += round.asks.len();
                if let Some((measured, other)) = self.later.take() {
                    self.measured.becomes(measured);
                    self.other.becomes(other);
                }
            }
            let (server, idle) = if is_other {
                (&mut self.other, &mut self.measured)
            } else {
                (&mut self.measured, &mut self.other)
            };
            let lanes = server.ask(&round);
            idle.now = server.now;
            experiment.feed(lanes);
        }
    }

    fn session(&mut self, requests: usize) -> Session {
        let mut policy = Policy::outside(requests);
        policy.session = true;
        self.judged(policy).session.expect("it was asked for")
    }

    fn versus(&mut self, requests: usize) -> Versus {
        let mut policy = Policy::outside(requests);
        policy.versus = true;
        self.judged(policy).versus.expect("it was asked for")
    }
}

#[test]
fn a_lock_by_session_is_found_and_no_other_is_taken_for_one() {
    for service in [0.3, 1.2] {
        for (with, without, kind, at_a_time, told) in [
            (
                Way::Workers(1),
                Way::Workers(9),
                Kind::Concurrent,
                Some(4),
                "With the same cookie or credential, the 4 requests ran one at a time; without it, they ran \
                 at the same time: a lock by session.",
            ),
            (
                Way::Workers(1),
                Way::Workers(1),
                Kind::Serialized,
                Some(1),
                "Without the cookie or credential, the 4 requests ran one at a time, too: it is no lock by \
                 session.",
            ),
            (
                Way::Workers(2),
                Way::Workers(9),
                Kind::Concurrent,
                Some(4),
                "ran 2 at a time; without it, they ran at the same time: a limit for each session.",
            ),
            (
                Way::Workers(9),
                Way::Workers(9),
                Kind::Concurrent,
                Some(4),
                "Without the cookie or credential, the 4 requests ran at the same time, too.",
            ),
            (
                Way::Workers(9),
                Way::Workers(1),
                Kind::Serialized,
                Some(1),
                "something that requests without a session share.",
            ),
            (
                Way::Cores(1.0),
                Way::Cores(1.0),
                Kind::Serialized,
                Some(1),
                "ran as slowly as one after the other, too: it is no lock by session.",
            ),
        ] {
            let mut pair = Pair::new(with, without, service);
            let session = pair.session(4);
            let all = format!(
                "{session:?} {:?} {:?}",
                pair.measured.asked, pair.other.asked
            );
            assert_eq!(
                (session.verdict, session.at_a_time),
                (kind, at_a_time),
                "{all}"
            );
            assert!(session.sentence.ends_with(told), "{all}");
            let more = told.ends_with("a lock by session.") && kind == Kind::Concurrent;
            assert_eq!(
                session.freer,
                more || told.ends_with("for each session."),
                "{all}"
            );
        }
    }
}

#[test]
fn what_answers_otherwise_without_a_cookie_is_not_compared() {
    let mut pair = Pair::new(Way::Workers(1), Way::Workers(9), 0.3);
    pair.other.odd = Some((0, 401));
    let session = pair.session(4);
    assert_eq!(session.verdict, Kind::Inconclusive);
    assert!(
        session.sentence.contains("the server answers 401"),
        "{session:?}"
    );
    assert_eq!(pair.other.asked, ["session"], "one request is enough");

    let mut pair = Pair::new(Way::Workers(1), Way::Workers(9), 0.3);
    pair.other.odd = Some((0, 302));
    let session = pair.session(4);
    assert!(
        session.sentence.contains("with a redirect (302)"),
        "{session:?}"
    );

    // A page for guests, which is made faster.
    let mut pair = Pair::new(Way::Workers(1), Way::Workers(9), 0.3);
    pair.other.service = 0.1;
    let session = pair.session(4);
    assert_eq!(session.verdict, Kind::Inconclusive);
    assert!(
        session.sentence.contains("takes 100 ms instead of 300 ms"),
        "{session:?}"
    );

    // The first request without a cookie takes longer for a reason of its own.
    let mut pair = Pair::new(Way::Workers(1), Way::Workers(9), 0.3);
    pair.other.cold = 2.0;
    assert_eq!(pair.session(4).verdict, Kind::Concurrent);

    // Nothing to compare with.
    let mut pair = Pair::new(Way::Workers(9), Way::Workers(9), 0.002);
    let session = pair.session(4);
    assert_eq!(session.verdict, Kind::Inconclusive);
    assert!(pair.other.asked.is_empty(), "{:?}", pair.other.asked);
}

#[test]
fn the_second_url_is_measured_and_compared() {
    for (through, direct, kind, told) in [
        (
            Way::Workers(2),
            Way::Workers(9),
            Kind::Concurrent,
            "Directly, at the second URL, the 4 requests ran at the same time; through the measured URL, they \
             ran 2 at a time: the proxy does it.",
        ),
        (
            Way::Workers(1),
            Way::Workers(1),
            Kind::Serialized,
            "Directly, at the second URL, the 4 requests ran one at a time, too: the server does it, not the \
             proxy.",
        ),
        (
            Way::Workers(9),
            Way::Workers(9),
            Kind::Concurrent,
            "Directly, at the second URL, the 4 requests ran at the same time, too.",
        ),
        (
            Way::Workers(9),
            Way::Workers(1),
            Kind::Serialized,
            "passes them to more than this server.",
        ),
        // What is left behind is looked for here, too.
        (
            Way::Workers(9),
            Way::LeavesBehind(0.3),
            Kind::Serialized,
            "passes them to more than this server.",
        ),
    ] {
        let mut pair = Pair::new(through, direct, 0.3);
        if direct == Way::LeavesBehind(0.3) {
            pair.other.service = 0.002;
        }
        let versus = pair.versus(4);
        let all = format!(
            "{versus:?} {:?} {:?}",
            pair.measured.asked, pair.other.asked
        );
        assert_eq!(versus.verdict.kind, kind, "{all}");
        assert!(versus.sentence.ends_with(told), "{all}");
        assert_eq!(versus.freer, told.ends_with("the proxy does it."), "{all}");
        assert!(versus.solo.is_some(), "{all}");
    }
}

#[test]
fn numbers_that_later_rounds_no_longer_show_are_no_finding() {
    for (way, later, told) in [
        // A pool that grows, behind a proxy that lets two through.
        (
            (Way::Workers(1), Way::Workers(2)),
            (Way::Workers(2), Way::Workers(4)),
            Err("two measurements differ: first 2 at a time, then 4 at a time"),
        ),
        (
            (Way::Workers(1), Way::Workers(2)),
            (Way::Workers(1), Way::Workers(4)),
            Err("two measurements differ: first 2 at a time, then 4 at a time"),
        ),
        (
            (Way::Workers(1), Way::Workers(9)),
            (Way::Workers(2), Way::Workers(9)),
            Err("the requests that they are compared with ran first 1 at a time, then 2 at a time"),
        ),
        (
            (Way::Workers(9), Way::Workers(1)),
            (Way::Workers(9), Way::Workers(2)),
            Err("two measurements differ: first 1 at a time, then 2 at a time"),
        ),
        // One of four may wait by chance.
        (
            (Way::Workers(1), Way::Workers(9)),
            (Way::Workers(1), Way::Workers(3)),
            Ok("they ran one at a time"),
        ),
    ] {
        let mut pair = Pair::new(way.0, way.1, 0.3);
        pair.later = Some(later);
        let versus = pair.versus(4);
        assert!(pair.repeated > 0 && pair.later.is_none());
        let (Ok(part) | Err(part)) = told;
        assert!(versus.sentence.contains(part), "{way:?}: {versus:?}");
        assert_eq!(versus.freer, told.is_ok(), "{way:?}: {versus:?}");
        let is_open = versus.verdict.kind == Kind::Inconclusive;
        assert_eq!(is_open, told.is_err(), "{way:?}: {versus:?}");

        let mut pair = Pair::new(way.0, way.1, 0.3);
        pair.later = Some(later);
        let session = pair.session(4);
        assert_eq!(session.freer, told.is_ok(), "{way:?}: {session:?}");
    }
}

#[test]
fn a_second_url_that_redirects_or_fails_is_told_in_one_sentence() {
    for (status, told) in [
        (
            302,
            "The answer of the second URL is a redirect (302), which is not followed here: give the URL that \
             it leads to.",
        ),
        (404, "A request to the second URL got status 404."),
    ] {
        let mut pair = Pair::new(Way::Workers(1), Way::Workers(9), 0.3);
        pair.other.odd = Some((usize::from(status != 302), status));
        let versus = pair.versus(4);
        assert_eq!(versus.verdict.kind, Kind::Inconclusive);
        assert_eq!(versus.sentence, told);
    }
}

#[test]
fn the_delivery_is_compared_too_and_the_urls_are_named() {
    let mut pair = Pair::new(Way::Workers(9), Way::Workers(9), 0.3);
    let mut policy = Policy::outside(4);
    policy.versus = true;
    let findings = pair.judged(policy);
    let mut versus = findings.versus.expect("it was asked for");
    let streamed = Delivery::Streamed {
        chunks: 4,
        first: super::ms(10),
    };
    versus.delivery = streamed;
    let names = VersusNames {
        measured: "http://proxy/",
        second: "http://server/",
    };
    let versus = versus.worded(&findings.verdict, Delivery::Single, names);
    assert_eq!(
        versus.sentence,
        "Directly, at http://server/, the 4 requests ran at the same time, too; its answer is streamed \
         directly, but in one piece through the proxy."
    );
}

/// Where chance alone decides which of the workers gets a request, a difference is chance, too.
#[test]
fn chance_is_hardly_ever_taken_for_a_lock() {
    for requests in [2, 3, 4, 8] {
        let (mut locks, mut unclear) = (0, 0);
        for seed in 1..=1000_u32 {
            let mut pair = Pair::new(Way::Dealt(2), Way::Dealt(2), 0.3);
            pair.measured.dice = Dice(u64::from(seed));
            pair.other.dice = Dice(u64::from(seed) + 1_000_000);
            let session = pair.session(requests);
            // What is said before the start, and in docs/probe.md.
            assert!(pair.varied <= 21 * requests + 27, "{}", pair.varied);
            assert!(pair.repeated <= 7 * requests, "{}", pair.repeated);
            locks += usize::from(session.sentence.contains("a lock by session"));
            unclear += usize::from(session.verdict == Kind::Inconclusive);
        }
        assert!(
            locks <= 1,
            "{requests} requests: {locks} of 1000, {unclear} unclear"
        );
    }
}

/// Clear cases, with jitter and overhead: never the wrong finding, and nearly always one.
#[test]
fn noise_changes_no_finding() {
    for (with, without, lock) in [
        (Way::Workers(1), Way::Workers(9), true),
        (Way::Workers(1), Way::Workers(1), false),
        (Way::Workers(9), Way::Workers(9), false),
        (Way::Workers(2), Way::Workers(2), false),
        (Way::Cores(2.0), Way::Cores(2.0), false),
    ] {
        let (mut wrong, mut unclear) = (0, 0);
        for seed in 1..=1000_u32 {
            let mut pair = Pair::new(with, without, 0.3);
            for (server, seed) in [
                (&mut pair.measured, seed),
                (&mut pair.other, seed + 1_000_000),
            ] {
                server.dice = Dice(u64::from(seed));
                server.jitter = 0.05;
                server.overhead = 0.01;
            }
            let session = pair.session(4);
            let differs = session.sentence.contains("; without it, they ran");
            if session.verdict == Kind::Inconclusive {
                unclear += 1;
            } else if differs != lock {
                wrong += 1;
            }
        }
        assert_eq!(wrong, 0, "{with:?} {without:?}");
        assert!(unclear <= 50, "{with:?} {without:?}: {unclear} of 1000");
    }
}
