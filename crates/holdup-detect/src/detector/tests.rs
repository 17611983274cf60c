//! What an assertion is told of a request that is still open.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::oversleep::Lateness;
use crate::request::Request;
use crate::routes::Route;

use super::*;

const MS: u64 = 1_000_000;

/// A clock that stands still until the test advances it.
#[derive(Debug)]
struct Stopped(AtomicU64);

impl Stopped {
    fn advance(&self, ms: u64) {
        self.0.fetch_add(ms * MS, Ordering::SeqCst);
    }
}

impl Time for Stopped {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn what_the_machine_may_have_missed_is_taken_off_what_an_open_request_lost() {
    let time = Arc::new(Stopped(AtomicU64::new(1_000 * MS)));
    let detector = Detector::with(Arc::clone(&time) as Arc<dyn Time>, threads::system());
    let oversleeps = &detector.0.oversleeps;
    let mut lateness = Lateness::new(detector.0.clock.clone());
    // The collector is late by so much.
    let mut late = |ms: u64| {
        lateness.pauses(oversleeps, Duration::from_millis(25));
        time.advance(25 + ms);
        lateness.note(oversleeps);
        lateness.ignore(oversleeps);
    };
    late(70);

    let worker = places::current(&detector.0);
    let (method, pattern) = ("GET", "/".to_owned());
    let route = worker.route_number(Route { method, pattern });
    let name = RouteName::new("GET", "/");
    let most_held_up = || {
        let most = detector.most_held_up(&name, Duration::from_millis(100));
        most.map(|most| (most.certain.as_millis(), most.held_up.as_millis()))
    };
    let _request = Request::open(&worker, route, |_| ("/", None));
    late(0);
    assert_eq!(most_held_up(), None);

    let slot = worker.state.slots.iter().next().expect("its slot");
    slot.add_held_up(300 * MS);
    time.advance(300);
    // The collector was late before the request came.
    assert_eq!(most_held_up(), Some((300, 300)));
    late(225);
    assert_eq!(most_held_up(), Some((50, 300)));
    late(200);
    assert_eq!(most_held_up(), Some((0, 300)));
}
