//! The loop keeps running, but polls its sockets only once in a few dozen iterations.

use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::AtomicBool;
use std::task::Poll;

use futures_util::{StreamExt, future::poll_fn};
use holdup_watch::HoldKind;

use super::*;

/// How long a handler works in total, in pieces.
const WORK: Duration = Duration::from_millis(1500);

/// The length of one piece of work: far below the threshold.
const PIECE: Duration = Duration::from_millis(30);

/// Lets every other task that is ready run, and is then polled again.
async fn wake_itself() {
    let mut woken = false;
    poll_fn(|cx| {
        if woken {
            return Poll::Ready(());
        }
        woken = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Works in pieces and wakes itself after each of them.
async fn in_pieces(work: Duration, piece: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < work {
        pause(piece);
        wake_itself().await;
    }
}

#[derive(serde::Deserialize)]
struct Upload {
    fast: bool,
}

fn starving_app(watch: &Watch) -> Served {
    let watch = watch.clone();
    serve(move || {
        let upload = async |query: web::Query<Upload>, mut body: web::Payload| {
            let mut bytes = 0;
            while let Some(chunk) = body.next().await {
                bytes += chunk?.len();
                // Stands for a `write_all` to a slow disk.
                if !query.fast {
                    pause(PIECE);
                }
            }
            Ok::<_, actix_web::Error>(bytes.to_string())
        };
        let pieces = async || {
            in_pieces(WORK, PIECE).await;
            "done"
        };
        let short_pieces = async || {
            in_pieces(WORK, Duration::from_micros(50)).await;
            "done"
        };
        let amid = async || {
            in_pieces(PIECE * 8, PIECE).await;
            block();
            wake_itself().await;
            in_pieces(PIECE * 8, PIECE).await;
            "done"
        };
        let yields = async || {
            let begin = Instant::now();
            while begin.elapsed() < WORK {
                pause(Duration::from_millis(1));
                tokio::task::yield_now().await;
            }
            "done"
        };
        App::new()
            .route("/ping", web::get().to(async || "pong"))
            .route("/pieces", web::get().to(pieces))
            .route("/short", web::get().to(short_pieces))
            .route("/amid", web::get().to(amid))
            .route("/yields", web::get().to(yields))
            .route("/upload", web::post().to(upload))
            .wrap(watch.clone())
    })
}

fn is_starved(hold: &Hold) -> bool {
    matches!(hold.kind, HoldKind::Starved { turns } if turns > 0)
}

/// The slowest of many requests to `/ping`.
#[derive(Default)]
struct Ping {
    /// On the watch's clock.
    sent: Duration,
    took: Duration,
}

/// Requests `/ping` repeatedly while `work` lasts.
fn slowest_ping(served: &Served, watch: &Watch, work: thread::JoinHandle<()>) -> Ping {
    let mut slowest = Ping::default();
    while !work.is_finished() {
        let (sent, begin) = (watch.elapsed(), Instant::now());
        get(served.address, "/ping").body();
        let took = begin.elapsed();
        if took > slowest.took {
            slowest = Ping { sent, took };
        }
    }
    work.join().expect("the work ends");
    slowest
}

/// Asserts that there are holds of this kind, all by this route, and that holds explain the slowest ping.
fn assert_explained(watch: &Watch, (method, route): (&str, &str), ping: &Ping) {
    let &Ping { sent, took } = ping;
    let least = Duration::from_millis(400);
    assert!(took >= least, "nobody was held up: {took:?}");
    let holds = watch.holds();
    let within = |hold: &Hold| {
        let end = (hold.started + hold.duration).min(sent + took + TICK);
        end.saturating_sub(hold.started.max(sent))
    };
    let explained: Duration = holds.iter().map(within).sum();
    assert!(
        explained * 10 >= took * 7 && explained <= took + TICK,
        "{explained:?} of {took:?}: {holds:?}"
    );

    let starved: Vec<_> = holds.iter().filter(|hold| is_starved(hold)).collect();
    for hold in &starved {
        let [culprit] = hold.culprits.as_slice() else {
            panic!("one culprit expected: {hold}")
        };
        let recorded = (&*culprit.method, &*culprit.route, culprit.part);
        assert_eq!(recorded, (method, route, Part::Future), "{hold}");
        assert!(culprit.busy <= hold.duration + TICK, "{hold}");
        assert!(hold.own_duration() >= holdup_watch::THRESHOLD, "{hold}");
    }
    let most = starved.iter().max_by_key(|hold| hold.duration);
    let most = most.expect("a hold of this kind");
    let HoldKind::Starved { turns } = most.kind else {
        panic!("{most}")
    };
    let Culprit { polls, busy, .. } = most.culprits[0];
    assert!(polls >= 5 && busy * 2 >= most.duration, "{most}");
    assert!(turns * 2 >= polls && turns <= polls * 2, "{most}");
    let message = failure(watch);
    let sentence = "times without looking at its sockets for ";
    assert!(message.contains(sentence), "{message}");
}

/// Runs a test with a watch of its own. Runs it again if it fails on a machine so busy that the pieces of work
/// took longer than intended.
fn unless_disturbed(test: impl Fn(&Watch)) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let watch = Watch::new();
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| test(&watch)));
        let Err(failure) = result else { return };
        let much = |hold: &Hold| hold.descheduled >= Some(Duration::from_millis(50));
        if Instant::now() > deadline || !watch.holds().iter().any(much) {
            std::panic::resume_unwind(failure);
        }
    }
}

