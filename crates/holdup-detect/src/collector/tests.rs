//! The collector on a clock of the test's own: who is to blame, what is published and logged, and how often.

mod held_up;
mod idle;
mod logged;
mod scene;
mod sums;
mod told;

use holdup_model::{Hold, HoldKind, Part};

use self::logged::logged;
use self::scene::{MS, Scene, in_ms, kinds};
use crate::record::HoldRecord;
use crate::settings::LogLevel;
use crate::sink::log::Log;

use super::*;

const SECOND: u64 = 1_000_000_000;

const STARVED: HoldKind = HoldKind::Starved { turns: 3 };

/// The record of a hold, either ongoing or as its worker closes it.
fn record(
    state: &Arc<WorkerState>,
    kind: HoldKind,
    (start, duration): (u64, u64),
    ongoing: bool,
) -> HoldRecord {
    HoldRecord {
        kind,
        state: Arc::clone(state),
        start,
        duration,
        cpu: None,
        delay: None,
        outside: 0,
        culprits: Vec::new(),
        waiting: 0,
        ongoing,
    }
}

/// A collector, and holds of one worker that the test makes up.
struct MadeUp {
    scene: Scene,
    state: Arc<WorkerState>,
}

impl MadeUp {
    fn new() -> Self {
        let scene = Scene::new(|_| ());
        let state = WorkerState::new(0, &scene.shared.clock);
        Self { scene, state }
    }

    fn lasts(&mut self, kind: HoldKind, time: (u64, u64)) {
        let Scene {
            collector,
            shared,
            outlets,
            ..
        } = &mut self.scene;
        let recorded = shared.named(&record(&self.state, kind, time, true));
        collector.held(shared, outlets, &self.state, recorded.hold);
    }

    fn ends(&mut self, kind: HoldKind, time: (u64, u64)) {
        let Scene {
            collector,
            shared,
            outlets,
            ..
        } = &mut self.scene;
        shared.memory.close(record(&self.state, kind, time, false));
        collector.take_closed(shared, outlets);
        collector.release_named(shared, outlets);
    }
}

#[test]
fn an_ongoing_hold_is_logged_repeatedly_and_its_end_with_three_decimals() {
    let starved = " holds worker 0: its loop turned 3 times without looking at its sockets for";
    for (kind, words) in [
        (HoldKind::Blocked, " holds worker 0 for"),
        (STARVED, starved),
    ] {
        let mut made_up = MadeUp::new();
        let start = 5 * SECOND;
        let logged = logged(|| {
            let mut log = Log::new(LogLevel::Warn);
            for lasted in 1..1_300 {
                made_up.lasts(kind, (start, lasted * SECOND / 10));
                made_up.scene.write_log(&mut log);
            }
            made_up.ends(kind, (start, 702_706_607));
            made_up.scene.write_log(&mut log);
        });
        let expected = ["100 ms", "1.00 s", "10.0 s", "60.0 s", "120 s"];
        assert_eq!(logged.len(), expected.len() + 1, "{logged:#?}");
        for (line, duration) in logged.iter().zip(expected) {
            let text = format!("{words} {duration} so far");
            assert!(line.contains(&text), "{line}");
        }
        assert!(logged[5].ends_with("duration_ms=702.707"), "{logged:#?}");
        // The hold is published when it begins, four times a second while it lasts, and when it ends.
        let kinds = kinds(&made_up.scene.events());
        assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("held", "released"));
        let updates = kinds.iter().filter(|kind| **kind == "updated").count();
        assert_eq!(updates, kinds.len() - 2);
        // One sample every tenth of a second. The thread's activity may change between samples.
        assert!((1_298 / 3..1_298).contains(&updates), "{updates}");
    }
}

#[test]
fn a_starved_hold_that_a_blocked_one_cuts_off_is_published_once() {
    let mut made_up = MadeUp::new();
    let starved = (SECOND, SECOND / 2);
    let blocked = (SECOND + SECOND / 2, SECOND);
    made_up.lasts(STARVED, starved);
    made_up.lasts(HoldKind::Blocked, blocked);
    // A sample may still find the hold that was cut off.
    made_up.lasts(STARVED, starved);
    made_up.lasts(HoldKind::Blocked, blocked);
    made_up.ends(STARVED, starved);
    made_up.ends(HoldKind::Blocked, blocked);
    let events = made_up.scene.events();
    let seen: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Held(hold) => Some((hold.kind, true)),
            Event::Released(hold) => Some((hold.kind, false)),
            _ => None,
        })
        .collect();
    let blocked = HoldKind::Blocked;
    assert_eq!(
        seen,
        [
            (STARVED, true),
            (blocked, true),
            (STARVED, false),
            (blocked, false)
        ]
    );
}

