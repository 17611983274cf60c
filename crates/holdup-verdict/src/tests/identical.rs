//! What identical URLs can and cannot show.

use super::{answered, lanes, with_body};
use crate::{AskedAgain, Identical, IdenticalKind, Judged, judge};
use holdup_model::{Lane, Timeline};

/// The comparison, where `again` is the URL of the same ones once more, and `fresh` are new ones after that.
fn identical(
    alone: &[Lane],
    unique: &Timeline,
    same: &Timeline,
    again: Option<&Lane>,
    fresh: &[Lane],
) -> Identical {
    let (unique_verdict, same_verdict) = (judge(alone, unique), judge(alone, same));
    crate::identical(
        alone,
        Judged {
            timeline: unique,
            verdict: &unique_verdict,
        },
        Judged {
            timeline: same,
            verdict: &same_verdict,
        },
        again.map(|again| AskedAgain {
            first: &same.lanes[0],
            again,
            fresh,
        }),
    )
}

/// Four unique URLs, each with a body of its own, all at the same time.
fn unique() -> Timeline {
    let bodies = ["unique 1", "unique 2", "unique 3", "unique 4"];
    bodies.map(|body| with_body(1000, body)).to_vec().into()
}

fn compared(same: &[u64], again: Option<&Lane>) -> Identical {
    let fresh = lanes(&[1000, 1001]);
    let (alone, same) = (lanes(&[1000, 1000]), lanes(same).into());
    identical(&alone, &unique(), &same, again, &fresh)
}

#[test]
fn identical_urls_are_compared_with_unique_ones() {
    use IdenticalKind::{AnsweredOnce, HeldUp, Inconclusive, Same, Serialized};
    let (kept, same, other) = (answered(4), answered(1000), with_body(1000, "another"));
    for (times, again, kind) in [
        (&[1000, 1001, 1002, 1003][..], None, Same),
        // Equal bodies prove nothing where asking again gives the same.
        (&[1000, 1001, 1002, 1003], Some(&same), Same),
        (&[1000, 2001, 3002, 4003], Some(&same), Serialized),
        // Two rounds.
        (&[1000, 2001, 2002, 2003], Some(&same), HeldUp),
        (&[1000, 1001, 2002, 2003], Some(&same), HeldUp),
        (&[1000, 1001, 1002, 1003], Some(&kept), AnsweredOnce),
        (&[1000, 1500, 1500, 1501], Some(&kept), AnsweredOnce),
        (&[1000, 1001, 1002, 1003], Some(&other), AnsweredOnce),
        (&[1000, 1001, 1002, 1700], Some(&same), Inconclusive),
    ] {
        let found = compared(times, again);
        assert_eq!(found.kind, kind, "{times:?}: {}", found.sentence);
    }
}

#[test]
fn an_answer_is_kept_only_if_new_urls_still_take_longer() {
    use IdenticalKind::{AnsweredOnce, Same};
    let alone = lanes(&[1000, 1000]);
    for (again, fresh, kind) in [
        (4, &[1000, 1001][..], AnsweredOnce),
        // Both are faster than at first, but one of them much more so.
        (4, &[300, 280], AnsweredOnce),
        // The server was warming up.
        (240, &[210], Same),
        (240, &[1000, 180], Same),
        (240, &[470], Same),
        // Nobody looked.
        (4, &[], Same),
    ] {
        let same = lanes(&[1000, 1001, 1002, 1003]).into();
        let found = identical(
            &alone,
            &unique(),
            &same,
            Some(&answered(again)),
            &lanes(fresh),
        );
        assert_eq!(found.kind, kind, "{again} {fresh:?}: {}", found.sentence);
        if kind == AnsweredOnce {
            let told = "took 4.0 ms later, but one for a new URL ";
            assert!(found.sentence.contains(told), "{}", found.sentence);
        }
    }
    // What fails shows nothing.
    let mut failed = lanes(&[1000, 1000]);
    failed[1].record_head(super::ms(1000), 503);
    let same = lanes(&[1000, 1001, 1002, 1003]).into();
    let found = identical(&alone, &unique(), &same, Some(&answered(4)), &failed);
    assert_eq!(found.kind, Same, "{}", found.sentence);
}

#[test]
fn a_body_that_only_a_clock_changes_is_no_evidence() {
    let alone = lanes(&[1000, 1000]);
    let second = |at: &str| vec![with_body(1000, at); 4].into();
    let again = with_body(1000, "12:00:05");
    let found = identical(
        &alone,
        &second("12:00:01"),
        &second("12:00:03"),
        Some(&again),
        &[],
    );
    assert_eq!(found.kind, IdenticalKind::Same, "{}", found.sentence);
}

#[test]
fn nothing_is_compared_with_unique_urls_that_wait_already() {
    let serialized = lanes(&[1000, 2000, 3000, 4000]).into();
    let same = lanes(&[1000, 2000, 3000, 4000]).into();
    let found = identical(&lanes(&[1000, 1000]), &serialized, &same, None, &[]);
    assert_eq!(found.kind, IdenticalKind::Inconclusive);
    assert!(found.sentence.contains("serialized already"));
}

#[test]
fn half_as_many_at_a_time_is_held_up() {
    let times = |step: u64| (0..8).map(move |place| 500 * (1 + place / step));
    let timeline = |step| lanes(&times(step).collect::<Vec<_>>()).into();
    let alone = lanes(&[500, 500]);
    for (step, kind) in [(2, IdenticalKind::HeldUp), (4, IdenticalKind::Same)] {
        let found = identical(&alone, &timeline(4), &timeline(step), None, &[]);
        assert_eq!(found.kind, kind, "{}", found.sentence);
    }
}

#[test]
fn urls_that_wait_wait_again_or_it_was_chance() {
    use IdenticalKind::{Inconclusive, Same, Serialized};
    let all = answered(1000);
    let found = |times: &[u64]| compared(times, Some(&all));
    let (waited, went) = ([1000, 2001, 3002, 4003], [1000, 1001, 1002, 1003]);
    for (first, again, kind) in [
        (waited, waited, Serialized),
        (waited, went, Inconclusive),
        (went, waited, Same),
    ] {
        let found = found(&first).confirm_with(&found(&again));
        assert_eq!(found.kind, kind, "{first:?} {again:?}: {}", found.sentence);
    }
}
