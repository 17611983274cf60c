//! Maps the calling thread to its worker in each detector.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use crate::shared::Shared;
use crate::stack;
use crate::worker::Worker;

thread_local! {
    /// This thread's place in each detector that it works or worked for, by the detector's number.
    static PLACES: RefCell<HashMap<u64, Place>> = RefCell::new(HashMap::new());
}

/// A thread's place in a detector. Its worker number never changes, even if the thread runs another app.
struct Place {
    number: usize,
    /// `None` if the thread has only asked for its number.
    worker: Option<Weak<Worker>>,
}

/// The calling thread's number as a worker.
pub(crate) fn number(shared: &Shared) -> usize {
    PLACES.with_borrow_mut(|places| {
        let new = || Place {
            number: shared.workers.next_number(),
            worker: None,
        };
        places.entry(shared.number).or_insert_with(new).number
    })
}

/// The calling thread's worker number, if it is a worker now.
pub(crate) fn worker(shared: &Shared) -> Option<usize> {
    PLACES.with_borrow(|places| {
        let place = places.get(&shared.number)?;
        place.worker.as_ref()?.upgrade()?;
        Some(place.number)
    })
}

/// Closes the calling thread's busy period and returns its worker number, if it is or was a worker, as in a
/// test harness. The loop may not have begun another iteration since.
pub(crate) fn close_own(shared: &Shared) -> Option<usize> {
    let (number, worker) = PLACES.with_borrow(|places| {
        let place = places.get(&shared.number)?;
        Some((place.number, place.worker.clone()?))
    })?;
    if let Some(worker) = worker.upgrade() {
        worker.close_at_last_poll();
    }
    Some(number)
}

/// Calls `each` with every worker that the calling thread is.
pub(crate) fn each_worker(mut each: impl FnMut(&Worker)) {
    PLACES.with_borrow(|places| {
        for place in places.values() {
            if let Some(worker) = place.worker.as_ref().and_then(Weak::upgrade) {
                each(&worker);
            }
        }
    });
}

/// The calling thread's worker, created if there is none yet.
pub(crate) fn current(shared: &Arc<Shared>) -> Rc<Worker> {
    let number = number(shared);
    let known = PLACES.with_borrow(|places| places.get(&shared.number)?.worker.as_ref()?.upgrade());
    if let Some(worker) = known {
        return worker;
    }
    stack::prepare_thread();
    let worker = Rc::new(Worker::new(shared, number));
    let place = Place {
        number,
        worker: Some(Rc::downgrade(&worker)),
    };
    PLACES.with_borrow_mut(|places| places.insert(shared.number, place));
    worker
}
