//! Faults that need a server of their own.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdup_testkit::{PATIENCE, pause};
use rustix::process::Signal;
use tokio::task::{JoinSet, LocalSet};

use crate::client::{Tally, come_and_go};
use crate::gauges::{figure, raise_open_files};
use crate::server::Server;

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

/// Runs this many clients for this long, and returns their counts.
fn load(server: SocketAddr, clients: u64, lasting: Duration) -> Arc<Tally> {
    let tally = Arc::new(Tally::default());
    let until = Instant::now() + lasting;
    LocalSet::new().block_on(&runtime(), async {
        let mut all = JoinSet::new();
        for seed in 0..clients {
            let tally = Arc::clone(&tally);
            all.spawn_local(async move { come_and_go(server, seed, until, &tally).await });
        }
        while let Some(ended) = all.join_next().await {
            ended.expect("no client panics");
        }
    });
    tally
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes())?;
    let mut text = String::new();
    connection.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
#[ignore = "long: ./scripts/soak MINUTES"]
fn without_free_descriptors_connections_wait_and_the_console_answers() {
    raise_open_files();
    let mut command = Command::new("sh");
    let serve = format!("ulimit -n 400; exec {} serve", env!("CARGO_BIN_EXE_holdup"));
    command.arg("-c").arg(serve);
    let server = Server::start_as(command);
    let (address, console) = (server.address, server.console());
    let busy = std::thread::spawn(move || load(address, 1500, Duration::from_secs(20)));
    pause(Duration::from_secs(5));
    assert!(
        get(console, "/healthz")
            .expect("it answers")
            .ends_with("ok\n")
    );
    let tally = busy.join().expect("the load runs");
    eprintln!("400 descriptors: {}", tally.said());
    assert!(tally.wrong().is_empty(), "{:?}", tally.wrong().first());
    let deadline = Instant::now() + PATIENCE;
    while figure(console, "holdup_requests_open") != Some(0.0) {
        assert!(Instant::now() < deadline, "streams stay open");
        pause(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "long: ./scripts/soak MINUTES"]
fn setting_the_clock_changes_no_schedule() {
    let library = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
    ]
    .map(|folder| format!("{folder}/faketime/libfaketime.so.1"))
    .into_iter()
    .find(|path| Path::new(path).exists())
    .expect("libfaketime is installed (./scripts/soak installs it)");
    let clock = std::env::temp_dir().join(format!("holdup-clock-{}", std::process::id()));
    std::fs::write(&clock, "+0").expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdup"));
    command
        .arg("serve")
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let server = Server::start_as(command);
    let address = server.address;
    let begun = Instant::now();
    let stream = std::thread::spawn(move || get(address, "/coroutine?from=8&period=500ms"));
    pause(Duration::from_millis(1200));
    std::fs::write(&clock, "+3d").expect("a file");
    pause(Duration::from_millis(1200));
    std::fs::write(&clock, "-3d").expect("a file");
    let text = stream.join().expect("a client").expect("an answer");
    let took = begun.elapsed();
    std::fs::remove_file(&clock).ok();
    assert_eq!(text.matches("\"remaining\"").count(), 9, "{text}");
    assert!(
        took >= Duration::from_secs(4) && took < Duration::from_secs(8),
        "{took:?}"
    );
    // The times in the log show that the clock was really set.
    let late = |line: &serde_json::Value| line["message"] == "stream ended";
    let ended = server.logged("the end", late)["timestamp"].clone();
    let started = server.logged("the start", |line| line["message"] == "stream started");
    assert!(ended.as_str() < started["timestamp"].as_str(), "{ended}");
}

#[test]
#[ignore = "long: ./scripts/soak MINUTES"]
fn stopped_under_full_load_it_exits_cleanly_and_starts_again_on_its_port() {
    raise_open_files();
    let mut server = Server::start(&["--grace", "2s"]);
    let address = server.address;
    let busy = std::thread::spawn(move || load(address, 5000, Duration::from_secs(25)));
    pause(Duration::from_secs(8));
    server.signal(Signal::TERM);
    let asked = Instant::now();
    assert_eq!(server.ended().code(), Some(0));
    eprintln!("stopped {:?} after SIGTERM", asked.elapsed());
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );

    // Its clients reconnect to the same port, and again after a SIGKILL.
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdup"));
        command.args(["serve", "--bind", &address.to_string()]);
        Server::start_at(command)
    };
    let mut again = command();
    pause(Duration::from_secs(5));
    again.signal(Signal::KILL);
    again.ended();
    let again = command();
    let tally = busy.join().expect("the load runs");
    eprintln!("stopped, started, killed, started: {}", tally.said());
    assert!(tally.wrong().is_empty(), "{:?}", tally.wrong().first());
    assert_eq!(again.address, address);
    assert!(
        get(address, "/coroutine?from=1&period=1ms")
            .expect("it serves")
            .contains("\"remaining\":0")
    );
}
