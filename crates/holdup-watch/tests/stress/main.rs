//! Looks in a loop at workers that serve, fail and drop requests, with wake-ups from other threads: nothing crashes,
//! nothing leaks, and every request ends.

mod app;
mod clients;
mod costs;

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use holdup_testkit::{PATIENCE, pause};
use holdup_watch::testing::look;
use holdup_watch::{OpenRequest, RequestState, ThreadHealth, Watch};

/// A run of this many looks shows whether they leak.
const LONG_RUN: u64 = 50_000;

/// How many requests have to answer where they wait. A long run has `HOLDUP_LOOKS=100000`, in a release build.
fn looks() -> u64 {
    let given = std::env::var("HOLDUP_LOOKS").ok();
    given.map_or(2000, |looks| {
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
    calls: u64,
    /// How many requests have answered where they wait. One that waits is asked once, for as long as it waits.
    answers: u64,
    points: u64,
}

/// The requests that waited at one look and had answered, and since when.
type Waiting = HashSet<(u64, Duration)>;

impl Seen {
    /// Counts a look after one at which `before` waited. Returns who waits now.
    fn add(&mut self, requests: &[OpenRequest], before: &Waiting) -> Waiting {
        let in_order = requests.is_sorted_by(|one, other| one.age >= other.age);
        assert!(in_order, "not the oldest first");
        self.calls += 1;
        let mut waiting = Waiting::new();
        for request in requests {
            if let RequestState::Waiting { since, at } = &request.state
                && (!at.is_empty() || !cfg!(feature = "stacks"))
            {
                let wait = (request.number, *since);
                if !before.contains(&wait) {
                    self.answers += 1;
                    self.points += at.len() as u64;
                }
                waiting.insert(wait);
            }
        }
        if waiting.is_subset(before) {
            thread::yield_now();
        }
        waiting
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
    let (mut seen, mut waiting, mut early) = (Seen::default(), Waiting::new(), None);
    let started = Instant::now();
    let (mut answers, mut grew) = (0, started);
    while seen.answers < all {
        waiting = seen.add(&runtime.block_on(look(&watch)), &waiting);
        if seen.answers > answers {
            (answers, grew) = (seen.answers, Instant::now());
        }
        assert!(
            grew.elapsed() < PATIENCE,
            "no answer comes any more: {seen:?}, {counts:?}: {:#?}",
            watch.requests()
        );
        if seen.answers >= all / 4 && early.is_none() {
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
    assert!(answers.all_kinds_happened(), "{answers:?}, {seen:?}");
    let open: usize = watch.workers().iter().map(|worker| worker.open).sum();
    assert_eq!(open, 0);
    assert!(
        watch.health().iter().all(ThreadHealth::is_ok),
        "{:?}",
        watch.health()
    );
    // The line tables take up 30 MB at some time in a debug build, so a short run says nothing of memory. A hundred
    // bytes a look would be 7.5 MB in a long one.
    if all >= LONG_RUN {
        assert!(late < early + 6 * 1024, "{early} KiB, and then {late} KiB");
    }
    drop(served);
}
