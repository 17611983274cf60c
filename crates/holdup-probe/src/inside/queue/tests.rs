//! Looks as consoles answer them, and the queue that they show.

use super::*;
use crate::inside::found::InsideHold;

const LOCK: (&str, &str) = ("src/report.rs:12", "tokio::sync::Mutex::lock");
const QUERY: (&str, &str) = ("src/report.rs:13", "sqlx::Query::fetch");
const TIMEOUT: (&str, &str) = ("src/report.rs:12", "tokio::time::timeout");
const OUTER_TIMEOUT: (&str, &str) = ("src/app.rs:3", "tokio::time::timeout");
const BEFORE: (&str, &str) = ("src/report.rs:10", "reqwest::Client::send");

/// Ten seconds are watched. GET /report is asked from 1 s to 9 s.
struct Scene {
    origin: Instant,
    inside: Inside,
}

impl Scene {
    fn new() -> Self {
        let origin = Instant::now() + Duration::from_secs(100);
        let inside = Inside {
            holds: Vec::new(),
            waits: Vec::new(),
            watched: origin..origin + Duration::from_secs(10),
            cut_off: None,
            looks: Vec::new(),
        };
        Self { origin, inside }
    }

    fn at(&self, ms: u64) -> Instant {
        self.origin + Duration::from_millis(ms)
    }

    /// A look at which these requests of this route were seen: how many at which place.
    fn look(mut self, ms: u64, route: &str, places: &[((&str, &str), u64)]) -> Self {
        let mut number = 0;
        let mut waiting = |((line, within), requests): &((&str, &str), u64)| {
            let numbers = (number..number + requests).collect();
            number += requests;
            Waiting {
                route: route.to_owned(),
                place: Place {
                    line: Some((*line).to_owned()),
                    within: Some((*within).to_owned()),
                },
                requests: usize::try_from(*requests).expect("few"),
                numbers,
            }
        };
        let waiting = places.iter().map(&mut waiting).collect();
        self.inside.looks.push(Look {
            at: self.at(ms),
            waiting,
        });
        self
    }

    fn report(self, ms: u64, places: &[((&str, &str), u64)]) -> Self {
        self.look(ms, "GET /report", places)
    }

    /// Each request of GET /report waits at one of these places, and all of them at `around` as well.
    fn within(self, ms: u64, around: (&str, &str), places: &[((&str, &str), u64)]) -> Self {
        let all = places.iter().map(|(_, requests)| requests).sum();
        let mut scene = self.report(ms, &[places, &[(around, all)]].concat());
        let look = scene.inside.looks.last_mut().expect("a look");
        let around = look.waiting.last_mut().expect("the last place");
        around.numbers = (0..all).collect();
        scene
    }

