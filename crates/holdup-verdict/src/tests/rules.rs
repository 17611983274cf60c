//! Every rule of the verdict, one made-up measurement each.

use std::time::Duration;

use super::{lanes, ms};
use crate::{AskedAgain, Judged, Kind, Reason, Verdict, delivery, identical, judge};
use holdup_model::{Failure, Lane, Timeline};

fn judged(alone: &[u64], at_once: &[u64]) -> Verdict {
    judge(&lanes(alone), &Timeline::from(lanes(at_once)))
}

#[test]
fn steps_of_the_finish_times_show_how_many_ran_at_a_time() {
    use Kind::{Concurrent, Limited, Serialized};
    for (alone, at_once, kind, steps) in [
        (
            &[1000, 1002][..],
            &[1003, 1001, 1004, 1003][..],
            Concurrent,
            &[4][..],
        ),
        (
            &[1000, 1002],
            &[1003, 2005, 3008, 4010],
            Serialized,
            &[1, 1, 1, 1],
        ),
        (
            &[1000, 1002],
            &[4010, 3008, 2005, 1003],
            Serialized,
            &[1, 1, 1, 1],
        ),
        (&[1000], &[1003, 2005], Serialized, &[1, 1]),
        (&[1000, 1002], &[1000, 1003, 1004, 2007], Limited, &[3, 1]),
        (
            &[500, 502],
            &[500, 503, 1004, 1007, 1500, 1502, 2003, 2004],
            Limited,
            &[2, 2, 2, 2],
        ),
        (
            &[500, 502],
            &[500, 503, 504, 507, 1005, 1002, 1003, 1004],
            Limited,
            &[4, 4],
        ),
        (
            &[500, 502],
            &[500, 503, 504, 507, 509, 1002, 1003, 1004],
            Limited,
            &[5, 3],
        ),
        // Under load each takes a fifth longer, the steps stay.
        (
            &[500, 502],
            &[600, 603, 1204, 1207, 1800, 1802],
            Limited,
            &[2, 2, 2],
        ),
        // Lines of different length: five workers, dealt out unevenly.
        (
            &[500, 502],
            &[500, 501, 502, 503, 1001, 1002, 1503, 1504],
            Limited,
            &[4, 2, 2],
        ),
        (&[500, 502], &[500, 501, 1002, 1503], Limited, &[2, 1, 1]),
        // The start takes its time once.
        (
            &[213],
            &[
                227, 227, 427, 439, 628, 630, 837, 837, 1039, 1039, 1239, 1249, 1449, 1450, 1656,
                1863,
            ],
            Limited,
            &[2, 2, 2, 2, 2, 2, 2, 1, 1],
        ),
        (
            &[212],
            &[235, 236, 431, 431, 613, 613, 814, 1011],
            Limited,
            &[2, 2, 2, 1, 1],
        ),
        // Short, but many.
        (&[20, 21], &[21, 41, 62, 81, 102, 123], Serialized, &[1; 6]),
        // Solo times that differ by noise.
        (&[100, 130], &[101, 103, 108, 102], Concurrent, &[4]),
        (
            &[130, 100],
            &[101, 203, 308, 402],
            Serialized,
            &[1, 1, 1, 1],
        ),
    ] {
        let verdict = judged(alone, at_once);
        assert_eq!(
            (verdict.kind, &verdict.steps[..]),
            (kind, steps),
            "{verdict:#?}"
        );
        assert_eq!(verdict.at_a_time, Some(steps[0]));
    }
}

#[test]
fn requests_that_share_cores_finish_together_and_are_limited() {
    for (alone, at_once, kind, at_a_time) in [
        (
            &[1000, 1002][..],
            &[2000, 2010, 1990, 2020][..],
            Kind::Limited,
            2,
        ),
        // One core, an interpreter's lock: nothing is gained by asking at the same time.
        (
            &[1000, 1002],
            &[4000, 4010, 3990, 4020],
            Kind::Serialized,
            1,
        ),
        (&[1000, 1002], &[2010, 2020], Kind::Serialized, 1),
        // One actor that answers all eight when it is done with all.
        (
            &[300, 301],
            &[2400, 2401, 2401, 2402, 2402, 2403, 2403, 2404],
            Kind::Serialized,
            1,
        ),
        // An interpreter's lock, which threads get for turns of uneven length.
        (&[302, 302], &[839, 1110, 896, 1210], Kind::Serialized, 1),
        (&[302, 302], &[624, 691, 1140, 1210], Kind::Serialized, 1),
        // An event loop that each of them blocks twice, so that they end one after the other, but late.
        (&[300, 301], &[750, 900, 1050, 1200], Kind::Serialized, 1),
        (
            &[300, 301],
            &[1350, 1500, 1650, 1800, 1950, 2100, 2250, 2400],
            Kind::Serialized,
            1,
        ),
        // Four threads, and a lock that only one of them has at a time.
        (
            &[100, 101],
            &[398, 400, 402, 404, 798, 800, 803, 806],
            Kind::Serialized,
            1,
        ),
    ] {
        let verdict = judged(alone, at_once);
        assert_eq!(verdict.kind, kind, "{verdict:#?}");
        assert_eq!(verdict.reason, Some(Reason::Shared));
        assert_eq!(verdict.at_a_time, Some(at_a_time));
        assert_eq!(verdict.steps, [0; 0], "they took no turns");
        assert!(verdict.needs_confirmation());
    }
}

