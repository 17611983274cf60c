//! The table of causes, row by row.

use super::advice::about;
use super::facts::{Bystander, Facts, Names, Ran};
use super::kind::CauseKind::{
    self, BlockedLoop, ByConnection, BySession, ByUrl, Cores, OneWorkerOfSeveral, OwnQueue, Proxy,
    Unknown, Workers,
};
use super::{table, wording};
use crate::beside::BesideKind::{self, Frozen, Inconclusive, Slowed, SomeFrozen, Untouched};
use crate::beside::Pieces;
use crate::experiment::{Findings, Policy};
use crate::platform::Platform;
use crate::tests::ms;
use crate::tests::server::{Server, Way};
use crate::{Began, Kind, Session, cause};

/// Facts without any contrast.
fn facts(ran: Ran) -> Facts {
    Facts {
        ran,
        bystanders: Vec::new(),
        part: None,
        waits_by_url: false,
        anonymous: None,
        one_connection: None,
        direct: None,
    }
}

/// A bystander that is frozen by so many requests, or by none, and untouched beside so many.
fn bystander(kind: BesideKind, frozen_by: Option<usize>, untouched_by: usize) -> Bystander {
    Bystander {
        kind,
        frozen_by,
        untouched_by,
        beside_one: None,
        slowed_by_one: false,
    }
}

#[track_caller]
fn check(facts: &Facts, kind: CauseKind) {
    assert_eq!(table::rule(facts).kind, kind, "{facts:?}");
}

#[test]
fn the_bystanders_tell_a_loop_from_workers_and_a_queue() {
    use Ran::{InTurns, Slower, Together, Unclear};
    let frozen = |by, untouched| bystander(Frozen, Some(by), untouched);
    let some = |by| bystander(SomeFrozen, Some(by), 0);
    let untouched = |by| bystander(Untouched, None, by);
    let slowed = bystander(Slowed, None, 0);
    let none = bystander(BesideKind::Inconclusive, None, 0);
    for (ran, bystanders, kind) in [
        (InTurns(1), vec![frozen(1, 0)], BlockedLoop),
        (InTurns(1), vec![untouched(4)], OwnQueue),
        (InTurns(2), vec![untouched(4)], OwnQueue),
        (InTurns(2), vec![frozen(2, 1)], Workers),
        (InTurns(3), vec![frozen(3, 2)], Workers),
        // Three workers, or four of which three get what they need.
        (InTurns(3), vec![frozen(4, 2)], Unknown),
        (InTurns(3), vec![frozen(4, 3)], OwnQueue),
        (InTurns(2), vec![some(1)], OneWorkerOfSeveral),
        (Together, vec![some(1)], OneWorkerOfSeveral),
        (Unclear, vec![some(1)], OneWorkerOfSeveral),
        // One that is untouched rules out the loop, and the workers.
        (InTurns(1), vec![frozen(1, 0), untouched(4)], OwnQueue),
        (InTurns(2), vec![frozen(2, 1), untouched(4)], OwnQueue),
        // Those that wait for a lock take a worker each.
        (InTurns(1), vec![frozen(2, 1)], OwnQueue),
        // A route that is answered, though late, shows that the loop and the workers are not held.
        (InTurns(1), vec![frozen(1, 0), frozen(2, 1)], OwnQueue),
        (InTurns(1), vec![frozen(1, 0), slowed], Unknown),
        (InTurns(2), vec![frozen(2, 1), slowed], Unknown),
        (InTurns(1), vec![frozen(1, 0), none], BlockedLoop),
        // It is not certain that fewer do not freeze it.
        (InTurns(2), vec![bystander(Frozen, None, 2)], Unknown),
        // As many requests as workers.
        (Together, vec![frozen(4, 2)], Workers),
        (Slower(1), vec![slowed], Cores),
        (Slower(2), vec![bystander(Slowed, None, 1)], Cores),
        // One request leaves the other core to the bystander.
        (Slower(2), vec![slowed], Unknown),
        // A database, a disk or a link, as well as cores.
        (Slower(2), vec![untouched(4)], Unknown),
        (Slower(2), vec![slowed, untouched(4)], Unknown),
        (Slower(2), vec![], Unknown),
        // A lock that they take in turns, or cores of which each uses all: B needs neither for long.
        (Slower(1), vec![untouched(4)], Unknown),
        (Slower(1), vec![slowed, untouched(4)], Unknown),
        (Slower(1), vec![], Unknown),
        // Handlers that block one loop in turns.
        (Slower(1), vec![frozen(1, 0)], BlockedLoop),
        (Slower(1), vec![frozen(1, 0), slowed], Unknown),
        (Together, vec![some(1), untouched(4)], Unknown),
        (Together, vec![frozen(4, 2), slowed], Unknown),
        (Together, vec![untouched(4)], CauseKind::None),
        (Together, vec![], CauseKind::None),
        // What does not tell.
        (InTurns(1), vec![], Unknown),
        (InTurns(1), vec![none], Unknown),
        // Some of two waited, and the other route did not. What four do to it does not show.
        (
            InTurns(1),
            vec![bystander(BesideKind::Inconclusive, None, 2)],
            OwnQueue,
        ),
        (
            InTurns(2),
            vec![bystander(BesideKind::Inconclusive, None, 2)],
            Unknown,
        ),
        (InTurns(1), vec![slowed], Unknown),
        (InTurns(2), vec![frozen(1, 0)], Unknown),
        (Slower(2), vec![frozen(1, 0)], Unknown),
        (Together, vec![slowed], Unknown),
        (Together, vec![frozen(1, 0)], Unknown),
        (Unclear, vec![frozen(1, 0)], Unknown),
        (Unclear, vec![untouched(4)], Unknown),
        (Unclear, vec![some(1), untouched(4)], Unknown),
        (Ran::AfterLeftovers, vec![frozen(1, 0)], Unknown),
        // It was untouched only while none of the measured requests waited.
        (InTurns(4), vec![untouched(4)], Unknown),
    ] {
        let facts = Facts {
            bystanders,
            ..facts(ran)
        };
        check(&facts, kind);
    }
}

