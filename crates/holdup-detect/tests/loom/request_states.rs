//! A reader of an open request never gets a mix of two requests, or of two states of one.

use std::num::NonZeroU32;

use loom::sync::Arc;
use loom::thread;

use crate::cell::Cell;
use crate::model;
use crate::open_state::{Activity, Doing, OpenState, Snapshot};

fn route(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

/// Request 1 is polled once and ends, and request 2 has its place then.
fn serve(state: &OpenState) {
    state.open(1, 10, route(100), 1000);
    state.enter(1001);
    state.leave(Doing::Waiting, 1002);
    // A poll of which only the worker's cell says that it is in progress.
    state.leave(Doing::Sending, 1004);
    state.close();
    state.open(2, 20, route(200), 2000);
}

/// The number of the state in [`serve`], for a whole state.
fn place(snapshot: &Snapshot) -> usize {
    let of = |number, lane, opened| {
        let found = (snapshot.number, snapshot.lane, snapshot.opened);
        found == (number, lane, opened)
            && snapshot.route == route(10 * u32::try_from(lane).unwrap_or(0))
    };
    let is = |doing, since, polls| {
        snapshot.activity
            == Some(Activity {
                doing,
                since,
                polls,
            })
    };
    match () {
        () if of(1, 10, 1000) && is(Doing::Ready, 1000, 0) => 1,
        () if of(1, 10, 1000) && is(Doing::Running, 1001, 1) => 2,
        () if of(1, 10, 1000) && is(Doing::Waiting, 1002, 1) => 3,
        () if of(1, 10, 1000) && is(Doing::Sending, 1004, 2) => 4,
        () if of(2, 20, 2000) && is(Doing::Ready, 2000, 0) => 5,
        () => panic!("a mix of two states: {snapshot:?}"),
    }
}

#[test]
fn a_reader_gets_whole_states() {
    model(|| {
        let state = Arc::new(OpenState::new());
        let worker = {
            let state = Arc::clone(&state);
            thread::spawn(move || serve(&state))
        };
        if let Ok(Some(snapshot)) = state.try_read() {
            place(&snapshot);
        }
        worker.join().expect("it ends");
        let last = state.try_read().expect("nobody writes");
        assert_eq!(last.as_ref().map(place), Some(5));
    });
}

#[test]
fn what_a_request_is_can_be_read_while_what_it_does_changes() {
    model(|| {
        let state = Arc::new(OpenState::new());
        let worker = {
            let state = Arc::clone(&state);
            thread::spawn(move || serve(&state))
        };
        if let Some(found) = state.identity(None) {
            let found = (found.number, found.lane, found.route, found.opened);
            let requests = [(1, 10, route(100), 1000), (2, 20, route(200), 2000)];
            assert!(
                requests.contains(&found),
                "a mix of two requests: {found:?}"
            );
        }
        worker.join().expect("it ends");
    });
}

/// While a poll is in progress, only the worker's cell says so. Whoever reads first the cell and then the state finds the
/// poll in the one or its end in the other.
#[test]
fn a_poll_that_the_cell_does_not_show_any_more_has_left_its_end() {
    model(|| {
        let (cell, state) = (Arc::new(Cell::new()), Arc::new(OpenState::new()));
        let worker = {
            let (cell, state) = (Arc::clone(&cell), Arc::clone(&state));
            thread::spawn(move || {
                state.open(1, 10, route(100), 1000);
                cell.enter(7, 1, 1001);
                state.leave(Doing::Waiting, 1002);
                cell.leave(1002);
            })
        };
        let ended = cell.try_read(|| cell.polls()).map(|(_, polls)| polls);
        let found = state.try_read();
        if ended == Some(1) {
            let found = found.expect("nobody writes").expect("it is open");
            assert_eq!(place(&found), 3);
        }
        worker.join().expect("it ends");
    });
}