#[test]
fn batches_have_a_pace_of_their_own() {
    for (alone, at_once, at_a_time, steps, words) in [
        // Four slots of a batching server.
        (
            &[333, 333][..],
            &[524, 531, 560, 569, 1063, 1075, 1090, 1103][..],
            4,
            &[4, 4][..],
            "at most 4 of 8 requests ran at a time, and each batch took 1.6 × as long as one request alone",
        ),
        // Four threads on two cores.
        (
            &[300, 302],
            &[620, 640, 660, 680, 1230, 1240, 1260, 1280],
            4,
            &[4, 4],
            "each batch took 2.1 ×",
        ),
        // The last batch is smaller, and faster.
        (
            &[300, 302],
            &[600, 602, 604, 606, 1200, 1203, 1204, 1206, 1510, 1520],
            4,
            &[4, 4, 2],
            "each batch took 2.0 ×",
        ),
        (
            &[300, 300],
            &[500, 1005, 1500, 2010],
            1,
            &[1, 1, 1, 1],
            "one finish every 502 ms, 1.7 × as long as one request alone",
        ),
    ] {
        let verdict = judged(alone, at_once);
        let kind = if at_a_time == 1 {
            Kind::Serialized
        } else {
            Kind::Limited
        };
        assert_eq!(
            (verdict.kind, verdict.at_a_time),
            (kind, Some(at_a_time)),
            "{verdict:#?}"
        );
        assert!(matches!(verdict.reason, Some(Reason::OwnPace { .. })));
        assert_eq!(verdict.steps, steps);
        assert!(verdict.sentence.contains(words), "{}", verdict.sentence);
        let groups = verdict.evidence.last().expect("evidence");
        assert!(groups.starts_with("finishes: "), "{groups}");
    }
    // The batches are not tight, not equally far apart, or slower than one by one.
    for at_once in [
        &[500, 600, 700, 800, 1000, 1100, 1200, 1300][..],
        &[524, 531, 560, 569, 1400, 1410, 1420, 1430],
        // As late as one after the other, but the second one was faster than that.
        &[340, 350, 1000, 1500, 1800, 2100, 2400, 2664],
        &[2000, 2010, 2020, 2030, 4000, 4010, 4020, 4030],
    ] {
        assert_eq!(judged(&[333, 333], at_once).kind, Kind::Inconclusive);
    }
}

#[test]
fn a_limit_on_the_rate_is_called_so() {
    let every = ms(250);
    for (alone, at_once, kind, reason) in [
        // A token bucket: lines of workers look so once in fifty times.
        (
            &[250, 251][..],
            &[250, 251, 252, 252, 500, 751, 1002, 1251][..],
            Kind::Limited,
            Reason::Rate {
                burst: 4,
                each: 1,
                every,
            },
        ),
        // Its interval has nothing to do with the time of a request.
        (
            &[60, 61],
            &[60, 61, 62, 62, 310, 560, 810, 1061],
            Kind::Limited,
            Reason::Rate {
                burst: 4,
                each: 1,
                every,
            },
        ),
        (
            &[60, 61],
            &[60, 310, 560, 810, 1060],
            Kind::Inconclusive,
            Reason::Rate {
                burst: 1,
                each: 1,
                every,
            },
        ),
    ] {
        let verdict = judged(alone, at_once);
        assert_eq!(verdict.kind, kind, "{verdict:#?}");
        let Some(Reason::Rate { burst, each, every }) = verdict.reason else {
            panic!("{verdict:#?}");
        };
        let near = ms(10 * ((every.as_millis() as u64 + 5) / 10));
        assert_eq!(
            Reason::Rate {
                burst,
                each,
                every: near
            },
            reason
        );
        assert!(
            verdict.sentence.contains("a rate limit"),
            "{}",
            verdict.sentence
        );
    }
    // Three distances may be alike by chance.
    let verdict = judged(&[100, 100], &[100, 101, 241, 380, 521]);
    assert!(
        !matches!(verdict.reason, Some(Reason::Rate { .. })),
        "{verdict:#?}"
    );
    // A bucket is empty after one round, and gets its tokens back in a pause.
    let verdict = judged(&[250, 251], &[250, 251, 252, 252, 500, 751, 1002, 1251]);
    assert!(verdict.needs_confirmation());
    let pause = verdict.pause_before_confirmation();
    assert!((ms(1000)..ms(2000)).contains(&pause), "{pause:?}");
    // Two workers of which one got two more.
    let verdict = judged(&[500, 502], &[500, 501, 1002, 1503]);
    assert_eq!(verdict.reason, Some(Reason::Uneven));
}

