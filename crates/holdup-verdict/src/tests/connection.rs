//! The plan with simulated servers: one HTTP/2 connection, and one for each request.

use super::dice::Dice;
use super::server::{Server, Way};
use crate::experiment::{
    Answers, Connections, Experiment, Findings, Http2, Peer, Policy, RoundKind, Step,
};
use crate::{CauseKind, Connection, Kind};
use holdup_model::Failure;

/// A server, and how it serves the streams of one connection.
struct Streams {
    own: Server,
    one: Server,
    max: Option<u32>,
    refused: Option<&'static str>,
    /// So many of the streams at once are refused.
    resets: usize,
    asked: Vec<String>,
}

impl Streams {
    fn new(own: Way, one: Way) -> Self {
        Self {
            own: Server::new(own, 0.3),
            one: Server::new(one, 0.3),
            max: None,
            refused: None,
            resets: 0,
            asked: Vec::new(),
        }
    }

    fn noisy(mut self, seed: u64) -> Self {
        for (server, seed) in [(&mut self.own, 2 * seed + 1), (&mut self.one, 2 * seed + 2)] {
            (server.jitter, server.overhead, server.dice) = (0.03, 0.004, Dice(seed));
        }
        self
    }

    fn probed(&mut self, http2: Http2) -> Findings {
        let mut policy = Policy::outside(4);
        policy.http2 = http2;
        self.probed_by(policy)
    }

    fn probed_by(&mut self, policy: Policy) -> Findings {
        let mut experiment = Experiment::new(policy);
        loop {
            let round = match experiment.next() {
                Step::Ask(round) => round.clone(),
                Step::Done(findings) => return (**findings).clone(),
            };
            if round.kind == RoundKind::Connection {
                let way = match round.connections {
                    Connections::OneHttp2 => "one",
                    _ => "own",
                };
                self.asked.push(format!("{way} {}", round.asks.len()));
            }
            let over_one = round.connections == Connections::OneHttp2;
            if let Some(why) = self.refused.filter(|_| over_one) {
                experiment.feed(Answers::refused(why));
                continue;
            }
            if !over_one {
                experiment.feed(self.own.ask(&round));
                continue;
            }
            let mut lanes = self.one.ask(&round);
            if lanes.len() > 1 {
                for lane in lanes.iter_mut().rev().take(self.resets) {
                    let begun = lane.requested_at();
                    let refused = "the server refused the stream (REFUSED_STREAM)";
                    *lane = holdup_model::Lane::start(lane.label(), begun);
                    lane.fail(begun, Failure::Other(refused.to_owned()));
                }
            }
            let peer = Peer {
                max_concurrent_streams: self.max,
                ..Peer::default()
            };
            experiment.feed(Answers {
                lanes,
                peer: Some(peer),
                ..Answers::default()
            });
        }
    }

    fn found(&mut self) -> Connection {
        self.probed(Http2::Wanted)
            .connection
            .expect("it was asked for")
    }
}

#[test]
fn one_connection_is_compared_with_one_for_each_request() {
    let mut server = Streams::new(Way::Workers(9), Way::Workers(9));
    let findings = server.probed(Http2::Wanted);
    assert_ne!(findings.cause.kind, CauseKind::ByConnection);
    let found = findings.connection.expect("it was asked for");
    assert_eq!(server.asked.join(", "), "one 1, one 1, own 4, one 4");
    assert_eq!(
        (found.verdict, found.at_a_time),
        (Kind::Concurrent, Some(4))
    );
    assert_eq!(
        found.sentence,
        "On one HTTP/2 connection the 4 requests ran at the same time, as on 4 connections."
    );

    let mut server = Streams::new(Way::Workers(9), Way::Workers(1));
    let found = server.found();
    assert_eq!(
        (found.verdict, found.at_a_time),
        (Kind::Serialized, Some(1))
    );
    assert_eq!(
        found.sentence,
        "On one HTTP/2 connection the 4 requests ran one at a time; on 4 connections they ran at the same \
         time."
    );

    // Two processes, each of which runs one at a time: a connection belongs to one of them.
    let mut server = Streams::new(Way::Workers(2), Way::Workers(1));
    let findings = server.probed(Http2::IfOffered);
    assert_eq!(findings.verdict.kind, Kind::Limited);
    let found = findings.connection.expect("the server agrees");
    assert_eq!(server.asked.join(", "), "one 1, one 1, own 4, own 4, one 4");
    assert_eq!(
        (found.verdict, found.at_a_time),
        (Kind::Serialized, Some(1))
    );
    assert_eq!(
        found.sentence,
        "On one HTTP/2 connection the 4 requests ran one at a time; on 4 connections they were limited to 2 \
         at a time."
    );
    assert_eq!(findings.cause.kind, CauseKind::ByConnection);
    let own = found.own.expect("they were sent");
    assert_eq!((own.kind, own.at_a_time), (Kind::Limited, Some(2)));
}

