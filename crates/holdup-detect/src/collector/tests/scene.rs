//! A collector on a clock that the test advances, and workers that the test controls step by step.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use holdup_model::{Event, Hold, Part, Spent};

use crate::clock::{Clock, Time};
use crate::collector::Collector;
use crate::outlets::{Inlet, LogEntry, Outlets};
use crate::places;
use crate::request::Request;
use crate::routes::Route;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::sink::log::Log;
use crate::subscription::Subscription;
use crate::tasks::{self, Task};
use crate::threads::{self, Threads};
use crate::worker::Worker;

pub(super) const MS: u64 = 1_000_000;

/// A clock that stands still until the test advances it.
#[derive(Debug)]
struct Stopped {
    now: AtomicU64,
    /// The CPU time of all threads alike.
    cpu: AtomicU64,
}

impl Time for Stopped {
    fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    fn thread_cpu(&self) -> Option<u64> {
        Some(self.cpu.load(Ordering::SeqCst))
    }

    fn cpu_of(&self, _: Option<u32>) -> Option<u64> {
        self.thread_cpu()
    }
}

pub(super) struct Scene {
    time: Arc<Stopped>,
    pub(super) shared: Arc<Shared>,
    pub(super) collector: Collector,
    pub(super) outlets: Outlets,
    log: Inlet<LogEntry>,
    subscription: Subscription,
    /// The routes of the open requests, and when they were opened.
    lanes: HashMap<u64, (String, Duration)>,
    ended: Vec<(String, Duration, Spent)>,
}

impl Scene {
    pub(super) fn new(change: impl Fn(&mut Settings)) -> Self {
        // The clock does not start at 0, because 0 stands for "no time".
        let time = Arc::new(Stopped {
            now: AtomicU64::new(1_000 * MS),
            cpu: AtomicU64::new(0),
        });
        let clock = Clock::of(Arc::clone(&time) as Arc<dyn Time>);
        let mut shared = Shared::new(clock, Threads::new(threads::system()));
        change(&mut shared.settings);
        let mut outlets = Outlets::default();
        let log = outlets.log.open();
        let subscription = shared.subscribe();
        Self {
            time,
            collector: Collector::new(&shared),
            shared: Arc::new(shared),
            outlets,
            log,
            subscription,
            lanes: HashMap::new(),
            ended: Vec::new(),
        }
    }

    /// Starts one more worker, which waits for commands.
    pub(super) fn worker(&self) -> Remote {
        let (commands, receives) = channel();
        let (done, is_done) = channel();
        let shared = Arc::clone(&self.shared);
        let thread = thread::spawn(move || Loop::new(&shared).serve(&receives, &done));
        let remote = Remote {
            commands: Some(commands),
            is_done,
            thread: Some(thread),
        };
        remote.is_done.recv().expect("it runs");
        remote
    }

    /// Advances the clock without a sample.
    pub(super) fn advance(&self, ms: u64) {
        self.time.now.fetch_add(ms * MS, Ordering::SeqCst);
    }

    /// Threads have computed for this long.
    pub(super) fn compute(&self, ms: u64) {
        self.time.cpu.fetch_add(ms * MS, Ordering::SeqCst);
    }

    /// Advances the clock, and then the collector samples on time.
    pub(super) fn pass(&mut self, ms: u64) {
        self.pass_late(ms, 0);
    }

    /// Advances the clock, and then the collector samples `late` milliseconds later than planned.
    pub(super) fn pass_late(&mut self, ms: u64, late: u64) {
        let pause = Duration::from_millis(ms);
        let lateness = &mut self.collector.lateness;
        lateness.pauses(&self.shared.oversleeps, pause);
        self.advance(ms + late);
        self.look();
    }

    /// The collector begins to doze for this long. The next request wakes it.
    pub(super) fn dozes(&mut self, ms: u64) {
        let pause = Duration::from_millis(ms);
        let lateness = &mut self.collector.lateness;
        lateness.pauses(&self.shared.oversleeps, pause);
        self.shared.doze.begin();
        self.advance(ms / 10);
    }

    /// Polls the route's request, which works for this long and then waits.
    pub(super) fn works_and_waits(&mut self, worker: &Remote, route: &'static str, ms: u64) {
        let time = Arc::clone(&self.time);
        worker.act(move |worker| {
            let works = || {
                time.now.fetch_add(ms * MS, Ordering::SeqCst);
            };
            worker.poll(route, works, Poll::Pending);
        });
    }