#[test]
fn what_the_numbers_do_not_settle_is_inconclusive_with_its_reason() {
    let varies = |low, high| Reason::SoloVaries {
        low: ms(low),
        high: ms(high),
    };
    let waited = |count| Reason::Stragglers { count };
    for (alone, at_once, reason) in [
        (&[][..], &[100, 100][..], Reason::NoSolo),
        (&[100, 100], &[100], Reason::TooFew),
        (&[2, 2], &[2, 4, 6, 8, 10, 12, 14, 16], Reason::TooShort),
        (&[12, 12], &[12, 24, 36, 48], Reason::TooShort),
        (&[100, 170], &[100, 100, 100, 100], varies(100, 170)),
        (
            &[1000, 1000],
            &[1000, 1000, 400, 1000],
            Reason::FasterThanAlone { count: 1 },
        ),
        (
            &[1000, 1000],
            &[3, 2, 4, 2],
            Reason::FasterThanAlone { count: 4 },
        ),
        (
            &[500, 500],
            &[500, 500, 502, 505, 501, 504, 503, 1000],
            waited(1),
        ),
        (
            &[500, 500],
            &[500, 500, 502, 505, 501, 504, 503, 3210],
            waited(1),
        ),
        (&[500, 500], &[500, 505, 508, 800], waited(1)),
        (
            &[500, 500],
            &[2000, 3000, 3500, 4000],
            Reason::WorseThanOneByOne,
        ),
        (
            &[500, 500],
            &[3000, 3000, 3010, 3020],
            Reason::WorseThanOneByOne,
        ),
        (&[1000, 1000], &[1600, 1610, 1590, 1620], Reason::Slowed),
        (&[100, 100], &[150; 300], Reason::Slowed),
        // A lock around a quarter of the work.
        (
            &[200, 200],
            &[200, 250, 300, 350, 400, 450, 500, 550],
            Reason::PartOneByOne { each: ms(50) },
        ),
        // A lock around half of it: four finishes are enough if they are at equal distances.
        (
            &[400, 400],
            &[400, 600, 803, 1000],
            Reason::PartOneByOne { each: ms(200) },
        ),
        (&[400, 400], &[402, 480, 700, 1000], Reason::Irregular),
        (&[200, 200], &[200, 290, 470, 530, 580], Reason::Irregular),
    ] {
        let verdict = judged(alone, at_once);
        assert_eq!(verdict.kind, Kind::Inconclusive, "{verdict:#?}");
        assert_eq!(verdict.reason, Some(reason), "{verdict:#?}");
        assert_eq!(verdict.at_a_time, None);
        assert!(verdict.sentence.starts_with("Inconclusive: "));
        assert!(!verdict.advice.is_empty());
    }
}

#[test]
fn what_one_pause_can_make_is_measured_again() {
    let alone = &[200, 201];
    let shared = &[400, 401, 402, 403];
    for (first, again, at_a_time) in [
        (&[200, 401][..], &[201, 402][..], Some(1)),
        (&[200, 401], &[200, 202], None),
        (&[200, 202, 401, 402], &[200, 202, 401, 402], Some(2)),
        (&[200, 202, 401, 402], &[200, 202, 201, 203], None),
        (&[200, 202, 401, 402], &[200, 402, 601, 803], None),
        (shared, shared, Some(2)),
        // Held up once, all of them, and then not, or less.
        (shared, &[200, 201, 202, 203], None),
        (shared, &[280, 281, 282, 283], None),
    ] {
        let first = judged(alone, first);
        assert!(first.needs_confirmation(), "{first:#?}");
        let kind = first.kind;
        let verdict = first.confirm_with(&judged(alone, again));
        assert_eq!(verdict.at_a_time, at_a_time, "{verdict:#?}");
        let kind = if at_a_time.is_some() {
            kind
        } else {
            Kind::Inconclusive
        };
        assert_eq!(verdict.kind, kind, "{verdict:#?}");
        let last = verdict.evidence.last().expect("evidence");
        assert!(last.contains("measured again"), "{last}");
        assert!(!verdict.advice.is_empty());
    }
    for (alone, at_once) in [
        // Together, and in more than two steps.
        (&[200][..], &[200, 201, 202][..]),
        (&[200], &[200, 401, 602]),
    ] {
        assert!(!judged(alone, at_once).needs_confirmation());
    }
}

