//! Ten thousand streams that are opened, finished, abandoned and reset for a given time.

use std::env;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::task::LocalSet;
use tokio::time::{interval, sleep_until};

use crate::client::{Tally, come_and_go};
use crate::gauges::{figure, process, raise_open_files};
use crate::server::Server;

const STREAMS: u64 = 10_000;

/// The first minute, in which the process's tables grow to their final size.
const WARM: Duration = Duration::from_secs(60);

/// How much the memory may grow after the first minute.
const FLAT: f64 = 1.05;

#[test]
#[ignore = "long: ./scripts/soak MINUTES"]
fn nothing_is_lost_and_nothing_grows() {
    let minutes: f64 = env::var("HOLDUP_SOAK_MINUTES")
        .expect("scripts/soak sets it")
        .parse()
        .expect("a number of minutes");
    raise_open_files();
    let mut server = Server::start(&["--max-streams", "12000", "--grace", "8s"]);
    let console = server.console();
    read_console(console);
    stuck_reader(console);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let tally = Arc::new(Tally::default());
    let begun = Instant::now();
    let duration = Duration::from_secs_f64(minutes * 60.0).max(3 * WARM);
    let samples = LocalSet::new().block_on(&runtime, async {
        for seed in 0..STREAMS {
            let (tally, address) = (Arc::clone(&tally), server.address);
            tokio::task::spawn_local(async move {
                come_and_go(address, seed, begun + duration, &tally).await;
            });
        }
        let mut samples = Vec::new();
        let mut beat = interval(Duration::from_secs(5));
        let mut faults = faults(begun, duration).into_iter().peekable();
        while begun.elapsed() < duration {
            beat.tick().await;
            if let Some((_, fault)) = faults.next_if(|(at, _)| Instant::now() >= *at) {
                eprintln!("{:4.0} s: {fault:?}", begun.elapsed().as_secs_f64());
                commit(fault, &server, &tally).await;
            }
            let (kilobytes, files) = process(server.id());
            let open = figure(console, "holdup_requests_open").unwrap_or(-1.0);
            eprintln!(
                "{:4.0} s: {kilobytes} kB, {files} files, {open} open; {}",
                begun.elapsed().as_secs_f64(),
                tally.said()
            );
            samples.push((begun.elapsed(), kilobytes, files));
        }
        // Clients in the middle of a stream finish it.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            sleep_until(tokio::time::Instant::now() + Duration::from_millis(200)).await;
            if figure(console, "holdup_requests_open") == Some(0.0) {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "streams stay open");
        }
        samples
    });
    drop(runtime);

    let wrong = tally.wrong();
    assert!(
        wrong.is_empty(),
        "{} faults, such as {:?}",
        wrong.len(),
        wrong.first()
    );
    let median = |range: std::ops::Range<Duration>| {
        let mut within: Vec<_> = samples
            .iter()
            .filter(|(at, ..)| range.contains(at))
            .map(|&(_, kilobytes, _)| kilobytes)
            .collect();
        within.sort_unstable();
        within[within.len() / 2]
    };
    let early = median(WARM..2 * WARM);
    let late = median(duration.saturating_sub(WARM)..duration + WARM);
    eprintln!("memory: {early} kB in the second minute, {late} kB in the last");
    #[expect(clippy::cast_precision_loss, reason = "kilobytes")]
    let grown = late as f64 / early as f64;
    assert!(grown <= FLAT, "memory grew {grown:.3}-fold");
    let (_, files) = process(server.id());
    assert!(files < 100, "{files} files are open though no stream is");

    let errors = server.logged_when("the log", |lines| {
        let bad = |line: &&serde_json::Value| line["level"] == "ERROR" || line["level"].is_null();
        Some(lines.iter().filter(bad).cloned().collect::<Vec<_>>())
    });
    assert!(errors.is_empty(), "{errors:?}");
    server.signal(Signal::TERM);
    assert_eq!(server.ended().code(), Some(0));
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The process is suspended for two seconds.
    Stopped,
    /// More streams than are allowed.
    TooMany,
    /// The worker is blocked for a while.
    Blocking,
}

/// Each fault in turn. The largest number of streams comes in the first minute, so that its memory
/// is in use before the comparison; the other faults come after that minute.
fn faults(begun: Instant, duration: Duration) -> Vec<(Instant, Fault)> {
    vec![
        (begun + WARM / 3, Fault::TooMany),
        (begun + duration.mul_f64(0.4), Fault::Stopped),
        (begun + duration.mul_f64(0.6), Fault::Blocking),
    ]
}

async fn commit(fault: Fault, server: &Server, tally: &Arc<Tally>) {
    match fault {
        Fault::Stopped => {
            server.signal(Signal::STOP);
            tokio::time::sleep(Duration::from_secs(2)).await;
            server.signal(Signal::CONT);
        }
        Fault::TooMany => {
            for seed in STREAMS..STREAMS + 4000 {
                let (tally, address) = (Arc::clone(tally), server.address);
                tokio::task::spawn_local(async move {
                    let until = Instant::now() + Duration::from_secs(10);
                    come_and_go(address, seed, until, &tally).await;
                });
            }
        }
        Fault::Blocking => {
            let address = server.address;
            thread::spawn(move || {
                let mut connection = TcpStream::connect(address).expect("it listens");
                let request = "GET /blocking?from=4&period=500ms HTTP/1.1\r\nHost: l\r\nConnection: close\r\n\r\n";
                connection.write_all(request.as_bytes()).expect("sent");
                connection.read_to_end(&mut Vec::new()).expect("to its end");
            });
        }
    }
}

/// Reads the console's events all the time.
fn read_console(console: SocketAddr) {
    let mut connection = events(console);
    thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while connection.read(&mut buffer).is_ok_and(|read| read > 0) {}
    });
}

/// Connects to the events again and again, and never reads them.
fn stuck_reader(console: SocketAddr) {
    thread::spawn(move || {
        loop {
            let connection = events(console);
            holdup_testkit::pause(Duration::from_secs(45));
            drop(connection);
        }
    });
}

fn events(console: SocketAddr) -> TcpStream {
    let mut connection = TcpStream::connect(console).expect("it listens");
    let request = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    connection.write_all(request.as_bytes()).expect("sent");
    connection
}
