//! Each form of blocking is recorded as a hold; waiting without blocking is not.

use std::net::ToSocketAddrs;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use rustix::fs::OFlags;

use super::*;

#[test]
fn every_form_of_blocking_is_one_hold_with_its_route_and_part() {
    let watch = Watch::new();
    let served = app_with_every_form(&watch);
    for (path, route, part) in [
        ("/before", "/before", Part::Future),
        ("/between/7?q=1", "/between/{id}", Part::Future),
        ("/extractor", "/extractor", Part::Future),
        ("/drop", "/drop", Part::Future),
        ("/body", "/body", Part::Body),
        ("/lock", "/lock", Part::Future),
        ("/file", "/file", Part::Future),
        ("/inner/call", "/inner/call", Part::Call),
    ] {
        let hold = assert_held(&served, &watch, path, route, part);
        let cpu = hold.cpu.expect("Linux reports it");
        assert!(cpu < hold.duration / 2, "it waited: {hold}");
    }
    let computing = assert_held(&served, &watch, "/cpu", "/cpu", Part::Future);
    // The thread was either computing or not scheduled: the loop never waits.
    let cpu = computing.cpu.expect("Linux reports it");
    let accounted = cpu + computing.descheduled.expect("Linux reports it");
    assert!(accounted * 10 >= computing.duration * 8, "{computing}");
}

#[test]
fn a_handler_that_awaits_holds_no_worker_and_a_watch_without_requests_fails_the_test() {
    let watch = Watch::new();
    let served = app_with_every_form(&watch);
    let message = failure(&watch);
    assert!(message.contains("observed no request"), "{message}");

    let clients: Vec<_> = (0..20)
        .map(|_| {
            let address = served.address;
            thread::spawn(move || get(address, "/healthy").status)
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().expect("an answer"), 200);
    }
    watch.assert_no_holds();
}

/// Runs in a process of its own, started by the next test, where looking up a name reads a FIFO.
#[test]
#[ignore = "run by the next test"]
fn looking_up_a_name_in_this_process_waits() {
    let fifo = std::env::var("HOSTALIASES").expect("set by the next test");
    let watch = Watch::new();
    let served = {
        let watch = watch.clone();
        // The name has no dot: the C library looks up only such names among the aliases.
        let lookup = async || format!("{:?}", ("nowhere", 80).to_socket_addrs().is_ok());
        serve(move || {
            App::new()
                .route("/dns", web::get().to(lookup))
                .wrap(watch.clone())
        })
    };
    let answered = Arc::new(AtomicBool::new(false));
    let writer = {
        let answered = Arc::clone(&answered);
        thread::spawn(move || {
            // The request may take a while to arrive.
            pause(LONG * 2);
            // Opening fails while nobody reads.
            let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).expect("fits");
            while !answered.load(Ordering::Relaxed) {
                let mut options = std::fs::OpenOptions::new();
                drop(options.write(true).custom_flags(nonblocking).open(&fifo));
                pause(Duration::from_millis(1));
            }
        })
    };
    assert_held(&served, &watch, "/dns", "/dns", Part::Future);
    answered.store(true, Ordering::Relaxed);
    writer.join().expect("the writer ends");
}

#[test]
fn a_name_that_is_looked_up_on_the_worker_is_a_hold() {
    let fifo = Fifo::new();
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "--ignored",
            "--exact",
            "forms::looking_up_a_name_in_this_process_waits",
        ])
        // The C library reads this file whenever it looks up a name without a dot (hostname(7)).
        .env("HOSTALIASES", &*fifo)
        .output()
        .expect("this program runs");
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}"
    );
}
