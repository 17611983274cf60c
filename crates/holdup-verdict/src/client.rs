//! Whether the client itself could have caused what was measured.
//!
//! The client reads all answers in one thread. While it works on one of them, or is kept from working, it
//! records the ends of the others late. If a socket's buffer is full, its server has to wait as well. So with
//! an infinitely fast client, a request would have ended at the recorded time, or earlier by at most the
//! client's own [time](holdup_model::ClientTime), but hardly faster than a request alone.
//!
//! If the recorded times and the earliest possible times give the same verdict, it does not depend on the
//! client, however busy the client was. If only the recorded times give it, the result is inconclusive. A slow
//! client cannot make a request end early, so its work and delays at concurrent requests never make them look
//! *concurrent*. But a delay while one request was measured alone may: the others seem to take no longer.

use std::time::Duration;

use super::reason::Reason;
use super::verdict::{Kind, Verdict};
use super::wording;
use holdup_model::{HumanDuration, Lane, Timeline};

/// Below this part of the solo time the client does not matter: a finish that moves by a tenth of a
/// step stays on its step.
const NEGLIGIBLE: f64 = 0.1;

/// If two requests take turns, the second one takes twice as long as one alone. If that one was late by less than
/// this part of its time, they still do not look concurrent.
const HIDES_NOTHING: f64 = 0.25;

/// The number of bytes that any socket's buffer can hold. A server can send an answer of this size to its
/// end, however late the client reads it; a longer answer waits for the client repeatedly.
const SOCKET: u64 = 64 * 1024;

/// Returns `seen` if the client could not have caused it, and an inconclusive verdict otherwise. `judge` judges
/// requests alone and concurrent ones in the way that produced `seen`.
pub(super) fn check(
    mut seen: Verdict,
    alone: &[Lane],
    at_once: &Timeline,
    judge: impl Fn(&[Lane], &Timeline) -> Verdict,
) -> Verdict {
    let Some(solo) = seen.solo else {
        return seen;
    };
    let matters =
        |longest: Option<Duration>| longest.unwrap_or_default() > solo.mul_f64(NEGLIGIBLE);
    let lanes = || alone.iter().chain(&at_once.lanes);
    let longest = lanes().map(|lane| lane.client_time().longest).max();
    if matters(longest) {
        seen.evidence.push(format!(
            "the prober itself read nothing for up to {}, so all that arrived in that time is recorded at the same moment",
            HumanDuration(longest.unwrap_or_default())
        ));
    }
    let mut others = Vec::new();
    let concurrent = if matters(at_once.lanes.iter().map(delay).max()) {
        let lanes = at_once.lanes.iter().map(|lane| earliest(lane, solo));
        let lanes = Timeline::from(lanes.collect::<Vec<_>>());
        others.extend((seen.kind != Kind::Concurrent).then(|| judge(alone, &lanes)));
        Some(lanes)
    } else {
        None
    };
    let late = alone.iter().map(lateness).max();
    let hides_nothing = seen.kind == Kind::Concurrent && late < Some(solo.mul_f64(HIDES_NOTHING));
    if matters(late) && !hides_nothing {
        let alone: Vec<_> = alone
            .iter()
            .map(|lane| earlier(lane, lateness(lane)))
            .collect();
        others.push(judge(&alone, at_once));
        others.extend(concurrent.map(|at_once| judge(&alone, &at_once)));
    }
    if others.iter().all(|other| same(&seen, other)) {
        return seen;
    }
    too_slow(seen, lanes().max_by_key(|lane| delay(lane)))
}

/// The longest delay that the client may have added to this lane.
fn delay(lane: &Lane) -> Duration {
    lane.client_time().busy.saturating_add(lateness(lane))
}

/// The part of it in which the client was kept from working.
fn lateness(lane: &Lane) -> Duration {
    let time = lane.client_time();
    if lane.bytes() > SOCKET {
        time.late
    } else {
        time.late_for_it
    }
}

/// The lane as it would have been, at the earliest, had the client needed no time.
fn earliest(lane: &Lane, solo: Duration) -> Lane {
    let took = lane.duration().unwrap_or_default();
    earlier(lane, took.saturating_sub(solo).min(delay(lane)))
}

/// The lane as it would be if its answer had ended earlier.
fn earlier(lane: &Lane, by: Duration) -> Lane {
    let Some(finished) = lane.finished_at() else {
        return lane.clone();
    };
    let mut earlier = Lane::start("", lane.requested_at());
    if let Some((at, took)) = lane.connected_at().zip(lane.connecting()) {
        earlier.record_connect_that_took(at, took);
    }
    if let (Some(at), Some(status)) = (lane.first_byte_at(), lane.status()) {
        earlier.record_head(at, status);
    }
    earlier.finish(finished.saturating_sub(by).max(lane.requested_at()));
    earlier
}

/// Whether two verdicts have the same kind and number and, if inconclusive, the same kind of reason.
fn same(one: &Verdict, other: &Verdict) -> bool {
    let kind = |verdict: &Verdict| verdict.reason.as_ref().map(std::mem::discriminant);
    let reason = one.kind != Kind::Inconclusive || kind(one) == kind(other);
    one.kind == other.kind && one.at_a_time == other.at_a_time && reason
}

