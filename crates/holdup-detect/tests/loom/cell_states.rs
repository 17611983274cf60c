//! A reader of the worker's cell never gets a mix of two states.

use loom::sync::Arc;
use loom::thread;

use crate::cell::{Cell, Snapshot};
use crate::{model, sync};

/// The states that the cell goes through below: idle, a poll of request 1, and a poll of request 2.
const STATES: [(u64, u64, u64, u64, u64); 3] =
    [(0, 0, 0, 0, 0), (7, 1, 10, 0, 0), (8, 2, 20, 0, 0)];

fn state(snapshot: Snapshot) -> (u64, u64, u64, u64, u64) {
    let Snapshot {
        work,
        request,
        since,
        pending_start,
        pending_end,
    } = snapshot;
    (work, request, since, pending_start, pending_end)
}

#[test]
fn a_reader_gets_whole_states_in_order() {
    model(|| {
        let cell = Arc::new(Cell::new());
        let worker = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || {
                cell.enter(7, 1, 10);
                cell.enter(8, 2, 20);
            })
        };
        let mut latest = 0;
        for _ in 0..2 {
            if let Some((snapshot, ())) = cell.try_read(|| ()) {
                let place = STATES.iter().position(|other| *other == state(snapshot));
                let place = place.unwrap_or_else(|| panic!("a mix of two states: {snapshot:?}"));
                assert!(place >= latest, "{place} after {latest}");
                latest = place;
            }
        }
        worker.join().expect("it ends");
        let (last, ()) = cell.try_read(|| ()).expect("nobody writes");
        assert_eq!(state(last), STATES[2]);
    });
}

#[test]
fn the_end_of_a_poll_is_a_whole_state_and_shows_what_was_written_before() {
    const STATES: [(u64, u64, u64, u64, u64); 4] = [
        (0, 0, 0, 0, 0),
        (7, 1, 10, 0, 0),
        (0, 1, 10, 0, 0),
        (8, 2, 20, 0, 0),
    ];
    model(|| {
        let cell = Arc::new(Cell::new());
        let left_behind = Arc::new(sync::AtomicU64::new(0));
        let worker = {
            let (cell, left_behind) = (Arc::clone(&cell), Arc::clone(&left_behind));
            thread::spawn(move || {
                cell.enter(7, 1, 10);
                left_behind.store(1, sync::Ordering::Relaxed);
                cell.leave(15);
                cell.enter(8, 2, 20);
            })
        };
        let mut latest = 0;
        for _ in 0..2 {
            if let Some((snapshot, ())) = cell.try_read(|| ()) {
                let place = STATES.iter().position(|other| *other == state(snapshot));
                let place = place.unwrap_or_else(|| panic!("a mix of two states: {snapshot:?}"));
                assert!(place >= latest, "{place} after {latest}");
                latest = place;
                let left_behind = left_behind.load(sync::Ordering::Relaxed);
                assert!(place < 2 || left_behind == 1, "{place}");
            }
        }
        worker.join().expect("it ends");
        let (last, ()) = cell.try_read(|| ()).expect("nobody writes");
        assert_eq!((state(last), cell.polls()), (STATES[3], 1));
    });
}

#[test]
fn a_pending_busy_period_and_what_is_read_beside_it_match() {
    model(|| {
        let cell = Arc::new(Cell::new());
        let beside = Arc::new(sync::AtomicU64::new(0));
        let worker = {
            let (cell, beside) = (Arc::clone(&cell), Arc::clone(&beside));
            thread::spawn(move || {
                beside.store(1, sync::Ordering::Relaxed);
                cell.set_pending(10, 15);
                cell.clear_pending();
                beside.store(2, sync::Ordering::Relaxed);
                cell.set_pending(20, 25);
            })
        };
        let read = || beside.load(sync::Ordering::Relaxed);
        if let Some((snapshot, beside)) = cell.try_read(read) {
            let pending = (snapshot.pending_start, snapshot.pending_end);
            // A value that is written before a state is visible with that state. It may be visible earlier,
            // because the state may be about to be set.
            let expected = match pending {
                (0, 0) => beside <= 2,
                (10, 15) => beside == 1,
                (20, 25) => beside == 2,
                _ => false,
            };
            assert!(expected, "{pending:?} beside {beside}");
        }
        worker.join().expect("it ends");
    });
}

#[test]
fn what_is_read_beside_a_poll_is_not_of_after_it() {
    model(|| {
        let cell = Arc::new(Cell::new());
        // Before the other thread is there, so that two interruptions are enough.
        cell.enter(7, 1, 10);
        let beside = Arc::new(sync::AtomicU64::new(0));
        let worker = {
            let (cell, beside) = (Arc::clone(&cell), Arc::clone(&beside));
            thread::spawn(move || {
                cell.leave(15);
                beside.store(1, sync::Ordering::Release);
                cell.set_pending(10, 15);
            })
        };
        let read = cell.try_read(|| beside.load(sync::Ordering::Acquire));
        if let Some((snapshot, beside)) = read {
            assert!(snapshot.work == 0 || beside == 0, "{snapshot:?}");
        }
        worker.join().expect("it ends");
    });
}
