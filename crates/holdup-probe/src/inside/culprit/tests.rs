//! Holds as consoles report them, and the culprit among them.

use super::*;
use crate::inside::found::Share;

/// Ten seconds are watched. The route under test is GET /report, and its rounds are from 1 s to 2 s, and from
/// 3 s to 7 s.
struct Scene {
    origin: Instant,
    holds: Vec<InsideHold>,
}

impl Scene {
    fn new() -> Self {
        Self {
            origin: Instant::now() + Duration::from_secs(100),
            holds: Vec::new(),
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.origin + Duration::from_millis(ms)
    }

    fn hold(mut self, worker: usize, route: &str, from: u64, to: u64) -> Self {
        self.holds.push(InsideHold {
            method: Some("GET".to_owned()),
            route: Some(route.to_owned()),
            line: None,
            held: Duration::from_millis(to - from),
            worker,
            began: self.at(from),
            activity: None,
            shares: vec![share(route, 1.0)],
        });
        self
    }

    /// A route that holds this worker for a part of each second, from beginning to end.
    fn always(mut self, worker: usize, route: &str, ms: u64) -> Self {
        for second in 0..10 {
            self = self.hold(worker, route, second * 1000, second * 1000 + ms);
        }
        self
    }

    fn at_line(mut self, line: &str, activity: &str) -> Self {
        let last = self.holds.last_mut().expect("a hold");
        (last.line, last.activity) = (Some(line.to_owned()), Some(activity.to_owned()));
        self
    }

    fn culprit_of(&self, method: &str, path: &str) -> Option<Culprit> {
        let inside = Inside {
            holds: self.holds.clone(),
            waits: Vec::new(),
            watched: self.at(0)..self.at(10_000),
            cut_off: None,
            looks: Vec::new(),
        };
        let rounds = [self.at(3000)..self.at(7000), self.at(1000)..self.at(2000)];
        let rounds = &rounds;
        inside.culprit(&Asked {
            method,
            path,
            rounds,
        })
    }

    fn culprit(&self) -> Option<String> {
        self.culprit_of("GET", "/report")
            .map(|culprit| culprit.to_string())
    }
}

fn share(route: &str, part: f64) -> Share {
    Share {
        method: "GET".to_owned(),
        route: route.to_owned(),
        part,
    }
}

/// The probed route blocks worker 0 while it is asked.
fn blocking() -> Scene {
    Scene::new()
        .hold(0, "/report", 1010, 1990)
        .hold(0, "/report", 3010, 6990)
}

#[test]
fn a_route_that_blocks_its_worker_is_the_culprit() {
    let scene = blocking().at_line("src/report.rs:41", "sleeping");
    let culprit = scene.culprit_of("GET", "/report").expect("a culprit");
    assert_eq!(
        culprit.sentence(4, 1),
        "GET /report blocks worker 0 at src/report.rs:41 (sleeping): 4 requests one at a time"
    );
    let json = serde_json::to_value(&culprit).expect("JSON");
    let expected =
        serde_json::json!({ "method": "GET", "route": "/report", "line": "src/report.rs:41" });
    assert_eq!(json, expected);
    assert!(Scene::new().culprit().is_none());
}

#[test]
fn the_probed_route_is_the_culprit_beside_others_that_block_more() {
    // On another worker, all the time; and on its own, for half of the time.
    let report = Some("GET /report blocks worker 0".to_owned());
    assert_eq!(blocking().always(1, "/other", 990).culprit(), report);
    let mut scene = Scene::new().always(0, "/other", 500);
    for second in [1, 3, 4, 5, 6] {
        scene = scene.hold(0, "/report", second * 1000 + 500, second * 1000 + 990);
    }
    assert_eq!(scene.culprit(), report);
    // For most of the time.
    let mut scene = Scene::new().always(0, "/other", 700);
    for second in [1, 3, 4, 5, 6] {
        scene = scene.hold(0, "/report", second * 1000 + 700, second * 1000 + 990);
    }
    assert_eq!(scene.culprit(), report);
}

#[test]
fn a_route_that_blocks_a_worker_all_the_time_is_no_culprit_of_another_route() {
    assert_eq!(Scene::new().always(0, "/other", 990).culprit(), None);
    assert_eq!(Scene::new().always(1, "/other", 400).culprit(), None);
    // It waits for a lock, and blocks for a moment after it.
    let scene = Scene::new()
        .hold(0, "/report", 1850, 2000)
        .hold(0, "/report", 6850, 7000);
    assert_eq!(scene.culprit(), None);
}

#[test]
fn another_route_is_the_culprit_if_it_blocks_only_while_the_requests_run() {
    // A proxy's path has nothing in common with the app's.
    let scene = Scene::new()
        .hold(0, "/internal/{id}", 1010, 1990)
        .hold(0, "/internal/{id}", 3010, 6990)
        .hold(1, "/other", 8000, 9000);
    let internal = Some("GET /internal/{id} blocks worker 0".to_owned());
    assert_eq!(scene.culprit(), internal);
    let busy = scene.always(1, "/internal/{id}", 700);
    assert_eq!(busy.culprit(), None);
}

#[test]
fn a_route_is_told_apart_by_its_method_and_fits_best_as_a_whole() {
    let scene = blocking().hold(1, "/admin/report", 3000, 7000);
    assert_eq!(
        scene.culprit(),
        Some("GET /report blocks worker 0".to_owned())
    );
    let post = scene
        .culprit_of("POST", "/report")
        .expect("it blocks only in the rounds");
    assert_eq!(post.method, "GET");
    let behind_a_proxy = blocking()
        .culprit_of("GET", "/api/report")
        .expect("a culprit");
    assert_eq!(behind_a_proxy.route, "/report");
}

#[test]
fn all_workers_that_are_held_are_named() {
    let scene = blocking()
        .hold(1, "/report", 3000, 7000)
        .hold(2, "/report", 6990, 7000);
    assert_eq!(
        scene.culprit(),
        Some("GET /report blocks workers 0 and 1".to_owned())
    );
    let scene = (0..3).fold(Scene::new(), |scene, worker| {
        scene.hold(worker, "/report", 1000, 7000)
    });
    let culprit = scene.culprit_of("GET", "/report").expect("a culprit");
    assert_eq!(
        culprit.sentence(8, 3),
        "GET /report blocks workers 0, 1 and 2: 8 requests 3 at a time"
    );
    let scene = (0..7).fold(Scene::new(), |scene, worker| {
        scene.hold(worker, "/report", 1000, 7000)
    });
    assert_eq!(
        scene.culprit(),
        Some("GET /report blocks 7 workers".to_owned())
    );
}

#[test]
fn rounds_may_fall_on_different_workers() {
    let scene = Scene::new()
        .hold(1, "/report", 1000, 2000)
        .hold(0, "/report", 3000, 7000);
    assert_eq!(
        scene.culprit(),
        Some("GET /report blocks workers 0 and 1".to_owned())
    );
}

#[test]
fn a_hold_of_several_routes_counts_for_each_by_its_share() {
    let mut scene = Scene::new().hold(0, "/report", 1000, 7000);
    scene.holds[0].shares = vec![share("/report", 0.8), share("/other", 0.2)];
    assert_eq!(
        scene.culprit(),
        Some("GET /report blocks worker 0".to_owned())
    );
    // It took little of this time, and others left it much.
    let mut scene = Scene::new().hold(0, "/other", 1000, 3000);
    scene.holds[0].shares = vec![share("/other", 0.9), share("/report", 0.1)];
    assert_eq!(scene.culprit(), None);
}

#[test]
fn the_line_is_the_one_at_which_the_workers_were_longest() {
    let scene = Scene::new()
        .hold(0, "/report", 1000, 2000)
        .at_line("src/rare.rs:1", "computing")
        .hold(0, "/report", 3000, 5000)
        .at_line("src/often.rs:2", "sleeping")
        .hold(0, "/report", 5000, 7000)
        // Not in the rounds.
        .hold(0, "/report", 7000, 10_000)
        .at_line("src/later.rs:3", "polling")
        .hold(1, "/other", 3000, 7000)
        .at_line("src/other.rs:4", "connecting");
    assert_eq!(
        scene.culprit(),
        Some("GET /report blocks worker 0 at src/often.rs:2 (sleeping)".to_owned())
    );
}

#[test]
fn what_was_not_watched_does_not_count() {
    let scene = blocking();
    let inside = |watched| Inside {
        holds: scene.holds.clone(),
        waits: Vec::new(),
        watched,
        cut_off: None,
        looks: Vec::new(),
    };
    let rounds = [
        scene.at(1000)..scene.at(2000),
        scene.at(3000)..scene.at(7000),
    ];
    let asked = Asked {
        method: "GET",
        path: "/report",
        rounds: &rounds,
    };
    // The console went away in the first round, or before it.
    assert!(
        inside(scene.at(0)..scene.at(1500))
            .culprit(&asked)
            .is_some()
    );
    assert_eq!(inside(scene.at(0)..scene.at(900)).culprit(&asked), None);
    assert_eq!(inside(scene.at(0)..scene.at(0)).culprit(&asked), None);
}

#[test]
fn overlapping_rounds_are_one_and_the_rest_is_between_them() {
    let scene = Scene::new();
    let range = |from, to| scene.at(from)..scene.at(to);
    let watched = range(100, 1000);
    let rounds = within(
        &watched,
        &[
            range(500, 700),
            range(0, 200),
            range(600, 800),
            range(2000, 3000),
        ],
    );
    assert_eq!(rounds, [range(100, 200), range(500, 800)]);
    assert_eq!(
        between(&watched, &rounds),
        [range(200, 500), range(800, 1000)]
    );
    assert_eq!(between(&watched, &[]), [watched]);
}