/// A bystander that got no answer for so long beside one request, in pieces of this length.
fn silent(kind: BesideKind, silent: u64, length: u64) -> Bystander {
    let pieces = Pieces {
        count: usize::try_from(silent / length).expect("a small number"),
        silent: ms(silent),
        length: ms(length),
    };
    Bystander {
        beside_one: Some(pieces),
        slowed_by_one: kind == Slowed,
        ..bystander(kind, (kind == Frozen).then_some(1), 0)
    }
}

#[test]
fn a_bystander_that_gets_no_answer_for_as_long_as_each_request_takes_tells_a_loop_from_cores() {
    use Ran::{Slower, Unclear};
    let untouched = bystander(Untouched, None, 4);
    let some_frozen = bystander(SomeFrozen, None, 0);
    for (ran, part, bystanders, kind) in [
        // Three pieces of 300 ms.
        (Slower(1), 910, vec![silent(Slowed, 900, 300)], BlockedLoop),
        (
            Slower(1),
            910,
            vec![silent(Inconclusive, 900, 450)],
            BlockedLoop,
        ),
        // A loop that each request blocks for half of its time.
        (Slower(2), 905, vec![silent(Slowed, 905, 300)], BlockedLoop),
        (
            Unclear,
            350,
            vec![silent(Inconclusive, 354, 354)],
            BlockedLoop,
        ),
        (Unclear, 400, vec![silent(Frozen, 405, 405)], BlockedLoop),
        // The turns of threads, for example of Ruby's, or a container that has used up its share of the cores.
        (Slower(1), 320, vec![silent(Slowed, 310, 31)], Unknown),
        (Slower(1), 1000, vec![silent(Slowed, 950, 100)], Unknown),
        (Slower(1), 1000, vec![silent(Slowed, 950, 200)], Unknown),
        (Slower(1), 400, vec![silent(Slowed, 340, 85)], Unknown),
        // Half of the time, in no relation to what is expected.
        (Slower(1), 900, vec![silent(Slowed, 500, 300)], Unknown),
        (Slower(1), 400, vec![silent(Slowed, 60, 30)], Cores),
        (Slower(2), 250, vec![silent(Slowed, 50, 50)], Unknown),
        (Unclear, 300, vec![silent(Inconclusive, 600, 600)], Unknown),
        // One worker of several.
        (Slower(2), 600, vec![silent(SomeFrozen, 610, 300)], Unknown),
        // Others were answered meanwhile, so the loop is not held.
        (
            Slower(1),
            910,
            vec![silent(Slowed, 900, 300), untouched],
            Unknown,
        ),
        (
            Slower(1),
            910,
            vec![some_frozen, silent(Slowed, 900, 300)],
            Unknown,
        ),
        (
            Slower(1),
            910,
            vec![some_frozen, silent(Frozen, 900, 900)],
            Unknown,
        ),
        (
            Unclear,
            300,
            vec![untouched, silent(Frozen, 300, 300)],
            Unknown,
        ),
    ] {
        let facts = Facts {
            part: Some(ms(part)),
            bystanders,
            ..facts(ran)
        };
        check(&facts, kind);
    }
}

