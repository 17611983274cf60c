//! A worker without requests is not woken, and holds on it are found all the same. What the collector does is read from
//! the clock that it uses.

#![cfg(target_os = "linux")]

use std::fs;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use holdup_detect::{Detector, Request, Route, THRESHOLD, Task, Time, Worker};
use holdup_model::{Hold, Part};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};

/// A time-out that is never reached, even on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than the pauses of a collector that is awake, and shorter than those of one that dozes.
const BETWEEN: Duration = Duration::from_millis(150);

/// The system's clock. It notes when the collector looks at the worker.
#[derive(Debug)]
struct Looks {
    origin: Instant,
    /// The worker's thread, which reads its own figures when it begins.
    worker: AtomicU32,
    at: Mutex<Vec<Instant>>,
}

impl Looks {
    fn count(&self) -> usize {
        self.at.lock().expect("nobody panics with it").len()
    }

    /// The pauses between the looks from this one on.
    fn pauses_from(&self, look: usize) -> Vec<Duration> {
        let at = self.at.lock().expect("nobody panics with it");
        at[look..].windows(2).map(|two| two[1] - two[0]).collect()
    }
}

impl Time for Looks {
    fn now(&self) -> u64 {
        // 0 stands for no time.
        1 + u64::try_from(self.origin.elapsed().as_nanos()).expect("some hundred years")
    }

    /// Called by the collector once in each look at a worker.
    fn cpu_of(&self, thread: Option<u32>) -> Option<u64> {
        if thread == Some(self.worker.load(Ordering::SeqCst)) {
            let mut at = self.at.lock().expect("nobody panics with it");
            at.push(Instant::now());
        }
        None
    }

    /// The time that a thread waits for a CPU is no stop of the process, so it has to be known.
    fn run_delay(&self, thread: Option<u32>) -> Option<u64> {
        if thread::current().name() == Some("worker") {
            self.worker
                .store(thread.expect("known on Linux"), Ordering::SeqCst);
        }
        let figures = fs::read_to_string(format!("/proc/self/task/{}/schedstat", thread?));
        figures.ok()?.split(' ').nth(1)?.parse().ok()
    }
}

type Command = Box<dyn FnOnce(&Rc<Worker>) + Send>;

/// A worker that does nothing until it is told to.
struct Idle {
    detector: Detector,
    looks: Arc<Looks>,
    /// How often the detector's own tasks were polled.
    polls: Arc<AtomicU64>,
    commands: Option<UnboundedSender<Command>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Idle {
    fn new() -> Self {
        let looks = Arc::new(Looks {
            origin: Instant::now(),
            worker: AtomicU32::new(0),
            at: Mutex::default(),
        });
        let spawner = |name: &'static str, run: Box<dyn FnOnce() + Send>| {
            let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
            Ok(thread.thread().clone())
        };
        let detector = Detector::with(Arc::clone(&looks) as Arc<dyn Time>, Arc::new(spawner));
        let polls = Arc::new(AtomicU64::new(0));
        let (commands, mut receives) = unbounded_channel::<Command>();
        let (own, counts) = (detector.clone(), Arc::clone(&polls));
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build()
                .expect("a runtime");
            LocalSet::new().block_on(&runtime, async {
                let worker = own.worker(|task| {
                    spawn_local(counted(task, Arc::clone(&counts)));
                });
                while let Some(command) = receives.recv().await {
                    command(&worker);
                }
            });
        };
        let thread = thread::Builder::new().name("worker".to_owned());
        Self {
            detector,
            looks,
            polls,
            commands: Some(commands),
            thread: Some(thread.spawn(run).expect("a thread")),
        }
    }

    fn run(&self, command: impl FnOnce(&Rc<Worker>) + Send + 'static) {
        let commands = self.commands.as_ref().expect("it has not ended");
        assert!(commands.send(Box::new(command)).is_ok(), "it runs");
    }

    /// Waits until the collector pauses for long, several times in a row.
    fn until_it_dozes(&self) {
        let first = self.looks.count();
        wait_for("doze", || {
            let pauses = self.looks.pauses_from(first);
            let dozes = pauses
                .windows(3)
                .any(|pauses| pauses.iter().all(|&pause| pause >= BETWEEN));
            dozes.then_some(())
        });
    }

    /// Waits for a hold that lasts, long enough that it remains a hold on a busy machine.
    fn held(&self) -> Hold {
        let is_long = |hold: &Hold| hold.own_duration() >= 3 * THRESHOLD;
        wait_for("hold", || self.detector.held_now().pop().filter(is_long))
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take()
            && !thread::panicking()
        {
            thread.join().expect("the worker did not panic");
        }
    }
}