#[test]
fn the_servers_limit_on_streams_is_told() {
    let mut server = Streams::new(Way::Workers(9), Way::Workers(3));
    server.max = Some(3);
    let found = server.found();
    assert_eq!((found.verdict, found.at_a_time), (Kind::Limited, Some(3)));
    assert_eq!(
        found.sentence,
        "On one HTTP/2 connection the 4 requests were limited to 3 at a time; on 4 connections they ran at \
         the same time; the server allows 3 streams at a time (SETTINGS_MAX_CONCURRENT_STREAMS)."
    );
    // One of eight that waits is no limit by itself, but it is one if the server allows seven.
    for (max, expected) in [(7, Kind::Limited), (100, Kind::Inconclusive)] {
        let mut server = Streams::new(Way::Workers(9), Way::Workers(7));
        server.max = Some(max);
        let mut policy = Policy::outside(8);
        policy.http2 = Http2::Wanted;
        let found = server
            .probed_by(policy)
            .connection
            .expect("it was asked for");
        assert_eq!(found.verdict, expected, "{}", found.sentence);
        assert_eq!(found.max_concurrent_streams, Some(max));
    }
}

#[test]
fn a_server_that_does_not_accept_http_2_is_asked_once_and_told_if_it_was_asked_for() {
    for (http2, told) in [
        (Http2::IfOffered, None),
        (
            Http2::Wanted,
            Some("One HTTP/2 connection was not measured: it is unknown there."),
        ),
    ] {
        let mut server = Streams::new(Way::Workers(9), Way::Workers(9));
        server.refused = Some("it is unknown there");
        let found = server.probed(http2).connection;
        assert_eq!(server.asked.join(", "), "one 1");
        assert_eq!(found.as_ref().map(|found| found.sentence.as_str()), told);
        let kind = found.map(|found| found.verdict);
        assert_eq!(kind, told.map(|_| Kind::Inconclusive));
    }
    let mut server = Streams::new(Way::Workers(9), Way::Workers(9));
    assert_eq!(server.probed(Http2::Off).connection, None);
    assert!(server.asked.is_empty());
}

#[test]
fn streams_that_fail_are_no_verdict() {
    let mut server = Streams::new(Way::Workers(9), Way::Workers(9));
    server.resets = 1;
    let found = server.found();
    assert_eq!(found.verdict, Kind::Inconclusive);
    assert_eq!(
        found.sentence,
        "How the 4 requests ran on one HTTP/2 connection is inconclusive: 1 of 4 concurrent requests failed: \
         the server refused the stream (REFUSED_STREAM)."
    );
    // The single one fails.
    let mut server = Streams::new(Way::Workers(9), Way::Workers(9));
    server.one.odd = Some((0, 500));
    let found = server.probed(Http2::IfOffered).connection;
    assert_eq!(server.asked.join(", "), "one 1");
    assert_eq!(
        found.map(|found| found.sentence).as_deref(),
        Some(
            "One HTTP/2 connection was not measured: the single (baseline) request got status 500."
        )
    );
}

#[test]
fn a_server_that_cannot_be_judged_is_not_compared() {
    let quick = || {
        let mut server = Streams::new(Way::Workers(9), Way::Workers(9));
        server.own.service = 0.002;
        server
    };
    let mut server = quick();
    assert_eq!(server.probed(Http2::IfOffered).connection, None);
    assert!(server.asked.is_empty(), "{:?}", server.asked);
    let mut server = quick();
    let found = server.found();
    assert_eq!(found.verdict, Kind::Inconclusive);
    assert!(
        found.sentence.contains("too short to judge"),
        "{}",
        found.sentence
    );
    assert!(server.asked.is_empty(), "{:?}", server.asked);
}

#[test]
fn one_pause_does_not_make_a_finding() {
    // Two of the streams are late once, as if they had waited for a turn.
    let mut server = Streams::new(Way::Workers(9), Way::Workers(9));
    server.one.pause = Some(2);
    let found = server.found();
    assert_eq!(server.asked.join(", "), "one 1, one 1, own 4, one 4, one 4");
    assert_eq!(found.verdict, Kind::Inconclusive, "{}", found.sentence);
}

#[test]
fn noisy_servers_are_never_judged_wrongly_and_seldom_not_at_all() {
    let (mut told, mut all) = (0, 0);
    for seed in 0..300 {
        for (own, one, kind, at_a_time) in [
            (9, 9, Kind::Concurrent, 4),
            (9, 1, Kind::Serialized, 1),
            (2, 1, Kind::Serialized, 1),
            (9, 2, Kind::Limited, 2),
            (9, 3, Kind::Limited, 3),
        ] {
            let mut server = Streams::new(Way::Workers(own), Way::Workers(one)).noisy(seed);
            let findings = server.probed(Http2::Wanted);
            let waits = findings.cause.kind == CauseKind::ByConnection;
            assert!(!waits || own > one, "{own} {one} {seed}");
            let found = findings.connection.expect("it was asked for");
            all += 1;
            if found.verdict != Kind::Inconclusive {
                told += 1;
                let right = (found.verdict, found.at_a_time) == (kind, Some(at_a_time));
                assert!(right, "{own} {one} {seed}: {}", found.sentence);
            }
        }
    }
    assert!(told * 100 >= all * 95, "{told} of {all}");
}