fn too_slow(mut seen: Verdict, most: Option<&Lane>) -> Verdict {
    let time = most.map(Lane::client_time).unwrap_or_default();
    seen.reason = Some(Reason::ClientTooSlow {
        busy: time.busy,
        late: time.late,
    });
    seen.kind = Kind::Inconclusive;
    seen.at_a_time = None;
    seen.steps = Vec::new();
    seen.evidence
        .retain(|line| !line.starts_with(wording::STEPS));
    seen.reword();
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge;
    use crate::tests::{lanes, ms};
    use holdup_model::ClientTime;

    /// Alone 300 ms, and at once these, where the client was busy for these; both in milliseconds.
    fn judged(ends: &[u64], busy: &[u64]) -> Verdict {
        let mut at_once = lanes(ends);
        for (lane, busy) in at_once.iter_mut().zip(busy) {
            lane.record_client_time(ClientTime {
                busy: ms(*busy),
                ..ClientTime::default()
            });
        }
        judge(&lanes(&[300, 301]), &at_once.into())
    }

    #[test]
    fn a_verdict_that_a_slow_client_could_cause_is_inconclusive() {
        for (ends, busy) in [
            // As slow as the client reads: it looks shared, limited, serialized, slowed.
            (&[900, 905, 910, 915][..], &[850, 850, 850, 850][..]),
            (&[300, 302, 600, 602], &[20, 20, 310, 310]),
            (&[300, 600, 900, 1200], &[10, 300, 600, 900]),
            (&[450, 450, 450, 450], &[200, 200, 200, 200]),
            // The server may run two at a time, and the client may have made it one.
            (&[300, 600, 900, 1200], &[300, 300, 600, 600]),
            // The server may have run three at a time.
            (
                &[300, 300, 600, 600, 900, 900],
                &[10, 10, 280, 280, 300, 300],
            ),
        ] {
            let verdict = judged(ends, busy);
            assert_eq!(verdict.kind, Kind::Inconclusive, "{ends:?} {verdict:#?}");
            let told = "Inconclusive: the prober itself was too slow: it worked for ";
            assert!(verdict.sentence.starts_with(told), "{}", verdict.sentence);
            assert_eq!((verdict.at_a_time, verdict.steps.len()), (None, 0));
            assert_eq!(verdict.advice.len(), 1);
        }
    }

    #[test]
    fn a_verdict_that_a_slow_client_could_not_cause_stands() {
        for (ends, busy, kind, at_a_time) in [
            // All ended after the time of one request: no request waited, however busy the client was.
            (
                &[310, 311, 312, 313][..],
                &[280, 280, 280, 280][..],
                Kind::Concurrent,
                4,
            ),
            (
                &[300, 600, 900, 1200],
                &[10, 20, 30, 40],
                Kind::Serialized,
                1,
            ),
            (
                &[300, 600, 900, 1200],
                &[20, 40, 60, 80],
                Kind::Serialized,
                1,
            ),
            (&[300, 301, 600, 602], &[20, 20, 40, 40], Kind::Limited, 2),
            (
                &[1200, 1205, 1210, 1215],
                &[25, 25, 25, 25],
                Kind::Serialized,
                1,
            ),
        ] {
            let verdict = judged(ends, busy);
            let found = (verdict.kind, verdict.at_a_time);
            assert_eq!(found, (kind, Some(at_a_time)), "{ends:?} {verdict:#?}");
        }
        // The times are inconclusive in themselves, whether or not the client was busy.
        let verdict = judged(&[300, 300, 300, 900], &[40, 40, 40, 40]);
        assert_eq!(verdict.reason, Some(Reason::Stragglers { count: 1 }));
    }

    #[test]
    fn a_delay_while_one_request_was_alone_does_not_make_a_verdict() {
        let judged = |alone: u64, late: u64, ends: &[u64]| {
            let mut alone = lanes(&[alone, alone]);
            for lane in &mut alone {
                lane.record_client_time(ClientTime {
                    late: ms(late),
                    late_for_it: ms(late),
                    longest: ms(late),
                    ..ClientTime::default()
                });
            }
            judge(&alone, &lanes(ends).into())
        };
        // One alone takes 300 ms, and four take turns, but the client was stopped while it took times alone.
        let ends = [300, 600, 900, 1200];
        let verdict = judged(1200, 900, &ends);
        assert_eq!(verdict.kind, Kind::Inconclusive, "{verdict:#?}");
        let told = "Inconclusive: what measured was kept from running for 900 ms, which alone may";
        assert!(verdict.sentence.starts_with(told), "{}", verdict.sentence);
        // Too little to make a difference, but it is told.
        for (late, lines) in [(0, 0), (20, 0), (40, 1)] {
            let verdict = judged(300, late, &ends);
            assert_eq!(verdict.kind, Kind::Serialized, "{verdict:#?}");
            let told = verdict.evidence.iter();
            let told =
                told.filter(|line| line.starts_with("the prober itself read nothing for up to"));
            assert_eq!(told.count(), lines, "{late} {verdict:#?}");
            let verdict = judged(300, late, &[310, 311, 312, 313]);
            assert_eq!(verdict.kind, Kind::Concurrent, "{verdict:#?}");
        }
    }

    #[test]
    fn repeated_lateness_delays_only_answers_that_exceed_a_socket_buffer() {
        let judged = |bytes: usize, late_for_it: u64| {
            let mut at_once = lanes(&[300, 600, 900, 1200]);
            for lane in &mut at_once {
                lane.record_chunk(ms(1), &vec![b'x'; bytes]);
                lane.record_client_time(ClientTime {
                    late: lane.duration().unwrap_or_default() / 3,
                    late_for_it: ms(late_for_it),
                    ..ClientTime::default()
                });
            }
            judge(&lanes(&[300, 301]), &at_once.into()).kind
        };
        assert_eq!(judged(1000, 10), Kind::Serialized);
        assert_eq!(judged(1000, 300), Kind::Inconclusive);
        assert_eq!(judged(1_000_000, 10), Kind::Inconclusive);
    }
}
