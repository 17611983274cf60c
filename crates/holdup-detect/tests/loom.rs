//! The worker's cell under loom: every order of its loads and stores that the memory model allows. A reader
//! never gets parts of two states.

#[allow(dead_code, reason = "only what the test needs of it")]
#[path = "../src/cell.rs"]
mod cell;

/// What the cell is made of, here loom's.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
}

use cell::{Cell, Snapshot};
use loom::sync::Arc;
use loom::thread;

/// The states that the cell goes through below: nothing, a poll of the first request, and one of the second.
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

/// Every order in which threads are interrupted at most so often. With one more it takes half a minute, and to
/// break any of the cell's rules shows with two.
const INTERRUPTIONS: usize = 2;

fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(INTERRUPTIONS);
    builder.check(run);
}

#[test]
fn a_reader_gets_one_state_whole_and_never_an_earlier_one_after_a_later() {
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
                let place = place.unwrap_or_else(|| panic!("of two states: {snapshot:?}"));
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
fn a_busy_period_that_waits_is_read_whole_and_so_is_what_is_read_beside_it() {
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
            // What is written before a state is there with it; it may be there before, as a state is that
            // is about to come.
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
