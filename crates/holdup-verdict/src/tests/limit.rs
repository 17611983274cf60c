//! The search for the limit, with simulated servers.

use super::dice::Dice;
use super::server::{Server, Way};
use crate::experiment::Policy;
use crate::{Beyond, Kind, Limit, fewest_to_confirm, fewest_to_show};

const MAX: usize = 128;

fn limited(server: &mut Server, requests: usize, max: usize) -> Limit {
    let mut policy = Policy::outside(requests);
    policy.limit = Some(max);
    let findings = server.judged(policy);
    findings.limit.expect("it was asked for")
}

/// What the search asked, in short, and what it found.
fn found(way: Way, requests: usize, max: usize) -> (String, Limit) {
    let mut server = Server::new(way, 0.3);
    let limit = limited(&mut server, requests, max);
    let asked = server
        .asked
        .iter()
        .filter(|asked| asked.starts_with("limit"));
    let asked: Vec<_> = asked.map(|asked| asked.replace("limit ", "")).collect();
    (asked.join(", "), limit)
}

#[test]
fn requests_are_doubled_until_some_wait_and_a_larger_round_confirms_the_number() {
    for (at_a_time, rounds, sentence) in [
        (1, "5", "Serves 1 at a time; the second waits."),
        (2, "9", "Serves 2 at a time; the third waits."),
        (3, "13", "Serves 3 at a time; the fourth waits."),
        (5, "8, 21", "Serves 5 at a time; the sixth waits."),
        (8, "8, 16, 33", "Serves 8 at a time; the ninth waits."),
        (16, "8, 16, 32, 33", "Serves 16 at a time; the 17th waits."),
        (
            15,
            "8, 16, 32, 31",
            "Serves 15 at a time; the 16th waits. 15 is also",
        ),
        (
            40,
            "8, 16, 32, 64, 81",
            "Serves 40 at a time; the 41st waits. 40 is also",
        ),
    ] {
        let (asked, limit) = found(Way::Workers(at_a_time), 4, MAX);
        assert_eq!(asked, rounds, "{limit:#?}");
        assert_eq!((limit.at_a_time, limit.confirmed), (Some(at_a_time), true));
        assert_eq!((limit.beyond, limit.status), (Some(Beyond::Waits), None));
        assert!(limit.sentence.starts_with(sentence), "{}", limit.sentence);
    }
}

#[test]
fn without_a_limit_there_are_at_least_as_many_as_were_sent() {
    for (max, rounds) in [
        (128, "8, 16, 32, 64, 128"),
        (100, "8, 16, 32, 64, 100"),
        (4, ""),
    ] {
        let (asked, limit) = found(Way::Workers(1000), 4, max);
        assert_eq!(asked, rounds);
        assert_eq!((limit.at_a_time, limit.confirmed), (None, false));
        assert_eq!((limit.beyond, limit.asked_up_to), (None, max));
        assert_eq!(limit.at_least, max);
        assert_eq!(limit.sentence, format!("At least {max} at a time."));
    }
}

#[test]
fn a_limit_that_the_most_requests_hardly_exceed_is_not_confirmed() {
    let (asked, limit) = found(Way::Workers(5), 4, 8);
    assert_eq!(asked, "8, 8");
    assert_eq!((limit.at_a_time, limit.confirmed), (Some(5), false));
    assert!(
        limit
            .sentence
            .ends_with("More than 10 at once would confirm it."),
        "{limit:?}"
    );
    // One of 16 that waits may wait for something else.
    let (asked, limit) = found(Way::Workers(15), 4, 16);
    assert_eq!(asked, "8, 16, 16");
    assert_eq!((limit.at_a_time, limit.beyond), (None, None));
    assert_eq!(limit.at_least, 15);
    assert_eq!(
        limit.sentence,
        "At least 15 at a time; 1 of 16 requests waited, while the others were as fast as one alone."
    );
}