/// The task, with its polls counted.
async fn counted(mut task: Task, polls: Arc<AtomicU64>) {
    std::future::poll_fn(|cx| {
        polls.fetch_add(1, Ordering::SeqCst);
        task.as_mut().poll(cx)
    })
    .await;
}

fn wait_for<T>(what: &str, found: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "no {what}");
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// Polls a request that blocks until something is sent.
fn blocks(worker: &Rc<Worker>, opens: &mpsc::Sender<Instant>, until: &mpsc::Receiver<()>) {
    let (method, pattern) = ("GET", "/report".to_owned());
    let route = worker.route_number(Route { method, pattern });
    opens.send(Instant::now()).expect("the test waits");
    let request = Request::open(worker, route, |_| ("/report", None));
    let _poll = request.enter(Part::Future);
    until.recv().expect("the test sends");
}

#[test]
fn a_worker_that_waits_is_seldom_looked_at_and_never_woken() {
    let idle = Idle::new();
    idle.until_it_dozes();
    let (polls, looks) = (idle.polls.load(Ordering::SeqCst), idle.looks.count());
    wait_for("look", || (idle.looks.count() >= looks + 8).then_some(()));
    assert_eq!(idle.polls.load(Ordering::SeqCst), polls);
    let pauses = idle.looks.pauses_from(looks);
    assert!(pauses.iter().all(|&pause| pause >= BETWEEN), "{pauses:?}");
}

#[test]
fn a_request_wakes_the_collector_and_its_hold_is_found_from_its_beginning() {
    let idle = Idle::new();
    // On a busy machine, the look may come late once. If nobody woke the collector, it would come late each time.
    wait_for("prompt look", || {
        idle.until_it_dozes();
        let looks = idle.looks.count();
        wait_for("look", || (idle.looks.count() > looks).then_some(()));
        let (opens, opened) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let before = idle.detector.elapsed();
        idle.run(move |worker| blocks(worker, &opens, &released));
        opened.recv().expect("the request opens");
        let hold = idle.held();
        let pauses = idle.looks.pauses_from(looks);
        release.send(()).expect("the worker waits");
        wait_for("end", || (!idle.detector.holds().is_empty()).then_some(()));

        assert_eq!(hold.culprits[0].route, "/report", "{hold}");
        assert!(hold.started >= before, "{hold}");
        (pauses.first()? < &BETWEEN).then_some(())
    });
    // It dozes again.
    idle.until_it_dozes();
}

#[test]
fn a_task_that_blocks_an_idle_worker_is_a_hold() {
    let idle = Idle::new();
    for _ in 0..3 {
        idle.until_it_dozes();
        let (release, released) = mpsc::channel::<()>();
        idle.run(move |_| {
            spawn_local(async move { released.recv() });
        });
        let hold = idle.held();
        assert!(hold.culprits.is_empty() && hold.ongoing, "{hold}");
        release.send(()).expect("the task waits");
        let is_it = |over: &Hold| over.started == hold.started;
        let over = wait_for("end", || idle.detector.holds().into_iter().find(is_it));
        assert!(over.culprits.is_empty() && !over.ongoing, "{over}");
    }
}
