//! How `scripts/fleet` ends.

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
fn sigterm_for_the_script_stops_everything() {
    let mut fleet = Fleet::start();
    fleet.signal(Signal::TERM);
    let status = fleet.ended();
    assert!(status.success(), "{status}");
    waited("the end of all processes", || {
        (!fleet.is_there()).then_some(())
    });
}