    pub(super) fn look(&mut self) -> bool {
        self.collector.look(&self.shared, &self.outlets)
    }

    /// The requests that have ended since the last call: the route, the time for which each was open, and what it was
    /// spent on. Their beginnings must not have been read before.
    pub(super) fn ended(&mut self) -> Vec<(String, Duration, Spent)> {
        self.look();
        while let Some(event) = self.subscription.try_next() {
            match event {
                Event::Opened {
                    lane, at, route, ..
                } => {
                    self.lanes.insert(lane, (route, at));
                }
                Event::Ended {
                    lane, at, spent, ..
                } => {
                    let (route, opened) = self.lanes.remove(&lane).expect("it was opened");
                    self.ended.push((route, at.saturating_sub(opened), spent));
                }
                _ => {}
            }
        }
        std::mem::take(&mut self.ended)
    }

    /// The events about holds since the last call.
    pub(super) fn events(&mut self) -> Vec<Event> {
        let events = std::iter::from_fn(|| self.subscription.try_next());
        let is_of_a_hold = |event: &Event| kind(event).is_some();
        events.filter(is_of_a_hold).collect()
    }

    pub(super) fn held_now(&self) -> Vec<(usize, u128, u128, bool)> {
        self.shared.held_now().iter().map(in_ms).collect()
    }

    /// How many log entries were sent since the last call.
    pub(super) fn log_entries(&self) -> usize {
        self.log.try_iter().count()
    }

    pub(super) fn write_log(&self, log: &mut Log) {
        for entry in self.log.try_iter() {
            log.write(entry, self.shared.elapsed());
        }
        assert_eq!(self.log.take_lost(), 0);
    }
}

fn kind(event: &Event) -> Option<&'static str> {
    match event {
        Event::Held(_) => Some("held"),
        Event::Updated(_) => Some("updated"),
        Event::Released(_) => Some("released"),
        Event::Withdrawn(_) => Some("withdrawn"),
        _ => None,
    }
}

/// The names of events about holds.
pub(super) fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().filter_map(kind).collect()
}

/// A hold's worker, its start and duration in milliseconds, and whether it is ongoing.
pub(super) fn in_ms(hold: &Hold) -> (usize, u128, u128, bool) {
    let (started, duration) = (hold.started.as_millis(), hold.duration.as_millis());
    (hold.worker, started, duration, hold.ongoing)
}

