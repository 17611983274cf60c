//! The prober itself, when it has much to read or little time to read it.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use holdup_testkit::odd::{serve, write};
use holdup_testkit::{paced, pause};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{expect, json};

const PACED: Duration = Duration::from_millis(300);

#[test]
fn answers_of_megabytes_that_come_side_by_side_are_concurrent() {
    let address = paced::serve(1_000_000, PACED).to_string();
    let document = expect(&address, &["-n8"], "concurrent", Some(8));
    assert_eq!(document["delivery"], "streamed");
}

#[test]
fn answers_that_the_prober_reads_late_are_not_blamed_on_the_server() {
    // This is more than a debug build can process in that time; a release build can.
    let address = paced::serve(40_000_000, PACED).to_string();
    let document = json(&[&address, "-n8"]);
    // The reason depends on which part of the work a slow machine is late with first.
    let verdict = document["verdict"].as_str().expect("a verdict");
    let right = ["concurrent", "inconclusive"].contains(&verdict);
    assert!(right, "{document:#}");
}

/// Far longer than any of these probes takes.
const LONGEST: Duration = Duration::from_secs(300);

/// Probes a server while the prober itself is stopped for `stopped` after each time of `running`.
fn stopped_again_and_again(server: &str, running: Duration, stopped: Duration) -> Value {
    let mut prober = Command::new(env!("CARGO_BIN_EXE_holdup"))
        .args(["probe", "--json", server])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("holdup runs");
    let pid = Pid::from_child(&prober);
    let begun = Instant::now();
    loop {
        pause(running);
        if begun.elapsed() > LONGEST {
            prober.kill().expect("it is ours");
            panic!("{server}: the prober does not end");
        }
        if prober.try_wait().expect("its state").is_some() {
            break;
        }
        kill_process(pid, Signal::STOP).expect("it is ours");
        pause(stopped);
        kill_process(pid, Signal::CONT).expect("it is ours");
    }
    let output = prober.wait_with_output().expect("its output");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// How long the prober runs and how long it is stopped, in milliseconds.
const STOPS: [(u64, u64); 3] = [(290, 350), (150, 700), (700, 400)];

#[test]
fn a_prober_that_is_stopped_makes_no_verdict_of_it() {
    const STEPS: u32 = 10;
    let work = PACED;
    let turn = Mutex::new(());
    let serialized = serve(move |stream, _| {
        let _turn = turn.lock().expect("no panic");
        pause(work);
        write(&stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let streamed = serve(move |stream, _| {
        write(
            &stream,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        for _ in 0..STEPS {
            pause(work / STEPS);
            write(&stream, "4\r\ntick\r\n");
        }
        write(&stream, "0\r\n\r\n");
    });
    for (running, stopped) in STOPS {
        let probed = |server: &str| {
            let [running, stopped] = [running, stopped].map(Duration::from_millis);
            stopped_again_and_again(server, running, stopped)
        };
        for (server, right) in [(serialized, "serialized"), (streamed, "concurrent")] {
            let document = probed(&server.to_string());
            let verdict = document["verdict"].as_str().expect("a verdict");
            assert!([right, "inconclusive"].contains(&verdict), "{document:#}");
            if server == streamed {
                let delivery = document["delivery"].as_str();
                assert!([Some("streamed"), None].contains(&delivery), "{document:#}");
            }
        }
    }
}
