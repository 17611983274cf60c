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

#[test]
fn sigterm_or_sighup_for_the_script_stops_everything() {
    for signal in [Signal::TERM, Signal::HUP] {
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
