//! A log that blocks or panics, a callback that panics, and a system that cannot start a thread: each loses
//! its own output and disturbs nothing else.

use std::io::{self, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use actix_web::{App, web};
use holdup_detect::Detector;
use holdup_testkit::app;
use holdup_watch::{Event, Hold, Subscription, ThreadState, Watch};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::{Layer, Registry};

/// How long something may take on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the log blocks.
const BLOCKED: Duration = Duration::from_secs(3);

#[expect(
    clippy::disallowed_methods,
    reason = "handlers and logs block here, and tests wait"
)]
fn sleep(time: Duration) {
    thread::sleep(time);
}

/// What the log does with lines about holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Keeps,
    Blocks,
    Panics,
}

/// Everything this process logs, for the one test that runs at a time.
struct Log {
    mode: Mutex<Mode>,
    lines: Mutex<Vec<String>>,
    /// How many lines block it now, and at how many it has panicked.
    blocked: AtomicUsize,
    panicked: AtomicU64,
}

static LOG: Log = Log {
    mode: Mutex::new(Mode::Keeps),
    lines: Mutex::new(Vec::new()),
    blocked: AtomicUsize::new(0),
    panicked: AtomicU64::new(0),
};

struct LogLayer;

impl<S: tracing::Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        if event.metadata().target() != "holdup" {
            return;
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let mode = *lock(&LOG.mode);
        match mode {
            Mode::Keeps => {}
            Mode::Blocks => {
                LOG.blocked.fetch_add(1, Ordering::SeqCst);
                sleep(BLOCKED);
                LOG.blocked.fetch_sub(1, Ordering::SeqCst);
            }
            Mode::Panics => {
                LOG.panicked.fetch_add(1, Ordering::SeqCst);
                panic!("a log that panics, on purpose");
            }
        }
        lock(&LOG.lines).push(message.0);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks the log: the process has only one, so the tests run one after the other.
fn turn(mode: Mode) -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = lock(&TURN);
    let subscriber = Registry::default().with(LogLayer);
    tracing::subscriber::set_global_default(subscriber).ok();
    *lock(&LOG.mode) = mode;
    lock(&LOG.lines).clear();
    LOG.panicked.store(0, Ordering::SeqCst);
    turn
}

fn wait_for<T>(what: &str, mut get: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = get() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: timed out");
        sleep(Duration::from_millis(1));
    }
}

/// An app on real workers. `/block/{ms}` blocks for so long.
struct Served(app::Served);

async fn block(ms: web::Path<u64>) -> &'static str {
    sleep(Duration::from_millis(*ms));
    "done"
}

async fn hello() -> &'static str {
    "hello"
}

fn serve(watch: &Watch, workers: usize) -> Served {
    let watch = watch.clone();
    Served(app::serve_on(workers, move || {
        App::new()
            .route("/block/{ms}", web::get().to(block))
            .route("/hello", web::get().to(hello))
            .wrap(watch.clone())
    }))
}

impl Served {
    fn get(&self, path: &str) -> String {
        get(self.0.address, path).expect("an answer")
    }

    /// Requests the blocking route on two connections at once, which actix assigns to different workers.
    fn block_both(&self, ms: u64) -> Vec<JoinHandle<String>> {
        let address = self.0.address;
        let asks = move || get(address, &format!("/block/{ms}")).expect("an answer");
        (0..2).map(|_| thread::spawn(asks)).collect()
    }
}

fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(answer)
}

/// The next hold of each worker, published as it crosses the threshold (`begins`) or as it ends, and how long
/// after that the later one reached the subscriber.
fn of_both(watch: &Watch, events: &mut Subscription, begins: bool) -> (Vec<Hold>, Duration) {
    let (mut holds, mut late): (Vec<Hold>, _) = (Vec::new(), Duration::ZERO);
    while holds.len() < 2 {
        let hold = wait_for("an event", || match events.try_next() {
            Some(Event::Held(hold)) if begins => Some(hold),
            Some(Event::Released(hold)) if !begins => Some(hold),
            _ => None,
        });
        if hold.culprits.is_empty() || holds.iter().any(|other| other.worker == hold.worker) {
            continue;
        }
        let after = if begins {
            watch.least_hold()
        } else {
            hold.duration
        };
        late = late.max(watch.elapsed().saturating_sub(hold.started + after));
        holds.push(hold);
    }
    (holds, late)
}

