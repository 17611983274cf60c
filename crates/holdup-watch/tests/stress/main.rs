//! Looks in a loop at workers that serve, fail and drop requests, with wake-ups from other threads: nothing crashes,
//! nothing leaks, and every request ends.

mod app;
mod clients;
mod costs;

use std::thread;
use std::time::{Duration, Instant};

use holdup_testkit::{PATIENCE, pause};
use holdup_watch::testing::look;
use holdup_watch::{OpenRequest, RequestState, Watch};

/// How many times the test looks. `HOLDUP_LOOKS=100000` in a release build is what the limits page reports.
fn looks() -> u64 {
    let given = std::env::var("HOLDUP_LOOKS").ok();
    given.map_or(1000, |looks| {
        looks.parse().expect("HOLDUP_LOOKS is a number")
    })
}

/// The memory of this process that is in use, KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("there on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

/// What the looks saw.
#[derive(Debug, Default)]
struct Seen {
    looks: u64,
    requests: u64,
    waiting: u64,
    points: u64,
}

impl Seen {
    /// Counts a look, if a request waited then.
    fn add(&mut self, requests: &[OpenRequest]) {
        let in_order = requests.is_sorted_by(|one, other| one.age >= other.age);
        assert!(in_order, "not the oldest first");
        let before = self.waiting;
        for request in requests {
            self.requests += 1;
            if let RequestState::Waiting { at, .. } = &request.state {
                self.waiting += 1;
                self.points += at.len() as u64;
            }
        }
        if self.waiting > before {
            self.looks += 1;
        } else {
            thread::yield_now();
        }
    }
}

#[test]
fn looks_lose_no_request_and_no_memory() {
    let (watch, all) = (Watch::new(), looks());
    let (served, counts) = app::serve(&watch, 2);
    let clients = clients::Clients::start(served.address);
    // Looks without a bound on how many requests are asked, which only tests may do.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let (mut seen, mut early) = (Seen::default(), None);
    let started = Instant::now();
    while seen.looks < all {
        seen.add(&runtime.block_on(look(&watch)));
        if seen.looks >= all / 4 && early.is_none() {
            early = Some(memory());
        }
    }
    let took = started.elapsed();
    let late = memory();
    let answers = clients.stop();
    let deadline = Instant::now() + PATIENCE;
    while counts.live() > 0 || !watch.requests().is_empty() {
        assert!(
            Instant::now() < deadline,
            "{counts:?}: {:#?}",
            watch.requests()
        );
        pause(Duration::from_millis(5));
    }
    let early = early.unwrap_or(late);
    println!(
        "{seen:?} in {took:.1?}; {answers:?}; {counts:?}; memory {early} KiB, then {late} KiB"
    );
    assert!(
        answers.all_kinds_happened() && seen.waiting > 0,
        "{answers:?}, {seen:?}"
    );
    let open: usize = watch.workers().iter().map(|worker| worker.open).sum();
    assert_eq!(open, 0);
    assert!(
        watch.health().iter().all(|thread| thread.is_ok()),
        "{:?}",
        watch.health()
    );
    // A hundred bytes a look would be 7.5 MB in a long run.
    assert!(late < early + 6 * 1024, "{early} KiB, and then {late} KiB");
    drop(served);
}