#[test]
fn another_way_for_the_same_requests_tells_what_holds_them_up() {
    use Ran::{InTurns, Slower, Together, Unclear};
    for (ran, other, kind, if_not) in [
        (InTurns(1), Together, true, false),
        (InTurns(1), InTurns(4), true, false),
        (InTurns(2), InTurns(2), false, false),
        (InTurns(2), InTurns(1), false, false),
        (InTurns(2), Unclear, false, false),
        (Unclear, Together, false, false),
        (Slower(1), Together, true, false),
        (Together, Together, false, true),
    ] {
        let expected = |found| match (kind, if_not) {
            (true, _) => found,
            (_, true) => CauseKind::None,
            _ => Unknown,
        };
        let past = Facts {
            direct: Some(other),
            ..facts(ran)
        };
        check(&past, expected(Proxy));
        let anonymous = Facts {
            anonymous: Some(other),
            ..facts(ran)
        };
        check(&anonymous, expected(BySession));
        let connection = Facts {
            one_connection: Some((ran, other)),
            ..facts(ran)
        };
        check(&connection, expected(ByConnection));
    }
}

#[test]
fn requests_for_one_url_wait_for_each_other() {
    let by_url = |ran, bystanders| Facts {
        waits_by_url: true,
        bystanders,
        ..facts(ran)
    };
    check(&by_url(Ran::Together, vec![]), ByUrl);
    check(
        &by_url(Ran::Together, vec![bystander(Untouched, None, 4)]),
        ByUrl,
    );
    // The workers are what they wait for already with different URLs.
    check(
        &by_url(Ran::InTurns(2), vec![bystander(Frozen, Some(2), 1)]),
        Workers,
    );
}

/// What is found at a simulated server.
fn found(way: Way, service: f64) -> Findings {
    Server::new(way, service).judged(Policy::outside(4))
}

#[test]
fn a_lock_by_url_is_the_cause_only_if_unique_urls_do_not_wait() {
    let mut findings = found(Way::LockByUrl, 0.3);
    assert_eq!(cause(&findings, &Names::default()).kind, ByUrl);
    // Both wait: for unique URLs, it is something else.
    findings.verdict = found(Way::Workers(2), 0.3).verdict;
    assert_eq!(cause(&findings, &Names::default()).kind, Unknown);
}

#[test]
fn first_bytes_count_for_more_than_ends() {
    use Ran::{InTurns, Together, Unclear};
    let began = |kind, at_a_time| Began {
        verdict: kind,
        at_a_time: Some(at_a_time),
    };
    for (workers, began, ran) in [
        (1, None, InTurns(1)),
        (3, Some(began(Kind::Limited, 2)), InTurns(2)),
        (9, Some(began(Kind::Concurrent, 4)), Together),
        // All had begun, so it is by chance that they ended in steps.
        (1, Some(began(Kind::Concurrent, 4)), Unclear),
        (9, Some(began(Kind::Limited, 2)), Unclear),
    ] {
        let mut findings = found(Way::Workers(workers), 0.3);
        findings.began = began;
        assert_eq!(
            Facts::of(&findings).ran,
            ran,
            "{workers} {:?}",
            findings.began
        );
    }
}

#[test]
fn a_limit_beyond_which_requests_are_rejected_holds_none_up() {
    for (way, ran, kind) in [
        (Way::Rejects(8, 503), Ran::Together, CauseKind::None),
        (Way::Workers(8), Ran::InTurns(8), Unknown),
    ] {
        let mut policy = Policy::outside(4);
        policy.limit = Some(64);
        let findings = Server::new(way, 0.3).judged(policy);
        let limit = findings.limit.as_ref().and_then(|limit| limit.at_a_time);
        assert_eq!(limit, Some(8));
        assert_eq!(Facts::of(&findings).ran, ran);
        assert_eq!(findings.cause.kind, kind);
    }
}