fn failure(watch: &Watch) -> String {
    let failed = std::panic::catch_unwind(AssertUnwindSafe(|| watch.assert_no_holds()));
    let payload = failed.expect_err("the assertion fails");
    *payload.downcast::<String>().expect("a message")
}

fn state_of(watch: &Watch, name: &str) -> ThreadState {
    let health = watch.health().into_iter();
    let mut states = health.filter(|thread| thread.name == name);
    states.next().expect("there is that thread").state
}

/// Blocks two workers while the log is in that mode, and asserts that events, answers and the assertion still
/// come in time.
fn everything_else_goes_on(mode: Mode) {
    let watch = Watch::new();
    let served = serve(&watch, 2);
    let mut events = watch.subscribe();
    served.get("/hello");
    // True once the log has got its first line and blocks or has panicked.
    let is_in_it =
        || LOG.blocked.load(Ordering::SeqCst) > 0 || LOG.panicked.load(Ordering::SeqCst) > 0;
    for (round, ms) in [400, 500].into_iter().enumerate() {
        let clients = served.block_both(ms);
        let (held, late) = of_both(&watch, &mut events, true);
        assert!(held.iter().all(|hold| hold.ongoing), "{held:?}");
        let (over, later) = of_both(&watch, &mut events, false);
        let kind = ["first", "second"][round];
        println!("{mode:?}, {kind} holds: held published {late:?} late, released {later:?} late");
        // If the log delayed the events, it would delay them for as long as it blocks.
        assert!(
            late < BLOCKED / 3 && later < BLOCKED / 3,
            "{late:?} {later:?}"
        );
        assert!(over.iter().all(|hold| !hold.ongoing), "{over:?}");
        for client in clients {
            client.join().expect("an answer");
        }
        // The second round runs with a log that is already blocked or has panicked.
        wait_for("the log's trouble", || is_in_it().then_some(()));
    }
    assert!(watch.holds().len() >= 4);
    let message = failure(&watch);
    assert!(message.contains("GET /block/{ms} (future, "), "{message}");
    assert_eq!(state_of(&watch, "holdup-watch"), ThreadState::Running);
}

#[test]
fn a_log_that_blocks_delays_its_own_lines_and_nothing_else() {
    let _turn = turn(Mode::Blocks);
    everything_else_goes_on(Mode::Blocks);
    // The delayed lines are logged later.
    *lock(&LOG.mode) = Mode::Keeps;
    wait_for("the lines", || {
        let lines = lock(&LOG.lines);
        lines
            .iter()
            .any(|line| line.contains(" held worker "))
            .then_some(())
    });
}

#[test]
fn a_log_that_panics_loses_its_own_lines_and_nothing_else() {
    let _turn = turn(Mode::Panics);
    let watch = Watch::new();
    let served = serve(&watch, 1);
    everything_else_goes_on(Mode::Panics);
    served.get("/block/300");
    let state = wait_for("a restart", || match state_of(&watch, "holdup-log") {
        ThreadState::Restarted { times } => Some(times),
        _ => None,
    });
    assert!(state > 0 && watch.health().iter().all(holdup_watch::ThreadHealth::is_ok));
    // The log thread continues once the log works again, and logs that it was restarted.
    *lock(&LOG.mode) = Mode::Keeps;
    served.get("/block/300");
    wait_for("the lines", || {
        let lines = lock(&LOG.lines);
        let has = |text: &str| lines.iter().any(|line| line.contains(text));
        let text = "the thread holdup-log panicked and was started again";
        (has(text) && has(" held worker ")).then_some(())
    });
}

