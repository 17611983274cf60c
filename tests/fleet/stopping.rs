//! How `scripts/fleet` ends.

use std::time::Duration;

use holdup_testkit::pause;
use rustix::process::Signal;

use crate::fleet::{Fleet, waited};

#[test]
fn ctrl_c_in_a_terminal_stops_everything() {
    let mut fleet = Fleet::start();
    assert!(fleet.is_there());
    fleet.signal_all(Signal::INT);
    let status = fleet.ended();
    assert!(status.success(), "{status}");
    waited("the end of all processes", || {
        (!fleet.is_there()).then_some(())
    });
}

/// Whether this process ignores a signal, as `nohup` makes it ignore SIGHUP. What it starts does so, too.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.expect("a mask of signals") >> (signal.as_raw() - 1) & 1 == 1
}

#[test]
fn sigterm_or_sighup_for_the_script_stops_everything() {
    let signals = [Signal::TERM, Signal::HUP].into_iter();
    for signal in signals.filter(|signal| !is_ignored(*signal)) {
        let mut fleet = Fleet::start();
        fleet.signal(signal);
        // Further ones do not interrupt it.
        for _ in 0..20 {
            pause(Duration::from_millis(5));
            fleet.signal(signal);
        }
        let status = fleet.ended();
        assert!(status.success(), "{status}");
        waited("the end of all processes", || {
            (!fleet.is_there()).then_some(())
        });
    }
}