#[test]
fn a_limit_needs_so_many_requests_to_show_and_to_be_confirmed() {
    for at_a_time in [2, 3, 4, 5, 6, 9, 16, 40] {
        let shown = |requests: usize| {
            let mut server = Server::new(Way::Workers(at_a_time), 0.3);
            let verdict = server.judged(Policy::outside(requests)).verdict;
            verdict.kind == Kind::Limited && verdict.at_a_time == Some(at_a_time)
        };
        let fewest = fewest_to_show(at_a_time);
        assert!(shown(fewest), "{at_a_time}");
        assert!(!shown(fewest - 1), "{at_a_time}");
        let confirmed = |max| found(Way::Workers(at_a_time), 2, max).1.confirmed;
        let fewest = fewest_to_confirm(at_a_time);
        assert!(confirmed(fewest), "{at_a_time}");
        assert!(!confirmed(fewest - 1), "{at_a_time}");
    }
}

#[test]
fn a_server_that_turns_requests_away_is_asked_once_more() {
    for (at_a_time, requests, status, rounds, sentence) in [
        (
            8,
            4,
            503,
            "8, 16, 33",
            "Serves 8 at a time; the ninth gets 503.",
        ),
        (1, 4, 409, "5", "Serves 1 at a time; the second gets 409."),
        (2, 4, 503, "9", "Serves 2 at a time; the third gets 503."),
        (
            100,
            4,
            503,
            "8, 16, 32, 64, 128, 128",
            "Serves 100 at a time; the 101st gets 503.",
        ),
        (
            8,
            4,
            429,
            "8, 16, 33",
            "Serves 8 at a time; the ninth gets 429, as with a rate limit.",
        ),
    ] {
        let (asked, limit) = found(Way::Rejects(at_a_time, status), requests, MAX);
        assert_eq!(asked, rounds, "{limit:#?}");
        assert_eq!(limit.at_a_time, Some(at_a_time));
        assert_eq!(limit.confirmed, at_a_time < 64);
        assert_eq!(
            (limit.beyond, limit.status),
            (Some(Beyond::Rejected), Some(status))
        );
        assert!(limit.sentence.starts_with(sentence), "{}", limit.sentence);
    }
}

#[test]
fn a_rate_limit_that_turns_a_whole_round_away_ends_the_search() {
    for (way, rounds, sentence) in [
        (
            Way::Window(60, 60.0, 429),
            "8, 16, 32, 49",
            "At least 24 at a time; of 49 at once, all got 429, as with a rate limit.",
        ),
        (
            Way::Window(60, 60.0, 503),
            "8, 16, 32, 49",
            "At least 24 at a time; of 49 at once, all got 503.",
        ),
        // Nothing is left after the verdict's rounds.
        (
            Way::Window(12, 60.0, 429),
            "8",
            "At least 4 at a time; of 8 at once, all got 429, as with a rate limit.",
        ),
        (
            Way::Window(6, 60.0, 429),
            "13",
            "At least 3 at a time; of 13 at once, all got 429, as with a rate limit.",
        ),
        (
            Way::Window(3, 60.0, 429),
            "",
            "How many run at a time does not show: of 4 at once, all got 429, as with a rate limit.",
        ),
        (
            Way::Bucket(20, 10.0, 429),
            "8, 16",
            "At least 8 at a time; of 16 at once, all got 429, as with a rate limit.",
        ),
        // A token comes back before the second round, and none before the third.
        (
            Way::Bucket(14, 0.35, 429),
            "8, 29, 5",
            "At least 7 at a time; of 5 at once, all got 429, as with a rate limit.",
        ),
        // A token comes back before each.
        (
            Way::Bucket(14, 0.25, 429),
            "8, 16, 5",
            "At least 8 at a time; of 5 at once, 1 was answered and 4 got 429, as with a rate limit.",
        ),
    ] {
        let (asked, limit) = found(way, 4, MAX);
        assert_eq!(limit.sentence, sentence, "{way:?}: {asked}");
        assert_eq!(asked, rounds, "{way:?}");
        let status = if let Way::Window(.., 503) = way {
            503
        } else {
            429
        };
        assert_eq!((limit.at_a_time, limit.confirmed), (None, false));
        assert_eq!(
            (limit.beyond, limit.status),
            (Some(Beyond::Rejected), Some(status))
        );
    }
}