#[test]
fn a_callback_gets_the_end_of_each_hold_and_one_that_panics_is_called_again() {
    let _turn = turn(Mode::Keeps);
    let (send, receive) = mpsc::channel();
    let calls = AtomicUsize::new(0);
    let watch = Watch::new().on_hold(move |hold| {
        let is_first = hold.ongoing && calls.fetch_add(1, Ordering::SeqCst) == 0;
        assert!(!is_first, "on purpose");
        send.send(hold.clone()).ok();
    });
    let served = serve(&watch, 1);
    for _ in 0..2 {
        served.get("/block/300");
    }
    // The first call panicked, so the beginning of one hold is lost. The end of each hold comes exactly once.
    // A busy machine makes holds of its own, which have no culprits.
    let mut ends = Vec::new();
    while ends.len() < 2 {
        let hold: Hold = receive.recv_timeout(PATIENCE).expect("a hold");
        if !hold.culprits.is_empty() && !hold.ongoing {
            assert!(!ends.contains(&hold.started), "{hold}");
            ends.push(hold.started);
        }
    }
    assert_eq!(
        state_of(&watch, "holdup-on-hold"),
        ThreadState::Restarted { times: 1 }
    );
}

#[test]
fn without_a_level_nothing_is_logged() {
    let _turn = turn(Mode::Keeps);
    let watch = Watch::new().log_level(None);
    let served = serve(&watch, 1);
    served.get("/block/300");
    wait_for("the hold", || (!watch.holds().is_empty()).then_some(()));
    sleep(Duration::from_millis(100));
    let lines = lock(&LOG.lines);
    assert!(
        !lines.iter().any(|line| line.contains("worker")),
        "{lines:?}"
    );
    assert!(
        watch
            .health()
            .iter()
            .all(|thread| thread.name != "holdup-log")
    );
}

#[test]
fn if_no_thread_can_be_started_the_app_serves_and_one_warning_is_logged() {
    let _turn = turn(Mode::Keeps);
    let tries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tries);
    let watch = Watch::from(Detector::with_spawner(Arc::new(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        Err(io::Error::from(io::ErrorKind::WouldBlock))
    })));
    let served = serve(&watch, 2);
    for _ in 0..4 {
        assert!(served.get("/hello").ends_with("hello"));
    }
    wait_for("both workers", || {
        (watch.workers().len() == 2).then_some(())
    });
    // Each worker tried.
    wait_for("a try", || {
        (tries.load(Ordering::SeqCst) >= 2).then_some(())
    });
    let lines = lock(&LOG.lines).clone();
    let [line] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert!(
        line.starts_with("the app is served, but holds are neither logged nor published"),
        "{line}"
    );
    assert_eq!(state_of(&watch, "holdup-watch"), ThreadState::NotStarted);
    // A hold that the worker itself closes is in the list nevertheless.
    served.get("/block/300");
    wait_for("the hold", || (!watch.holds().is_empty()).then_some(()));
    assert!(failure(&watch).contains("GET /block/{ms}"));
}

#[test]
fn of_many_holds_of_a_route_a_few_are_logged() {
    let _turn = turn(Mode::Keeps);
    let watch = Watch::new().threshold(Duration::from_millis(20));
    let served = serve(&watch, 1);
    let begun = Instant::now();
    for _ in 0..40 {
        served.get("/block/40");
    }
    wait_for("the holds", || (watch.holds().len() >= 40).then_some(()));
    let seconds = usize::try_from(begun.elapsed().as_secs()).expect("few");
    sleep(Duration::from_millis(100));
    let lines = lock(&LOG.lines).clone();
    let of_the_route = lines.iter().filter(|line| line.contains("GET /block"));
    let of_the_route = of_the_route.count();
    // Three holds at once and one more a second, with a line at their beginning and their end.
    let most = 2 * (3 + seconds + 1);
    assert!(
        (3..=most).contains(&of_the_route),
        "{of_the_route} in {seconds} s: {lines:#?}"
    );
    let count = wait_for("the count", || {
        let lines = lock(&LOG.lines);
        lines.iter().find(|line| line.starts_with('…')).cloned()
    });
    assert!(
        count.contains(" more holds by GET /block/{ms} in the last 1"),
        "{count}"
    );
}