#[test]
fn a_handler_that_wakes_itself_after_each_piece_is_a_starved_hold() {
    unless_disturbed(|watch| {
        let served = starving_app(watch);
        get(served.address, "/ping");
        let address = served.address;
        let work = thread::spawn(move || drop(get(address, "/pieces").body()));
        let slowest = slowest_ping(&served, watch, work);
        assert_explained(watch, ("GET", "/pieces"), &slowest);
        let all: Duration = watch.holds().iter().map(|hold| hold.duration).sum();
        assert!(all * 10 >= WORK * 7, "{:?}", watch.holds());
    });
}

/// Sends a large body over a connection that stays open.
fn upload(connection: &mut TcpStream, path: &str) {
    let body = vec![b'x'; 12_000_000];
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    connection.write_all(head.as_bytes()).expect("sent");
    connection.write_all(&body).expect("sent");
    let (mut answer, end) = (String::new(), format!("\r\n\r\n{length}"));
    while !answer.ends_with(&end) {
        let mut some = [0; 512];
        let read = connection.read(&mut some).expect("an answer");
        assert!(read > 0, "{answer}");
        answer += str::from_utf8(&some[..read]).expect("text");
    }
}

#[test]
fn an_upload_that_is_written_to_a_slow_disk_is_a_starved_hold() {
    unless_disturbed(|watch| {
        let served = starving_app(watch);
        get(served.address, "/ping");
        // The first upload is fast, so the system enlarges its buffers for this connection. actix only keeps
        // reading while there is always more to read.
        let mut connection = connect(served.address);
        upload(&mut connection, "/upload?fast=true");
        let work = thread::spawn(move || upload(&mut connection, "/upload?fast=false"));
        let slowest = slowest_ping(&served, watch, work);
        assert_explained(watch, ("POST", "/upload"), &slowest);
    });
}

#[test]
fn a_long_poll_amid_short_ones_is_a_hold_of_the_first_kind_between_two_of_the_second() {
    unless_disturbed(|watch| {
        let served = starving_app(watch);
        get(served.address, "/ping");
        assert_eq!(get(served.address, "/amid").body(), "done");
        // The loop may answer before it records the last hold.
        let deadline = Instant::now() + Duration::from_secs(2);
        while watch.holds().len() < 3 && Instant::now() < deadline {
            pause(Duration::from_millis(5));
        }
        let holds = holds(watch, 0);
        let blocked = |hold: &Hold| hold.kind == HoldKind::Blocked && hold.duration + TICK >= LONG;
        let at = holds.iter().position(blocked).expect("the long poll");
        assert!(holds[..at].iter().any(is_starved), "{holds:?}");
        assert!(holds[at..].iter().any(is_starved), "{holds:?}");
        for two in holds.windows(2) {
            let end = two[0].started + two[0].duration;
            assert!(end <= two[1].started, "{} and {}", two[0], two[1]);
        }
        for hold in &holds {
            assert_culprit(&hold.culprits[0], "/amid", Part::Future);
            assert!(hold.culprits[0].busy <= hold.duration + TICK, "{hold}");
        }
    });
}

#[test]
fn a_loop_that_polls_its_sockets_often_enough_is_no_starved_hold() {
    let watch = Watch::new();
    let served = starving_app(&watch);
    for path in ["/yields", "/short"] {
        assert_eq!(get(served.address, path).body(), "done");
        let holds = watch.holds();
        assert!(!holds.iter().any(is_starved), "{path}: {holds:?}");
        watch.assert_no_holds();
    }
}