/// A command to a worker. The test waits until the worker has done it.
enum Command {
    /// Begins a poll of the route's request, which lasts until `Leave`.
    Enter(&'static str),
    Leave,
    /// Runs one loop iteration.
    Iterate,
    /// Anything else, also within a poll.
    Do(Box<dyn FnOnce(&mut Loop) + Send>),
}

/// The test's handle of a worker.
pub(super) struct Remote {
    commands: Option<Sender<Command>>,
    is_done: Receiver<()>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Remote {
    pub(super) fn enter(&self, route: &'static str) {
        self.run(Command::Enter(route));
    }

    pub(super) fn leave(&self) {
        self.run(Command::Leave);
    }

    pub(super) fn iterate(&self) {
        self.run(Command::Iterate);
    }

    /// Polls the route's request, which waits for something then.
    pub(super) fn waits(&self, route: &'static str) {
        self.act(move |worker| worker.poll(route, || (), Poll::Pending));
    }

    /// Polls the route's request, which gives a chunk of its body.
    pub(super) fn sends(&self, route: &'static str) {
        self.act(move |worker| worker.poll(route, || (), Poll::Ready(())));
    }

    /// Polls the route's request for the last time.
    pub(super) fn ends_request(&self, route: &'static str) {
        self.act(move |worker| {
            worker.poll(route, || (), Poll::Ready(()));
            worker.requests.remove(route);
        });
    }

    /// Drops the route's request as a middleware does, although it has not ended.
    pub(super) fn drops(&self, route: &'static str) {
        self.act(move |worker| {
            let request = worker.requests.remove(route).expect("it is open");
            drop(request.enter(Part::Future));
        });
    }

    /// Wakes the route's request on the worker's own thread: as another request, if that is in a poll, and otherwise
    /// as the loop.
    pub(super) fn wakes(&self, route: &'static str) {
        self.act(move |worker| worker.wakers[route].wake_by_ref());
    }

    /// Wakes the route's request from another thread.
    pub(super) fn wakes_from_outside(&self, route: &'static str) {
        let (tell, told) = channel();
        self.act(move |worker| {
            let waker = worker.wakers[route].clone();
            tell.send(waker).expect("the test waits");
        });
        told.recv().expect("a waker").wake();
    }

    /// The loop has looked at its sockets and timers. What it has found was woken before.
    pub(super) fn looked(&self) {
        self.act(|worker| worker.worker.state.on_look());
    }

    /// What the loop has found has run.
    pub(super) fn found_ran(&self) {
        self.act(|worker| worker.worker.state.on_found_polled());
    }

    /// The collector has sent a byte that the loop does not find from now on.
    pub(super) fn is_not_looking(&self) {
        self.act(|worker| {
            let now = worker.worker.now();
            worker.worker.state.sockets.restart(now, None);
        });
    }

    fn act(&self, act: impl FnOnce(&mut Loop) + Send + 'static) {
        self.run(Command::Do(Box::new(act)));
    }

    /// Ends the worker.
    pub(super) fn ends(mut self) {
        self.join();
    }

    fn run(&self, command: Command) {
        let commands = self.commands.as_ref().expect("the worker has not ended");
        commands.send(command).expect("it runs");
        self.is_done.recv().expect("it runs");
    }

    fn join(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the worker did not panic");
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.join();
        }
    }
}

/// The worker's own thread, which polls the tasks by hand.
struct Loop {
    worker: Rc<Worker>,
    tasks: Vec<Task>,
    requests: HashMap<&'static str, Rc<Request>>,
    /// The wakers that the requests got in their latest polls.
    wakers: HashMap<&'static str, Waker>,
}

impl Loop {
    fn new(shared: &Arc<Shared>) -> Self {
        let worker = places::current(shared);
        let spawned = std::cell::RefCell::new(Vec::new());
        tasks::spawn(&worker, |task| spawned.borrow_mut().push(task));
        let mut tasks = spawned.into_inner();
        // The others wait until the loop looks at its sockets, so they need a real one.
        tasks.truncate(2);
        let requests = HashMap::new();
        Self {
            worker,
            tasks,
            requests,
            wakers: HashMap::new(),
        }
    }

    fn serve(mut self, commands: &Receiver<Command>, done: &Sender<()>) {
        done.send(()).expect("the test waits");
        while let Ok(command) = commands.recv() {
            match command {
                Command::Enter(route) => {
                    let request = self.request(route);
                    let poll = request.enter(Part::Future);
                    done.send(()).expect("the test waits");
                    loop {
                        match commands.recv().expect("`Leave` has to follow `Enter`") {
                            Command::Leave => break,
                            Command::Do(act) => act(&mut self),
                            _ => panic!("only `Leave` may follow `Enter`"),
                        }
                        done.send(()).expect("the test waits");
                    }
                    drop(poll);
                }
                Command::Leave => panic!("`Leave` without `Enter`"),
                Command::Do(act) => act(&mut self),
                Command::Iterate => {
                    let mut context = Context::from_waker(Waker::noop());
                    for task in &mut self.tasks {
                        assert!(task.as_mut().poll(&mut context).is_pending());
                    }
                }
            }
            done.send(()).expect("the test waits");
        }
    }

    fn poll(&mut self, route: &'static str, works: impl FnOnce(), result: Poll<()>) {
        let request = self.request(route);
        let mut context = Context::from_waker(Waker::noop());
        let mut works = Some(works);
        let polled = request.poll(Part::Future, &mut context, |context| {
            self.wakers.insert(route, context.waker().clone());
            let works = works.take().expect("it is polled once");
            works();
            result
        });
        assert_eq!(polled, result);
    }

    fn request(&mut self, route: &'static str) -> Rc<Request> {
        let number = self.worker.route_number(Route {
            method: "GET",
            pattern: route.to_owned(),
        });
        let open = || Rc::new(Request::open(&self.worker, number, |_| (route, None)));
        Rc::clone(self.requests.entry(route).or_insert_with(open))
    }
}
