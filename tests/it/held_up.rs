//! Who makes whom wait in the lab: the figures of the watch, those of the client, and those of the hold.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use holdup::serve::{Lab, Settings};
use holdup_testkit::client::get;
use holdup_testkit::{PATIENCE, pause};
use holdup_watch::{Event, RouteName, Spent, Watch};
use tokio::sync::oneshot;

/// How exact the split of a request's time is.
const EXACT: Duration = Duration::from_millis(20);

/// The lab, within this process.
struct Running {
    address: SocketAddr,
    watch: Watch,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start() -> Self {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let lab = Lab::start(&Settings::default()).expect("it starts");
                let started = (lab.address(), lab.watch().clone());
                tell.send(started).expect("the test waits for it");
                let stop = async { drop(stopped.await) };
                lab.run_until(stop).await.expect("it runs");
            });
        });
        let (address, watch) = told.recv().expect("the lab starts");
        Self {
            address,
            watch,
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the lab ends");
        }
    }
}

/// The figures of one run.
#[derive(Debug)]
struct Measured {
    spent: Spent,
    hold: holdup_watch::Hold,
    /// The coroutine's whole time as its client saw it, the part of it until the first tick came, and the longest time
    /// without a tick.
    client: Duration,
    connected: Duration,
    gap: Duration,
}

impl Measured {
    fn is_what_the_client_saw(&self) -> bool {
        let spent = &self.spent;
        let all = spent.running + spent.waiting + spent.held_up;
        let least = self.client.saturating_sub(self.connected + EXACT);
        (least..=self.client + EXACT).contains(&all)
            && spent.held_up <= self.gap + EXACT
            && self.gap <= spent.held_up + spent.waiting + EXACT
    }
}

/// Runs `/blocking?from=5` beside a coroutine that was sent its first tick.
fn measure(period: Duration) -> Measured {
    let lab = Running::start();
    let mut events = lab.watch.subscribe();
    let path = |handler| {
        let ms = period.as_millis();
        format!("/{handler}?from=5&period={ms}ms&x={handler}")
    };
    let begun = Instant::now();
    let mut coroutine = get(lab.address, &path("coroutine"));
    let first = coroutine.tick().expect("a first tick").at;
    let (address, blocking) = (lab.address, path("blocking"));
    let blocking = thread::spawn(move || get(address, &blocking).ticks());
    let rest: Vec<_> = coroutine.ticks().iter().map(|tick| tick.at).collect();
    let client = begun.elapsed();
    let times = [&[first], &rest[..]].concat();
    let gap = times
        .windows(2)
        .map(|two| two[1].duration_since(two[0]))
        .max();
    assert_eq!(blocking.join().expect("read to the end").len(), 6);

    let deadline = Instant::now() + PATIENCE;
    let (mut lane, mut spent, mut hold) = (None, None, None);
    while spent.is_none() || hold.is_none() {
        match events.try_next() {
            Some(Event::Opened {
                lane: opened,
                route,
                ..
            }) if route == "/coroutine" => lane = Some(opened),
            Some(Event::Ended {
                lane: ended,
                spent: of,
                ..
            }) if lane == Some(ended) => spent = Some(of),
            Some(Event::Released(of)) if !of.culprits.is_empty() => hold = Some(of),
            Some(_) => {}
            None => pause(Duration::from_millis(5)),
        }
        assert!(Instant::now() < deadline, "{spent:?}, {hold:?}");
    }
    Measured {
        spent: spent.expect("it has ended"),
        hold: hold.expect("it is over"),
        client,
        connected: first.duration_since(begun),
        gap: gap.expect("several ticks"),
    }
}

#[test]
fn a_coroutine_is_held_up_by_the_blocking_countdown_for_as_long_as_that_holds_the_worker() {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let measured = measure(Duration::from_millis(300));
        let (spent, hold) = (&measured.spent, &measured.hold);
        let first = &spent.by[0];
        let blocking = RouteName::new("GET", "/blocking");
        assert_eq!(first.by, Some(blocking), "{measured:?}");
        let busy = hold.culprits[0].busy;
        assert!(first.held_up.abs_diff(busy) <= EXACT, "{measured:?}");
        let nobody = spent.by.iter().filter(|blame| blame.by.is_none());
        let nobody: Duration = nobody.map(|blame| blame.held_up).sum();
        if nobody <= EXACT {
            assert!(
                spent.held_up.abs_diff(hold.duration) <= EXACT,
                "{measured:?}"
            );
            if measured.is_what_the_client_saw() {
                return;
            }
        }
        // On a busy machine, the worker may get no core, and the client may read late.
        assert!(Instant::now() < deadline, "{measured:?}");
    }
}