#[test]
fn a_starved_hold_is_published_while_it_lasts_and_when_it_is_over() {
    let watch = Watch::new();
    let served = starving_app(&watch);
    let mut events = watch.subscribe();
    let address = served.address;
    let work = thread::spawn(move || get(address, "/pieces").body());
    let deadline = Instant::now() + PATIENCE;
    let (mut first, mut now) = (None, None);
    let released = loop {
        assert!(Instant::now() < deadline, "{first:?}, {now:?}");
        match events.try_next() {
            Some(Event::Held(hold)) if is_starved(&hold) => first = Some(hold),
            Some(Event::Released(hold)) if is_starved(&hold) => break hold,
            Some(_) => continue,
            None => pause(Duration::from_millis(2)),
        }
        now = watch.held_now().into_iter().find(is_starved).or(now);
    };
    work.join().expect("an answer");
    let (first, now) = (first.expect("published before"), now.expect("held before"));
    for hold in [&first, &now, &released] {
        assert_culprit(&hold.culprits[0], "/pieces", Part::Future);
        assert_eq!(hold.started, released.started, "{hold}");
    }
    assert!(
        first.ongoing && now.ongoing && !released.ongoing,
        "{released}"
    );
    assert!(first.duration <= released.duration, "{first}: {released}");
    assert!(watch.holds().contains(&released));
    let json = serde_json::to_value(&released).expect("JSON");
    assert_eq!(json["kind"], "starved", "{json}");
    assert!(
        json["turns"].as_u64().is_some_and(|turns| turns > 0),
        "{json}"
    );
}

#[test]
fn a_spawned_task_that_starves_the_sockets_is_a_hold_without_culprits() {
    let watch = Watch::new();
    let over = Arc::new(AtomicBool::new(false));
    let served = {
        let (watch, over) = (watch.clone(), Arc::clone(&over));
        serve(move || {
            let over = Arc::clone(&over);
            let spawn = move || {
                let over = Arc::clone(&over);
                async move {
                    rt::spawn(async move {
                        while !over.load(Ordering::Relaxed) {
                            pause(Duration::from_micros(2500));
                            wake_itself().await;
                        }
                    });
                    "done"
                }
            };
            App::new()
                .route("/spawn", web::get().to(spawn))
                .wrap(watch.clone())
        })
    };
    get(served.address, "/spawn");
    let deadline = Instant::now() + PATIENCE;
    // On a busy machine it may take so long in the other queue that it is a hold of the first kind.
    while !watch.holds().iter().any(is_starved) {
        assert!(Instant::now() < deadline, "{:?}", watch.holds());
        pause(Duration::from_millis(5));
    }
    over.store(true, Ordering::Relaxed);
    for hold in watch.holds() {
        assert_eq!(hold.culprits, [], "{hold}");
    }
}

#[actix_web::test]
async fn a_tests_paused_time_advances_as_without_the_watch() {
    tokio::time::pause();
    let watch = Watch::new();
    // The handler works long enough for the watch to send its byte, and sleeps while the byte is on its way.
    let sleeps = async || {
        pause(PIECE);
        let begin = tokio::time::Instant::now();
        let (hour, two) = (Duration::from_secs(3600), Duration::from_secs(7200));
        let late = tokio::time::timeout(hour, rt::time::sleep(two)).await;
        // Timers are rounded up to the next millisecond.
        let over = begin.elapsed().checked_sub(hour);
        let in_time = over.is_some_and(|over| over <= Duration::from_millis(2));
        format!("{} {in_time}", late.is_err())
    };
    let app = App::new().route("/", web::get().to(sleeps));
    let app = actix_web::test::init_service(app.wrap(watch.clone())).await;
    for _ in 0..30 {
        let request = actix_web::test::TestRequest::get().to_request();
        let answer = actix_web::test::call_and_read_body(&app, request).await;
        assert_eq!(answer, "true true");
    }
    watch.assert_no_holds();
}

#[actix_web::test]
async fn a_busy_task_of_the_test_is_no_hold_of_the_app() {
    let watch = Watch::new();
    let quick = async || {
        pause(Duration::from_millis(12));
        "done"
    };
    let app = App::new()
        .route("/", web::get().to(quick))
        .wrap(watch.clone());
    let app = actix_web::test::init_service(app).await;
    // A task of the test itself, which runs alongside its requests.
    let busy = rt::spawn(in_pieces(WORK, PIECE));
    while !busy.is_finished() {
        let request = actix_web::test::TestRequest::get().to_request();
        actix_web::test::call_service(&app, request).await;
        rt::time::sleep(Duration::from_millis(1)).await;
    }
    watch.assert_no_holds();
}
