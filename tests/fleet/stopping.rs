//! How `scripts/fleet` ends.

use std::net::TcpStream;

use rustix::process::Signal;

use crate::fleet::Fleet;

/// Nobody listens at the addresses of a fleet any longer.
fn is_gone(fleet: &Fleet) {
    let consoles = fleet.labs.iter().map(|lab| lab.console);
    let labs = fleet.labs.iter().map(|lab| lab.address).chain(consoles);
    for address in labs.chain([fleet.nginx, fleet.prometheus]) {
        assert!(TcpStream::connect(address).is_err(), "{address}");
    }
}

#[test]
fn ctrl_c_in_a_terminal_stops_everything() {
    let mut fleet = Fleet::start();
    fleet.signal_all(Signal::INT);
    let status = fleet.ended();
    assert!(status.success(), "{status}");
    is_gone(&fleet);
}

#[test]
fn sigterm_for_the_script_stops_everything() {
    let mut fleet = Fleet::start();
    fleet.signal(Signal::TERM);
    let status = fleet.ended();
    assert!(status.success(), "{status}");
    is_gone(&fleet);
}