#[test]
fn what_a_rate_limit_turns_away_is_always_told() {
    let mut dice = Dice(24);
    for run in 0..RUNS {
        let burst = 12 + dice.below(100);
        let way = if run % 2 == 0 {
            Way::Window(burst, dice.between(0.5, 60.0), 429)
        } else {
            Way::Bucket(burst, dice.between(0.02, 5.0), 429)
        };
        let mut server = noisy(way, &mut dice);
        let limit = limited(&mut server, 4, MAX);
        let told = format!("{way:?} {:?} {limit:#?}", server.asked);
        // Nothing is asked of one alone.
        assert!(!server.asked.iter().any(|asked| asked == "limit"), "{told}");
        assert!(!limit.sentence.contains("fewer than two"), "{told}");
        if limit.sentence.contains("429") {
            let rejected = (Some(Beyond::Rejected), Some(429));
            assert_eq!((limit.beyond, limit.status), rejected, "{told}");
        }
    }
}

#[test]
fn answers_that_share_something_and_rates_end_the_search() {
    let (asked, limit) = found(Way::Cores(2.0), 4, MAX);
    assert_eq!(asked, "", "the verdict has shown it twice");
    assert_eq!((limit.at_a_time, limit.beyond), (None, None));
    let shared = "How many run at a time does not show: 4 at once ran side by side, but slowed each other down";
    assert!(limit.sentence.starts_with(shared), "{}", limit.sentence);
    let (asked, limit) = found(Way::Cores(5.0), 4, MAX);
    assert!(asked.starts_with("8, "), "{asked}");
    assert_eq!((limit.at_a_time, limit.beyond), (None, None));
    assert!(
        limit.sentence.contains("slowed each other down"),
        "{}",
        limit.sentence
    );

    let mut server = Server::new(Way::Tokens(6, 2.0), 1.0);
    let limit = limited(&mut server, 12, MAX);
    assert_eq!((limit.at_a_time, limit.beyond), (None, Some(Beyond::Waits)));
    let rate = limit
        .sentence
        .starts_with("A rate limit, as it seems: of 12 at once, ")
        && limit
            .sentence
            .ends_with(" went through, and then 1 every 2.00 s.");
    assert!(rate, "{}", limit.sentence);
    // The requests before have used up a part of the burst, and those of the first round the rest.
    let (asked, limit) = found(Way::Tokens(6, 0.7), 16, MAX);
    assert_eq!(asked, "16, 5");
    assert_eq!((limit.at_a_time, limit.confirmed), (None, false));
    assert_eq!(
        limit.sentence,
        "How many run at a time does not show: the rounds differ, with at least 4 at a time, and then 1, then 1, \
         as with a rate limit."
    );
}

#[test]
fn what_requests_leave_behind_lets_one_run_at_a_time() {
    let mut server = Server::new(Way::LeavesBehind(0.3), 0.002);
    let limit = limited(&mut server, 4, MAX);
    assert!(!server.asked.iter().any(|asked| asked.starts_with("limit")));
    assert_eq!((limit.at_a_time, limit.confirmed), (Some(1), true));
    assert_eq!(
        limit.sentence,
        "Serves 1 at a time: the second waits for what the first one leaves behind."
    );
}