#[test]
fn a_hold_that_was_published_as_over_is_not_published_again() {
    let mut made_up = MadeUp::new();
    let (first, second) = ((SECOND, 150 * MS), (2 * SECOND, 150 * MS));
    made_up.lasts(HoldKind::Blocked, first);
    for time in [first, second] {
        made_up.ends(HoldKind::Blocked, time);
        // A worker that is descheduled between handing over its hold and clearing it still shows the hold.
        made_up.lasts(HoldKind::Blocked, time);
    }
    let kinds = kinds(&made_up.scene.events());
    assert_eq!(kinds, ["held", "released", "released"]);
}

/// The culprits of a hold, with their polls and milliseconds.
fn culprits(hold: &Hold) -> Vec<(&str, u64, u128)> {
    let culprit = hold.culprits.iter();
    culprit
        .map(|culprit| (&*culprit.route, culprit.polls, culprit.busy.as_millis()))
        .collect()
}

#[test]
fn a_blocking_poll_is_a_hold_of_its_route_while_ongoing_and_when_over() {
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    scene.pass(50);
    worker.enter("/report");
    scene.pass(99);
    assert_eq!(scene.events().len(), 0, "not yet");
    scene.pass(26);
    let events = scene.events();
    let [Event::Held(hold)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(in_ms(hold), (0, 50, 125, true));
    assert_eq!(culprits(hold), [("/report", 1, 125)]);
    assert_eq!(hold.culprits[0].part, Part::Future);
    assert_eq!(scene.held_now(), [(0, 50, 125, true)]);
    scene.pass(175);
    worker.leave();
    worker.iterate();
    assert_eq!(scene.held_now(), []);
    // The hold is in the list before the collector runs.
    assert_eq!(in_ms(&scene.shared.holds()[0].hold), (0, 50, 300, false));
    scene.pass(25);
    let last = scene.events().pop();
    let Some(Event::Released(hold)) = last else {
        panic!("{last:?}")
    };
    assert_eq!(in_ms(&hold), (0, 50, 300, false));
    assert_eq!(culprits(&hold), [("/report", 1, 300)]);
    assert_eq!(scene.shared.holds()[0].hold, hold);
}

#[test]
fn of_two_workers_only_the_held_one_has_holds() {
    let mut scene = Scene::new(|_| ());
    let (slow, free) = (scene.worker(), scene.worker());
    slow.enter("/report");
    for _ in 0..12 {
        // The other worker keeps iterating.
        free.enter("/hello");
        scene.advance(2);
        free.leave();
        free.iterate();
        scene.pass(23);
    }
    slow.leave();
    slow.iterate();
    scene.pass(25);
    let events = scene.events();
    let holds = events.iter().filter_map(|event| match event {
        Event::Held(hold) | Event::Updated(hold) | Event::Released(hold) => Some(hold),
        _ => None,
    });
    let holds: Vec<_> = holds.collect();
    assert!(holds.iter().all(|hold| hold.worker == 0), "{holds:?}");
    let last = holds.last().expect("a hold");
    assert_eq!(in_ms(last), (0, 0, 300, false));
    assert_eq!(culprits(last), [("/report", 1, 300)]);
}

#[test]
fn two_workers_held_at_once_are_two_holds_with_their_own_culprits() {
    let mut scene = Scene::new(|_| ());
    let (one, other) = (scene.worker(), scene.worker());
    one.enter("/report");
    scene.pass(40);
    other.enter("/export");
    scene.pass(120);
    assert_eq!(scene.held_now(), [(0, 0, 160, true), (1, 40, 120, true)]);
    one.leave();
    one.iterate();
    scene.pass(90);
    assert_eq!(scene.held_now(), [(1, 40, 210, true)]);
    other.leave();
    other.iterate();
    scene.pass(25);
    let events = scene.events();
    let ends = events.iter().filter_map(|event| match event {
        Event::Released(hold) => Some((in_ms(hold), culprits(hold))),
        _ => None,
    });
    let ends: Vec<_> = ends.collect();
    assert_eq!(
        ends,
        [
            ((0, 0, 160, false), vec![("/report", 1, 160)]),
            ((1, 40, 210, false), vec![("/export", 1, 210)])
        ]
    );
    let held = events
        .iter()
        .filter(|event| matches!(event, Event::Held(_)));
    assert_eq!(held.count(), 2);
}

#[test]
fn polls_back_to_back_are_one_hold_until_the_next_loop_iteration() {
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    for route in ["/a", "/b", "/a"] {
        worker.enter(route);
        scene.pass(60);
        worker.leave();
    }
    worker.iterate();
    // Each further iteration is a busy period of its own, and all are short.
    for _ in 0..5 {
        worker.enter("/c");
        scene.pass(60);
        worker.leave();
        worker.iterate();
    }
    scene.pass(25);
    let holds = scene.shared.holds();
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(in_ms(&holds[0].hold), (0, 0, 180, false));
    assert_eq!(culprits(&holds[0].hold), [("/a", 2, 120), ("/b", 1, 60)]);
}

#[test]
fn a_loop_blocked_outside_of_requests_is_a_hold_without_culprits() {
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    // The collector asks for a heartbeat, which is not answered.
    scene.pass(10);
    scene.pass(150);
    let events = scene.events();
    let [Event::Held(hold)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((culprits(hold), in_ms(hold)), (vec![], (0, 10, 150, true)));
    worker.iterate();
    scene.pass(25);
    let Some(Event::Released(hold)) = scene.events().pop() else {
        panic!("it is over")
    };
    assert_eq!(in_ms(&hold), (0, 10, 150, false));
}

#[test]
fn the_time_in_which_the_process_was_stopped_does_not_count_as_a_hold() {
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    worker.enter("/report");
    // The process was stopped for most of the poll.
    scene.pass_late(25, 100);
    assert_eq!(scene.events().len(), 0);
    worker.leave();
    worker.iterate();
    scene.pass(25);
    assert_eq!((scene.shared.holds().len(), scene.events().len()), (0, 0));
    // A hold that is published, and in which the process is then stopped.
    worker.enter("/report");
    scene.pass(110);
    scene.pass_late(25, 400);
    worker.leave();
    worker.iterate();
    scene.pass(25);
    let seen = kinds(&scene.events());
    assert_eq!(seen, ["held", "updated", "released"]);
    let hold = &scene.shared.holds()[0].hold;
    assert_eq!(in_ms(hold).2, 535);
    assert_eq!(hold.own_duration().as_millis(), 110);
}

#[test]
fn a_hold_of_a_worker_that_has_ended_is_withdrawn() {
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    scene.pass(10);
    scene.pass(150);
    worker.ends();
    for _ in 0..4 {
        scene.pass(25);
    }
    assert_eq!(kinds(&scene.events()), ["held", "withdrawn"]);
    assert_eq!(scene.shared.holds(), []);
    assert!(!scene.look(), "no worker is left to sample");
}

#[test]
fn a_late_subscriber_gets_the_ongoing_holds_first() {
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    worker.enter("/report");
    scene.pass(400);
    let mut late = scene.shared.subscribe();
    let first = late.try_next();
    assert!(
        matches!(&first, Some(Event::Held(hold)) if in_ms(hold) == (0, 0, 400, true)),
        "{first:?}"
    );
    worker.leave();
    worker.iterate();
    scene.pass(25);
    let rest: Vec<_> = std::iter::from_fn(|| late.try_next()).collect();
    // The request began before the subscription, so it has no lane and no events.
    assert_eq!(kinds(&rest), ["released"]);
}

#[test]
fn an_allowed_hold_is_published_but_logged_only_when_it_takes_longer() {
    let allow = |settings: &mut crate::settings::Settings| {
        assert!(settings.allow("GET /report", Duration::from_millis(300)));
    };
    for (ms, logs) in [(250, 0), (350, 2)] {
        let mut scene = Scene::new(allow);
        let worker = scene.worker();
        worker.enter("/report");
        for _ in 0..ms / 25 {
            scene.pass(25);
        }
        worker.leave();
        worker.iterate();
        scene.pass(25);
        let kinds = kinds(&scene.events());
        assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("held", "released"));
        assert_eq!(scene.log_entries(), logs, "{ms} ms");
    }
}

#[test]
fn a_restarted_collector_publishes_the_remaining_events_and_none_twice() {
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    worker.enter("/report");
    scene.pass(125);
    worker.leave();
    worker.iterate();
    // The collector is replaced after it took the hold and before it published the end.
    let Scene {
        collector,
        shared,
        outlets,
        ..
    } = &mut scene;
    collector.take_closed(shared, outlets);
    scene.collector = Collector::new(&scene.shared);
    scene.pass(25);
    worker.enter("/report");
    scene.pass(125);
    // The collector is replaced while a hold is ongoing.
    scene.collector = Collector::new(&scene.shared);
    scene.pass(25);
    worker.leave();
    worker.iterate();
    scene.pass(25);
    let seen = kinds(&scene.events());
    let without_updates: Vec<_> = seen.into_iter().filter(|kind| *kind != "updated").collect();
    assert_eq!(without_updates, ["held", "released", "held", "released"]);
    assert_eq!(scene.shared.holds().len(), 2);
}
