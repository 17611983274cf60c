//! The waker's contract. These tests run under Miri, too (`cargo +nightly miri test -p holdup-stack awaits`); there no
//! stack is walked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use super::{MOST_STACKS, trace};

/// Whether stacks are taken here.
const HAS_STACKS: bool = cfg!(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(miri)
));

/// A task that counts its wake-ups.
#[derive(Default)]
struct Task(AtomicUsize);

impl Task {
    fn with_waker() -> (Arc<Self>, Waker) {
        let task = Arc::<Self>::default();
        (Arc::clone(&task), Waker::from(task))
    }

    fn wake_ups(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether both wake the same task. Under Miri, the tables of two clones are not the same, so `will_wake` is no measure.
fn is_same(one: &Waker, other: &Waker) -> bool {
    one.data() == other.data()
}

#[test]
fn what_a_future_keeps_is_a_clone_of_the_waker_behind_and_outlives_all() {
    let (task, waker) = Task::with_waker();
    let (kept, stacks) = trace(&waker, |context| context.waker().clone());
    assert!(is_same(&kept, &waker));
    assert!(
        stacks.iter().all(|stack| HAS_STACKS != stack.is_empty()),
        "{stacks:?}"
    );
    assert_eq!(stacks.len(), 1);
    drop(waker);
    let again = kept.clone();
    thread::spawn(move || kept.wake()).join().expect("it wakes");
    again.wake_by_ref();
    drop(again);
    assert_eq!((task.wake_ups(), Arc::strong_count(&task)), (2, 1));
}

#[test]
fn a_future_replaces_the_waker_that_it_has() {
    let (_task, waker) = Task::with_waker();
    let kept = waker.clone();
    let (is_kept, _) = trace(&waker, |context| is_same(context.waker(), &kept));
    assert!(!is_kept);
    let ((), stacks) = trace(&waker, |context| {
        let mut kept = kept;
        kept.clone_from(context.waker());
        assert!(is_same(&kept, &waker));
    });
    assert_eq!(stacks.len(), 1);
}

#[test]
fn a_wake_up_within_the_poll_is_passed_on() {
    let (task, waker) = Task::with_waker();
    let (polled, stacks) = trace(&waker, |context| {
        context.waker().wake_by_ref();
        context.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    assert!(polled.is_pending() && stacks.is_empty());
    assert_eq!((task.wake_ups(), Arc::strong_count(&task)), (2, 2));
}

#[test]
fn the_waker_may_be_lent_to_other_threads() {
    let (task, waker) = Task::with_waker();
    let (kept, stacks) = trace(&waker, |context| {
        let lent = context.waker();
        thread::scope(|scope| {
            let threads = [(); 3].map(|()| {
                scope.spawn(|| {
                    lent.wake_by_ref();
                    lent.clone()
                })
            });
            let own = lent.clone();
            own.wake_by_ref();
            threads.map(|thread| thread.join().expect("it ends"))
        })
    });
    assert!(kept.iter().all(|kept| is_same(kept, &waker)));
    // Only the stack of the thread that polls leads to the poll.
    assert_eq!((task.wake_ups(), stacks.len()), (4, 1));
    drop((kept, waker));
    assert_eq!(Arc::strong_count(&task), 1);
}

#[test]
fn a_poll_that_panics_leaves_valid_wakers() {
    let (task, waker) = Task::with_waker();
    let mut kept = None;
    let polled = catch_unwind(AssertUnwindSafe(|| {
        trace(&waker, |context| {
            kept = Some(context.waker().clone());
            std::panic::panic_any("on purpose");
        })
    }));
    assert!(polled.is_err());
    kept.into_iter().for_each(Waker::wake);
    drop(waker);
    assert_eq!((task.wake_ups(), Arc::strong_count(&task)), (1, 1));
}

#[test]
fn a_trace_within_a_trace_takes_the_stacks_of_both() {
    let (task, waker) = Task::with_waker();
    let ((kept, inner), outer) = trace(&waker, |context| {
        trace(context.waker(), |context| context.waker().clone())
    });
    // The clone of the inner one's waker is a clone of the outer one's.
    assert!(is_same(&kept, &waker));
    assert_eq!((inner.len(), outer.len()), (1, 1));
    if HAS_STACKS {
        assert!(outer[0].len() > inner[0].len(), "{outer:?} {inner:?}");
    }
    kept.wake();
    drop(waker);
    assert_eq!((task.wake_ups(), Arc::strong_count(&task)), (1, 1));
}

#[test]
fn the_number_of_stacks_is_bounded_and_that_of_wakers_is_not() {
    let (task, waker) = Task::with_waker();
    let ask = |context: &mut Context<'_>| {
        let wakers = (0..3 * MOST_STACKS).map(|_| context.waker().clone());
        wakers.collect::<Vec<_>>()
    };
    let (kept, stacks) = trace(&waker, ask);
    assert_eq!((kept.len(), stacks.len()), (3 * MOST_STACKS, MOST_STACKS));
    drop((kept, waker));
    assert_eq!(Arc::strong_count(&task), 1);
}