#[test]
fn what_was_starting_up_is_no_limit_however_long_a_request_takes() {
    // Four warm instances, and four that start.
    let cold = judged(&[1200], &[1200, 1201, 1202, 1203, 2400, 2401, 2402, 2403]);
    assert_eq!((cold.kind, cold.at_a_time), (Kind::Limited, Some(4)));
    assert!(cold.needs_confirmation());
    let verdict = cold.confirm_with(&judged(
        &[1200],
        &[1200, 1201, 1202, 1203, 1200, 1201, 1202, 1203],
    ));
    assert_eq!(verdict.kind, Kind::Inconclusive);
    assert_eq!(
        verdict.sentence,
        "Inconclusive: two measurements differ: first 4 at a time, then 8 at a time; part of the server \
         may have been starting up."
    );
    assert!(judged(&[1000], &[1000, 2001]).needs_confirmation());
}

#[test]
fn errors_after_a_wait_suggest_a_pools_time_out_and_the_others_its_size() {
    let mut at_once = lanes(&[400, 401, 402, 502, 503, 504, 505, 510]);
    for lane in &mut at_once[3..] {
        lane.record_head(ms(500), 500);
    }
    let verdict = judge(&lanes(&[400, 401]), &at_once.into());
    assert_eq!(
        verdict.sentence,
        "Inconclusive: 5 of 8 concurrent requests got status 500 after 502 ms, perhaps a pool's \
         time-out; the successful ones ran 3 at a time."
    );
}

#[test]
fn failures_and_statuses_are_named() {
    for (status, words) in [
        (404, "1 of 3 concurrent requests got status 404."),
        (429, "got status 429 (turned away, or queued for too long)."),
        (302, "got status 302, unlike the others."),
    ] {
        let mut at_once = lanes(&[100, 200, 300]);
        at_once[1].record_head(ms(0), status);
        let verdict = judge(&lanes(&[100, 100]), &at_once.into());
        assert!(verdict.sentence.ends_with(words), "{}", verdict.sentence);
    }
    let mut alone = lanes(&[100, 100]);
    alone[0].fail(ms(60_000), Failure::TimedOut);
    let verdict = judge(&alone, &lanes(&[100, 100]).into());
    let words = "Inconclusive: the single (baseline) request failed: timed out.";
    assert_eq!(verdict.sentence, words);
    // It need not come to requests at once.
    let verdict = judge(&alone, &Timeline::default());
    assert_eq!(verdict.sentence, words);
}

#[test]
fn a_lane_that_is_still_going_is_no_answer() {
    let mut at_once = lanes(&[100, 100]);
    at_once.push(Lane::start("/", ms(0)));
    let verdict = judge(&lanes(&[100]), &at_once.into());
    assert!(matches!(
        verdict.reason,
        Some(Reason::Failed { count: 1, .. })
    ));
}

/// Lanes over a network: connected after `connecting`, finished after `times`.
fn connected(connecting: u64, times: &[u64]) -> Vec<Lane> {
    let mut lanes = lanes(times);
    for lane in &mut lanes {
        lane.record_connect(ms(connecting));
    }
    lanes
}

#[test]
fn errors_that_waited_for_nothing_are_no_pools_time_out() {
    let says_pool = |verdict: &Verdict| {
        let advice = verdict.advice.iter().any(|line| line.contains("pool"));
        verdict.sentence.contains("pool") || advice
    };
    // One alone.
    let mut alone = lanes(&[300]);
    alone[0].record_head(ms(300), 500);
    let verdict = judge(&alone, &Timeline::default());
    assert!(!says_pool(&verdict), "{verdict:#?}");
    // Handlers that fail when their work is done, and one of several.
    for odd in [&[1, 2][..], &[2]] {
        let mut at_once = lanes(&[300, 301, 302, 603]);
        for place in odd {
            at_once[*place].record_head(ms(302), 500);
        }
        let verdict = judge(&lanes(&[300, 301]), &at_once.into());
        assert!(!says_pool(&verdict), "{verdict:#?}");
    }
    // A queue that gives up says so with 503.
    let mut at_once = lanes(&[300, 301, 2, 3]);
    for lane in &mut at_once[2..] {
        lane.record_head(ms(2), 503);
    }
    let verdict = judge(&lanes(&[300, 301]), &at_once.into());
    let words =
        "got status 503 (turned away, or queued for too long); the successful ones ran 2 at a time";
    assert!(verdict.sentence.contains(words), "{}", verdict.sentence);
}

