//! No wake-up is lost: what happened before a wake-up is seen by a poll, in every order of both. If the request were
//! not polled any more, loom would find that all threads wait.

use std::future::poll_fn;
use std::task::Poll;

use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

use crate::model;
use crate::sync::{AtomicU64, Ordering};
use crate::wake_up::WakeUp;

/// Threads that each cause an event and wake the request, as other futures' threads do, while the worker polls it.
fn events_are_seen(threads: u64) {
    model(move || {
        let (wake_up, events) = (Arc::new(WakeUp::new()), Arc::new(AtomicU64::new(0)));
        for _ in 0..threads {
            let (wake_up, events) = (Arc::clone(&wake_up), Arc::clone(&events));
            thread::spawn(move || {
                events.fetch_add(1, Ordering::Relaxed);
                wake_up.wake(|| 7);
            });
        }
        block_on(poll_fn(|context| {
            wake_up.enter();
            if events.load(Ordering::Relaxed) == threads {
                return Poll::Ready(());
            }
            wake_up.register(context.waker());
            Poll::Pending
        }));
    });
}

#[test]
fn a_wake_up_is_not_lost() {
    events_are_seen(1);
}

/// The second one may find that the first one has taken the task's waker.
#[test]
fn a_second_wake_up_is_not_lost() {
    events_are_seen(2);
}

#[test]
fn a_wish_for_a_look_is_not_lost() {
    model(|| {
        let wake_up = Arc::new(WakeUp::new());
        let asker = Arc::clone(&wake_up);
        thread::spawn(move || asker.wish_look());
        block_on(poll_fn(|context| {
            wake_up.enter();
            if wake_up.take_look() {
                return Poll::Ready(());
            }
            wake_up.register(context.waker());
            Poll::Pending
        }));
    });
}

/// The request waits for another event, so that somebody has taken its waker already when the look is wished for.
#[test]
fn a_wish_for_a_look_at_a_request_that_was_woken_is_not_lost() {
    model(|| {
        let wake_up = Arc::new(WakeUp::new());
        let (asker, waker) = (Arc::clone(&wake_up), Arc::clone(&wake_up));
        thread::spawn(move || asker.wish_look());
        thread::spawn(move || waker.wake(|| 7));
        block_on(poll_fn(|context| {
            wake_up.enter();
            if wake_up.take_look() {
                return Poll::Ready(());
            }
            wake_up.register(context.waker());
            Poll::Pending
        }));
    });
}