#[test]
fn a_server_that_fails_ends_the_search() {
    let mut server = Server::new(Way::Workers(1000), 0.3);
    server.odd = Some((1, 500));
    let limit = limited(&mut server, 4, MAX);
    assert_eq!(
        (limit.at_a_time, limit.beyond, limit.status),
        (None, None, None)
    );
    assert_eq!(
        limit.sentence,
        "How many run at a time does not show: the single (baseline) request got status 500."
    );
    // Of 64, some time out.
    let mut server = Server::new(Way::Workers(20), 0.3);
    let mut policy = Policy::outside(4);
    policy.limit = Some(MAX);
    policy.timeout = Some(super::ms(500));
    let limit = server.judged(policy).limit.expect("it was asked for");
    assert_eq!(
        (limit.at_a_time, limit.beyond, limit.asked_up_to),
        (None, None, 32)
    );
    assert_eq!(
        limit.sentence,
        "At least 20 at a time; 12 of 32 concurrent requests failed: timed out."
    );
}

/// What servers meet with in the tests below.
fn noisy(way: Way, dice: &mut Dice) -> Server {
    let mut server = Server::new(way, dice.between(0.05, 1.5));
    server.jitter = dice.between(0.0, 0.08);
    server.overhead = dice.between(0.0, 0.006);
    server.accepts = dice.between(0.0, 0.0006);
    server.late = (dice.between(0.0, 0.02), dice.between(0.0, 0.1));
    server.dice = Dice(dice.0);
    dice.roll();
    server
}

const RUNS: usize = 1000;

#[test]
fn a_limit_is_exact_or_not_told() {
    let mut dice = Dice(21);
    let (mut wrong, mut clear, mut told) = (Vec::new(), 0, 0);
    for run in 0..RUNS {
        let at_a_time = 1 + dice.below(if run % 2 == 0 { 10 } else { 100 });
        let rejects = run % 3 == 0;
        let way = if rejects {
            Way::Rejects(at_a_time, 503)
        } else {
            Way::Workers(at_a_time)
        };
        let mut server = noisy(way, &mut dice);
        let limit = limited(&mut server, 4, MAX);
        if limit.at_a_time.is_some_and(|told| told != at_a_time) {
            wrong.push((at_a_time, server.asked, limit));
            continue;
        }
        // A pause of a tenth of a second is no small part of a short request, and with fewer than a sixth that
        // wait, others may be the cause.
        if server.service > 0.25 && (rejects || at_a_time <= 100) {
            clear += 1;
            told += usize::from(limit.at_a_time.is_some());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(told * 100 >= clear * 95, "{told} of {clear}");
}

#[test]
fn no_limit_is_found_where_there_is_none() {
    let mut dice = Dice(22);
    let (mut clear, mut told) = (0, 0);
    for run in 0..RUNS / 3 {
        let way = if run % 2 == 0 {
            Way::Workers(1000)
        } else {
            Way::Cores(dice.between(1.0, 12.0))
        };
        let mut server = noisy(way, &mut dice);
        let limit = limited(&mut server, 4, MAX);
        let asked = server.asked;
        let service = server.service;
        if way == Way::Workers(1000) {
            assert_eq!(limit.at_a_time, None, "{asked:?} {limit:#?}");
            if service > 0.25 {
                clear += 1;
                told += usize::from(limit.sentence == "At least 128 at a time.");
            }
        } else {
            assert_eq!(
                limit.at_a_time, None,
                "{way:?} {service} {asked:?} {limit:#?}"
            );
        }
    }
    assert!(told * 100 >= clear * 95, "{told} of {clear}");
}

#[test]
fn queues_that_are_dealt_out_by_chance_are_counted_right_or_not_at_all() {
    let mut dice = Dice(23);
    let mut wrong = 0;
    for _ in 0..RUNS {
        let workers = 2 + dice.below(7);
        let mut server = noisy(Way::Dealt(workers), &mut dice);
        let limit = limited(&mut server, 4, MAX);
        wrong += usize::from(limit.at_a_time.is_some_and(|told| told != workers));
    }
    // Chance may leave the same worker idle more than once.
    assert!(wrong * 100 <= RUNS, "{wrong}");
}