    fn asked<T>(&self, work: impl FnOnce(&Asked<'_>) -> T) -> T {
        let rounds = [self.at(1000)..self.at(9000)];
        work(&Asked {
            method: "GET",
            path: "/report",
            rounds: &rounds,
        })
    }

    fn queue(&self, at_a_time: usize) -> Option<String> {
        let queue = self.asked(|asked| self.inside.queue(asked, at_a_time));
        queue.map(|queue| queue.to_string())
    }
}

/// What is said of a queue at [`LOCK`].
const AT_LOCK: &str = "GET /report waits at src/report.rs:12, in tokio::sync::Mutex::lock";

#[test]
fn requests_that_run_one_at_a_time_wait_where_two_of_them_do() {
    let scene = Scene::new()
        .report(500, &[])
        .report(1500, &[(QUERY, 1)])
        .report(2500, &[(LOCK, 3), (QUERY, 1)])
        .report(3500, &[(LOCK, 2), (QUERY, 1)])
        .report(4500, &[(LOCK, 1), (QUERY, 1)]);
    assert_eq!(scene.queue(1).as_deref(), Some(AT_LOCK));
    let queue = scene.asked(|asked| scene.inside.queue(asked, 1));
    assert_eq!(queue.map(|queue| queue.most), Some(3));
    // With a pool of three, one of four would wait, and no look shows two such rounds.
    assert_eq!(scene.queue(3), None);
    assert_eq!(Scene::new().queue(1), None);
}

#[test]
fn a_place_at_which_nobody_waits_while_few_do_is_the_queue_of_a_pool() {
    let two = |scene: Scene| {
        scene
            .report(2500, &[(LOCK, 2), (QUERY, 2)])
            .report(3500, &[(LOCK, 2), (QUERY, 2)])
    };
    assert_eq!(
        two(Scene::new().report(1500, &[(QUERY, 1)]))
            .queue(2)
            .as_deref(),
        Some(AT_LOCK)
    );
    // Without a look at few requests, either of them may be the queue.
    assert_eq!(two(Scene::new()).queue(2), None);
    assert_eq!(two(Scene::new().report(1500, &[])).queue(2), None);
    // Nor with a look that may have missed where one of them waits.
    let mut unsure = two(Scene::new().report(1500, &[(QUERY, 1), (LOCK, 1)]));
    let missed = &mut unsure.inside.looks[0].waiting[1].place;
    (missed.line, missed.within) = (None, None);
    assert_eq!(unsure.queue(2), None);
    // All four wait for the pool at the same line, those that run as well.
    let same = Scene::new()
        .report(1500, &[(LOCK, 1)])
        .report(2500, &[(LOCK, 4)])
        .report(3500, &[(LOCK, 4)]);
    assert_eq!(same.queue(2).as_deref(), Some(AT_LOCK));
}

#[test]
fn what_all_do_before_they_wait_for_each_other_is_not_named() {
    let once = Scene::new()
        .report(2500, &[(BEFORE, 4)])
        .report(3500, &[(LOCK, 3), (QUERY, 1)])
        .report(4500, &[(LOCK, 3), (QUERY, 1)])
        .report(5500, &[(LOCK, 3), (QUERY, 1)])
        .report(6500, &[(LOCK, 2), (QUERY, 1)]);
    assert_eq!(once.queue(1).as_deref(), Some(AT_LOCK));
    let only = Scene::new().report(2500, &[(BEFORE, 4)]);
    assert_eq!(only.queue(1), None);
    let half = Scene::new()
        .report(2500, &[(BEFORE, 4)])
        .report(3500, &[(LOCK, 3), (QUERY, 1)]);
    assert_eq!(half.queue(1), None);
}

#[test]
fn a_time_out_around_a_lock_is_not_the_queue() {
    let mut scene = Scene::new();
    for ms in [2500, 3500] {
        scene = scene.report(ms, &[(TIMEOUT, 3), (LOCK, 3), (QUERY, 1)]);
        // The same requests wait for both.
        let look = scene.inside.looks.last_mut().expect("a look");
        look.waiting[1].numbers = look.waiting[0].numbers.clone();
    }
    assert_eq!(scene.queue(1).as_deref(), Some(AT_LOCK));
}

#[test]
fn what_is_around_the_whole_handler_is_not_the_queue() {
    let cancels = [
        (
            "src/app.rs:3",
            "tokio_util::sync::CancellationToken::cancelled",
        ),
        (
            "src/zoo.rs:3",
            "tokio_util::sync::CancellationToken::cancelled",
        ),
    ];
    for around in cancels.into_iter().chain([OUTER_TIMEOUT]) {
        let two = |first: &[((&str, &str), u64)]| {
            Scene::new()
                .within(2500, around, first)
                .within(3500, around, &[(LOCK, 7), (QUERY, 1)])
        };
        let scene = two(&[(LOCK, 7), (QUERY, 1)]);
        assert_eq!(scene.queue(1).as_deref(), Some(AT_LOCK), "{around:?}");
        // One of them has not come to the lock yet.
        let scene = two(&[(LOCK, 6), (BEFORE, 1), (QUERY, 1)]);
        assert_eq!(scene.queue(1).as_deref(), Some(AT_LOCK), "{around:?}");
    }
}

#[test]
fn of_two_places_at_which_the_same_requests_wait_none_is_named() {
    let other = ("src/report.rs:12", "tokio::sync::Notify::notified");
    let mut scene = Scene::new();
    for ms in [2500, 3500] {
        scene = scene.report(ms, &[(other, 7), (LOCK, 7), (QUERY, 1)]);
        let look = scene.inside.looks.last_mut().expect("a look");
        look.waiting[1].numbers = look.waiting[0].numbers.clone();
    }
    assert_eq!(scene.queue(1), None);
}

#[test]
fn a_route_that_others_ask_for_too_and_other_routes_are_not_named() {
    let crowded = |scene: Scene, route| {
        scene.look(2500, route, &[(LOCK, 3), (QUERY, 1)]).look(
            3500,
            route,
            &[(LOCK, 3), (QUERY, 1)],
        )
    };
    assert_eq!(
        crowded(Scene::new(), "GET /report").queue(1).as_deref(),
        Some(AT_LOCK)
    );
    assert_eq!(crowded(Scene::new(), "POST /report").queue(1), None);
    assert_eq!(crowded(Scene::new(), "GET /other").queue(1), None);
    let busy = Scene::new().report(300, &[(QUERY, 1)]);
    assert_eq!(crowded(busy, "GET /report").queue(1), None);
    let mut earlier = crowded(Scene::new().report(0, &[(QUERY, 1)]), "GET /report");
    assert_eq!(earlier.queue(1), None);
    // A look from before the probe shows nothing of it.
    earlier.inside.watched.start = earlier.at(1);
    assert_eq!(earlier.queue(1).as_deref(), Some(AT_LOCK));
    // A moment beside a round is in it, as far as the clocks can tell.
    let near = Scene::new().report(900, &[(QUERY, 1)]);
    assert_eq!(
        crowded(near, "GET /report").queue(1).as_deref(),
        Some(AT_LOCK)
    );
}

#[test]
fn a_place_of_which_only_one_half_is_known_is_named_and_an_unknown_one_is_not() {
    let mut scene = Scene::new()
        .report(2500, &[(LOCK, 4)])
        .report(3500, &[(LOCK, 4)]);
    for look in &mut scene.inside.looks {
        look.waiting[0].place.line = None;
    }
    let within = Some("GET /report waits in tokio::sync::Mutex::lock".to_owned());
    assert_eq!(scene.queue(1), within);
    // Others of which it is not known where they wait change nothing.
    let mut with_others = Scene::new();
    with_others.inside.looks = scene.inside.looks.clone();
    for look in &mut with_others.inside.looks {
        let mut other = look.waiting[0].clone();
        other.place.within = None;
        other.numbers = (100..104).collect();
        look.waiting.push(other);
    }
    assert_eq!(with_others.queue(1), within);
    for look in &mut scene.inside.looks {
        look.waiting[0].place.within = None;
    }
    assert_eq!(scene.queue(1), None);
}

#[test]
fn workers_are_hardly_held_if_no_one_is_for_a_tenth_of_the_rounds() {
    let mut scene = Scene::new();
    let hold = |scene: &Scene, worker, ms| InsideHold {
        method: None,
        route: None,
        line: None,
        held: Duration::from_millis(ms),
        worker,
        began: scene.at(2000),
        activity: None,
        shares: Vec::new(),
    };
    for worker in 0..4 {
        let hold = hold(&scene, worker, 700);
        scene.inside.holds.push(hold);
    }
    assert!(scene.asked(|asked| scene.inside.is_hardly_held(asked)));
    let hold = hold(&scene, 4, 900);
    scene.inside.holds.push(hold);
    assert!(!scene.asked(|asked| scene.inside.is_hardly_held(asked)));
}
