//! A process that is stopped and continued, as when a machine sleeps: no worker is blamed for that time.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::PoisonError;

use holdup_watch::testing::assert_not_held_up;
use rustix::process::{Pid, Signal, kill_process};

use super::*;

/// How often the process is stopped.
const STOPS: usize = 12;

/// How long it is stopped each time. On a busy machine a worker may be kept from running for longer than the threshold,
/// but hardly for as long as this.
const STOP: Duration = Duration::from_millis(500);

/// Runs in a process of its own, started by a later test, which stops it again and again.
#[test]
#[ignore = "run by a later test"]
fn an_app_in_this_process_is_stopped() {
    let watch = Watch::new();
    let served = {
        let watch = watch.clone();
        let works = async || {
            pause(Duration::from_millis(5));
            "done"
        };
        let blocks = async || {
            block();
            "done"
        };
        serve(move || {
            App::new()
                .route("/works", web::get().to(works))
                .route("/blocks", web::get().to(blocks))
                .wrap(watch.clone())
        })
    };
    let mut events = watch.subscribe();
    get(served.address, "/works");
    std::io::stdout().write_all(b"\nready\n").expect("written");
    let mut line = String::new();
    let asked = thread::spawn(move || std::io::stdin().read_line(&mut line).expect("a line"));
    let mut stops = 0;
    while !asked.is_finished() {
        let begun = Instant::now();
        // The worker is nearly always in the middle of this request when the process stops.
        get(served.address, "/works");
        stops += usize::from(begun.elapsed() >= LONG);
    }
    // A stop makes the request that is open at the time slow. Not every stop meets one.
    assert!(stops >= STOPS / 2, "{stops}");
    watch.assert_no_holds();
    let as_long = |hold: &Hold| hold.duration >= STOP;
    let ongoing: Vec<_> = watch.held_now().into_iter().filter(as_long).collect();
    assert_eq!(ongoing, []);
    let mut next_hold = |wanted: &dyn Fn(&Hold) -> bool| {
        let event = std::iter::from_fn(|| events.try_next());
        let mut hold = event.filter_map(|event| match event {
            Event::Held(hold) | Event::Released(hold) => wanted(&hold).then(|| hold.to_string()),
            _ => None,
        });
        hold.next()
    };
    assert_eq!(next_hold(&as_long), None);

    get(served.address, "/blocks");
    let message = failure(&watch);
    assert!(message.contains("GET /blocks (future, "), "{message}");
    assert_eq!(holds(&watch, 1).len(), 1, "{message}");
    let deadline = Instant::now() + PATIENCE;
    while !next_hold(&|_| true).is_some_and(|hold| hold.contains("/blocks")) {
        assert!(Instant::now() < deadline, "no hold is published");
        pause(Duration::from_millis(2));
    }
}

/// Runs in a process of its own, started by a later test, which stops it again and again.
#[test]
#[ignore = "run by a later test"]
fn a_request_waits_in_this_process_while_it_is_stopped() {
    let watch = Watch::new();
    let served = {
        let watch = watch.clone();
        let works = async || {
            pause(Duration::from_millis(5));
            "done"
        };
        let waits = async || {
            rt::time::sleep(Duration::from_millis(1)).await;
            "done"
        };
        serve(move || {
            App::new()
                .route("/works", web::get().to(works))
                .route("/waits", web::get().to(waits))
                .wrap(watch.clone())
        })
    };
    get(served.address, "/waits");
    std::io::stdout().write_all(b"\nready\n").expect("written");
    let mut line = String::new();
    let asked = thread::spawn(move || std::io::stdin().read_line(&mut line).expect("a line"));
    let address = served.address;
    let works = move || {
        while !asked.is_finished() {
            get(address, "/works");
        }
    };
    let works = thread::spawn(works);
    while !works.is_finished() {
        // It waits for a worker that is nearly always in the middle of the other request.
        get(address, "/waits");
    }
    works.join().expect("it gets its answers");
    assert_not_held_up(&watch, "GET /waits", LONG);
    let victims = watch.victims();
    let lost = victims.iter().filter(|victim| victim.longest >= LONG);
    let by: Vec<_> = lost.map(|victim| &victim.by).collect();
    assert_eq!(by, [&None], "{victims:?}");
}

#[test]
fn a_process_that_was_stopped_has_held_no_worker() {
    is_stopped("stopped::an_app_in_this_process_is_stopped");
}

#[test]
fn no_route_is_to_blame_for_the_time_in_which_the_process_was_stopped() {
    is_stopped("stopped::a_request_waits_in_this_process_while_it_is_stopped");
}

/// Runs the test of this name in a process of its own, and stops that again and again. Only one at a time, because each
/// keeps a core busy.
fn is_stopped(name: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", name])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this program runs");
    let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert!(
        output
            .by_ref()
            .any(|line| line.is_ok_and(|line| line == "ready"))
    );
    let process = Pid::from_child(&child);
    for stop in 0..STOPS {
        // The stops come at different points of the app's work.
        pause(Duration::from_millis(60 + 7 * stop as u64));
        kill_process(process, Signal::STOP).expect("our child");
        pause(STOP);
        kill_process(process, Signal::CONT).expect("our child");
    }
    pause(LONG);
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"\n").expect("it reads");
    let output: Vec<_> = output.map_while(Result::ok).collect();
    let output = output.join("\n");
    let status = child.wait().expect("it ends");
    assert!(status.success() && output.contains("1 passed"), "{output}");
}
