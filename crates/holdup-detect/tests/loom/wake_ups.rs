//! No wake-up is lost: what happened before a wake-up is seen by a poll, in every order of both.

use std::sync::atomic::{AtomicBool as Flag, Ordering as Order};
use std::task::{Wake, Waker};

use loom::sync::Arc;
use loom::thread;

use crate::model;
use crate::sync::{AtomicU64, Ordering};
use crate::wake_up::WakeUp;

/// The request's task, as a runtime sees it: it is polled as often as it was woken. This flag is no part of what is
/// tested, so that it orders nothing for the request.
#[derive(Default)]
struct Task(Flag);

impl Wake for Task {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, Order::SeqCst);
    }
}

/// Polls the task as long as it is woken. Returns whether a poll saw all events, which are counted up to `all`.
fn run(task: &Task, waker: &Waker, wake_up: &WakeUp, events: &AtomicU64, all: u64) -> bool {
    while task.0.swap(false, Order::SeqCst) {
        wake_up.enter();
        if events.load(Ordering::Relaxed) == all {
            return true;
        }
        wake_up.register(waker);
    }
    false
}

/// Two threads that each cause an event and wake the request, as other futures' threads do, beside the worker.
/// `is_registered`: the request waits already, and its task's waker is there.
fn two_events_are_seen(is_registered: bool) {
    model(move || {
        let task = std::sync::Arc::new(Task::default());
        let waker = Waker::from(std::sync::Arc::clone(&task));
        let (wake_up, events) = (Arc::new(WakeUp::new()), Arc::new(AtomicU64::new(0)));
        if is_registered {
            wake_up.register(&waker);
        } else {
            task.0.store(true, Order::SeqCst);
        }
        let cause = || {
            let (wake_up, events) = (Arc::clone(&wake_up), Arc::clone(&events));
            thread::spawn(move || {
                events.fetch_add(1, Ordering::Relaxed);
                wake_up.wake(|| 7);
            })
        };
        let others = [cause(), cause()];
        let mut has_seen_all = run(&task, &waker, &wake_up, &events, 2);
        for other in others {
            other.join().expect("it ends");
        }
        // Everything has happened. If a wake-up is lost, the task is not polled any more. That the threads were joined
        // must not help the poll to see the events, but they are counted in one variable, of which the latest value is
        // seen now; so what matters is that there is a poll.
        has_seen_all = has_seen_all || run(&task, &waker, &wake_up, &events, 2);
        assert!(has_seen_all, "a wake-up is lost");
    });
}

#[test]
fn no_wake_up_of_a_request_that_waits_is_lost() {
    two_events_are_seen(true);
}

#[test]
fn no_wake_up_during_a_poll_is_lost() {
    two_events_are_seen(false);
}

#[test]
fn a_look_that_is_asked_for_during_a_poll_is_answered_by_the_next_one() {
    model(|| {
        let task = std::sync::Arc::new(Task::default());
        let waker = Waker::from(std::sync::Arc::clone(&task));
        let wake_up = Arc::new(WakeUp::new());
        task.0.store(true, Order::SeqCst);
        let asker = {
            let wake_up = Arc::clone(&wake_up);
            thread::spawn(move || wake_up.wish_look())
        };
        let mut answers = 0;
        let mut poll_while_woken = || {
            while task.0.swap(false, Order::SeqCst) {
                wake_up.enter();
                answers += u32::from(wake_up.take_look());
                wake_up.register(&waker);
            }
        };
        poll_while_woken();
        asker.join().expect("it ends");
        poll_while_woken();
        assert_eq!(answers, 1);
    });
}