#[test]
fn absurd_times_are_no_panic() {
    let mut absurd = Lane::start("/", ms(0));
    absurd.record_connect(Duration::MAX);
    absurd.finish(Duration::MAX);
    let absurd = vec![absurd; 4];
    for (alone, at_once) in [
        (absurd.clone(), absurd.clone()),
        (lanes(&[100, 100]), absurd.clone()),
        (absurd.clone(), lanes(&[100, 200, 300, 400])),
    ] {
        assert_eq!(
            judge(&alone, &at_once.clone().into()).kind,
            Kind::Inconclusive
        );
        let timeline = Timeline::from(at_once);
        let verdict = judge(&alone, &timeline);
        let judged = Judged {
            timeline: &timeline,
            verdict: &verdict,
        };
        let again = AskedAgain {
            fresh: &[],
            first: &timeline.lanes[0],
            again: &alone[0],
        };
        identical(&alone, judged, judged, Some(again));
        delivery(&alone[0]);
    }
}

#[test]
fn the_networks_part_of_the_time_is_not_the_servers() {
    // Thirty milliseconds a round trip, 200 of work.
    let alone = connected(30, &[260, 261]);
    let verdict = judge(&alone, &connected(30, &[260, 460, 661, 862]).into());
    assert_eq!(verdict.kind, Kind::Serialized, "{verdict:#?}");
    let verdict = judge(&alone, &connected(30, &[260, 262, 461, 462]).into());
    assert_eq!(verdict.at_a_time, Some(2), "{verdict:#?}");
    // A hundred a round trip, 20 of work, one at a time: looks concurrent, and is not.
    let verdict = judge(
        &connected(100, &[220, 221]),
        &connected(100, &[220, 240]).into(),
    );
    let round_trip = ms(100);
    assert_eq!(verdict.reason, Some(Reason::Distant { round_trip }));
}

#[test]
fn a_second_to_connect_spoils_all_but_a_line_of_one_by_one() {
    let alone = connected(1, &[200, 201]);
    let mut at_once = connected(1, &[200, 202, 203, 201]);
    at_once[3].record_connect(ms(1010));
    let verdict = judge(&alone, &at_once.into());
    assert_eq!(verdict.reason, Some(Reason::SlowConnects { count: 1 }));

    // All of them.
    let mut at_once = connected(1, &[1200, 1202, 1203, 1201]);
    for lane in &mut at_once {
        lane.record_connect(ms(1010));
    }
    let verdict = judge(&alone, &at_once.into());
    assert_eq!(verdict.reason, Some(Reason::SlowConnects { count: 4 }));

    for last in [1000, 1230] {
        let mut at_once = connected(1, &[200, 402, 603, 804, last]);
        at_once[4].record_connect(ms(990));
        let verdict = judge(&alone, &at_once.into());
        assert_eq!(verdict.kind, Kind::Serialized, "{verdict:#?}");
    }
}

#[test]
fn requests_asked_one_after_the_other_are_not_at_once() {
    let mut at_once = lanes(&[1000]);
    let mut later = Lane::start("/", ms(600));
    later.finish(ms(1600));
    at_once.push(later);
    let verdict = judge(&lanes(&[1000]), &at_once.into());
    assert_eq!(verdict.reason, Some(Reason::NotAtOnce));
}

#[test]
fn the_numbers_come_with_the_verdict_also_as_json() {
    let verdict = judged(&[1000, 1002], &[1000, 1003, 1004, 2000]);
    assert_eq!(
        verdict.evidence,
        [
            "alone: 1.00 s, 1.00 s",
            "4 at once: 2.00 s",
            "k = 4 × alone ÷ at once = 2.00 (4 if concurrent, 1 if serialized)",
            "requests that finished in each step of one solo time: 3, 1",
        ]
    );
    assert_eq!(
        verdict.sentence,
        "Limited: at most 3 of 4 requests ran at a time."
    );
    let json = serde_json::to_value(&verdict).expect("JSON");
    assert_eq!(json["verdict"], "limited");
    assert_eq!(json["solo_ms"], 1000.0);
    assert_eq!(json["makespan_ms"], 2000.0);
    assert_eq!(json["speedup"], 2.0);
    assert_eq!(json["at_a_time"], 3);
    assert_eq!(json["reason"], serde_json::Value::Null);
}