#[test]
fn a_sentence_names_all_that_looks_the_same() {
    use Ran::{InTurns, Slower};
    let untouched = bystander(Untouched, None, 4);
    for (ran, bystander, told) in [
        (
            InTurns(1),
            untouched,
            "or for a rate limit that lets one through at a time: /fast was",
        ),
        (
            Slower(1),
            untouched,
            "a disk or a network link that one of them fills, or all cores.",
        ),
        (
            Slower(2),
            untouched,
            "2 of something, although another route was answered as usual",
        ),
        (
            Slower(2),
            untouched,
            "cores, the connections of a pool, a database, a disk or a network link",
        ),
        (
            Slower(2),
            bystander(Slowed, None, 1),
            "2 cores, or as many of something else that /fast needs",
        ),
        (
            Slower(2),
            Bystander {
                slowed_by_one: true,
                ..bystander(Slowed, None, 0)
            },
            "an event loop, or one worker of several",
        ),
        (
            Slower(2),
            bystander(Slowed, None, 0),
            "because the other routes do not show it",
        ),
        (
            Slower(1),
            bystander(Slowed, None, 0),
            "one core, the lock of an interpreter, or a link",
        ),
    ] {
        let facts = Facts {
            bystanders: vec![bystander],
            ..facts(ran)
        };
        let names = Names {
            beside: vec!["/fast".to_owned()],
            ..Names::default()
        };
        let findings = found(Way::Workers(1), 0.3);
        let cause = wording::cause(table::rule(&facts), &facts, &findings, &names);
        assert!(cause.sentence.contains(told), "{}", cause.sentence);
    }
}

#[test]
fn the_sentence_names_the_limit_that_a_session_has() {
    for (workers, told) in [(1, "a lock by session."), (2, "a limit for each session.")] {
        let mut findings = found(Way::Workers(workers), 0.3);
        let without = found(Way::Workers(4), 0.3).verdict;
        findings.session = Some(Session::compared(&findings.verdict, &without));
        let cause = cause(&findings, &Names::default());
        assert_eq!(cause.kind, BySession, "{cause:?}");
        assert!(cause.sentence.ends_with(told), "{}", cause.sentence);
        let evidence = &cause.evidence[0];
        assert!(evidence.ends_with(told), "{evidence}");
    }
}

#[test]
fn what_is_left_behind_is_no_queue_although_it_limits() {
    let mut policy = Policy::outside(4);
    policy.limit = Some(16);
    let findings = Server::new(Way::LeavesBehind(0.3), 0.002).judged(policy);
    let limit = findings.limit.as_ref().expect("it was asked for");
    assert_eq!((limit.at_a_time, limit.confirmed), (Some(1), true));
    assert_eq!(Facts::of(&findings).ran, Ran::AfterLeftovers);
    assert_eq!(findings.cause.kind, Unknown);
    let sentence = &findings.cause.sentence;
    assert!(sentence.contains("leaves behind"), "{sentence}");
}

#[test]
fn the_advice_fits_the_cause_on_every_platform() {
    let platforms = [
        Platform::Unknown,
        Platform::EventLoop,
        Platform::Php,
        Platform::Processes,
        Platform::Threads,
        Platform::Go,
    ];
    for platform in platforms {
        for (kind, told) in [
            (BlockedLoop, ""),
            (Workers, "workers"),
            (OwnQueue, "shorter time"),
            (OneWorkerOfSeveral, "three cures"),
            (Cores, "more cores"),
            (ByUrl, "proxy_cache_lock"),
            (BySession, "session_write_close()"),
            (ByConnection, "http2_max_concurrent_streams"),
            (Proxy, "maxconn"),
        ] {
            for ran in [Ran::InTurns(1), Ran::InTurns(2)] {
                let told = match (kind, ran) {
                    (BySession, Ran::InTurns(2)) => "a limiter or a pool whose key is the session",
                    _ => told,
                };
                let advice = about(kind, ran, platform).join("\n");
                assert!(!advice.is_empty(), "{kind} {platform:?}");
                assert!(advice.contains(told), "{kind} {platform:?}: {advice}");
                // A thread pool is a cure for what blocks, and not for what waits for a lock.
                let cured = advice.contains("web::block");
                let blocks = kind == OneWorkerOfSeveral
                    || kind == BlockedLoop
                        && matches!(platform, Platform::Unknown | Platform::EventLoop);
                assert_eq!(cured, blocks, "{kind} {platform:?}: {advice}");
            }
        }
        assert!(about(CauseKind::None, Ran::Together, platform).is_empty());
    }
}