#[test]
fn settings_are_for_all_clones_and_come_first() {
    let watch = Watch::new();
    let clone = watch.clone();
    let changed = std::panic::catch_unwind(AssertUnwindSafe(|| {
        drop(watch.threshold(Duration::from_secs(1)));
    }));
    let payload = changed.expect_err("it would change the clone, too");
    let message = payload.downcast::<String>().map(|text| *text);
    let message = message.unwrap_or_else(|payload| {
        let text = payload.downcast::<&str>().expect("a message");
        (*text).to_owned()
    });
    assert!(
        message.contains("change its settings before that"),
        "{message}"
    );
    assert_eq!(clone.least_hold(), holdup_watch::THRESHOLD);
}

/// As a user that has no other process, and so no other thread.
#[cfg(target_os = "linux")]
mod limited {
    use std::future::{Ready, ready};
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use actix_web::dev::{Service, ServiceRequest, Transform};
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::*;

    /// A user of the tests' own; `nobody` may have processes.
    const USER: u32 = 54_321;

    /// So many threads, or as many as there may be at all.
    fn limit_threads(most: Option<u64>) {
        let maximum = getrlimit(Resource::Nproc).maximum;
        let limit = Rlimit {
            current: most.or(maximum),
            maximum,
        };
        setrlimit(Resource::Nproc, limit).expect("it is not over the maximum");
    }

    /// Goes around the watch: when it is made, the watch has been.
    struct ThreadsAgain;

    impl<S: Service<ServiceRequest>> Transform<S, ServiceRequest> for ThreadsAgain {
        type Response = S::Response;
        type Error = S::Error;
        type Transform = S;
        type InitError = ();
        type Future = Ready<Result<S, ()>>;

        fn new_transform(&self, service: S) -> Self::Future {
            let more = thread::Builder::new().spawn(|| ());
            assert!(more.is_err(), "there is room for one more thread");
            // The server has still to start the one that accepts connections.
            limit_threads(None);
            ready(Ok(service))
        }
    }

    #[test]
    #[ignore = "run by the next test, in a process of its own"]
    fn alone() {
        let _turn = turn(Mode::Keeps);
        let watch = Watch::new();
        let served = {
            let watch = watch.clone();
            Served(app::serve_on(1, move || {
                limit_threads(Some(1));
                App::new()
                    .route("/hello", web::get().to(hello))
                    .wrap(watch.clone())
                    .wrap(ThreadsAgain)
            }))
        };
        assert!(served.get("/hello").ends_with("hello"));
        let state = state_of(&watch, "holdup-watch");
        assert_eq!(state, ThreadState::NotStarted);
        let lines = lock(&LOG.lines).clone();
        assert_eq!(lines.len(), 1, "{lines:?}");
        println!("logged: {}", lines[0]);
        std::mem::forget(served);
    }

    #[test]
    fn a_process_that_may_have_no_more_threads_serves() {
        if !rustix::process::geteuid().is_root() {
            println!("not root: there is no user without other processes to become");
            return;
        }
        // Where that user may read it.
        let program = std::env::current_exe().expect("this program");
        let copy = std::env::temp_dir().join(format!("holdup-pipeline-{}", std::process::id()));
        std::fs::copy(program, &copy).expect("a copy");
        let mut alone = Command::new(&copy);
        alone.args([
            "--ignored",
            "--exact",
            "--nocapture",
            "--test-threads=1",
            "limited::alone",
        ]);
        let output = alone.uid(USER).gid(USER).current_dir("/").output();
        std::fs::remove_file(&copy).expect("it is there");
        let output = output.expect("it runs");
        let printed = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}{complained}");
        assert!(printed.contains("1 passed"), "{printed}");
        println!("{printed}");
    }
}
