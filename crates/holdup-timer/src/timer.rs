//! A thread's timer: one `timerfd` for everything that waits there.
//!
//! tokio's timers go by whole milliseconds, which are rounded up twice: when the timer is set, and
//! when the loop goes to sleep. This one fires at the exact time of a place on its grid, so that a
//! wait ends two thirds of a millisecond after it was due, on average, and all that are due by then are
//! woken together.

use std::cell::{Cell, RefCell};
use std::future;
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::wheel::{Key, Wheel};

/// The distance between two places on the grid, nanoseconds. With a smaller one, waits end sooner
/// after they were due, and the loop turns more often. With 10,000 waits of a second, this one is where
/// both are better than with tokio's timers.
const GRID: u64 = 1_250_000;

/// Nanoseconds in a second.
const NANOS: u64 = 1_000_000_000;

/// The timer is not set.
const NEVER: u64 = u64::MAX;

thread_local! {
    static TIMER: RefCell<Option<Rc<Timer>>> = const { RefCell::new(None) };
}

/// The timer of one thread.
#[derive(Debug)]
pub(crate) struct Timer {
    fd: AsyncFd<OwnedFd>,
    wheel: RefCell<Wheel<Waker>>,
    /// The place on the grid for which `fd` is set.
    set: Cell<u64>,
    /// What is being woken. It is kept for its memory.
    due: RefCell<Vec<Waker>>,
    waker: Waker,
}

/// A wait at a thread's timer.
#[derive(Debug)]
pub(crate) struct Wait {
    timer: Rc<Timer>,
    /// When it is over, nanoseconds.
    until: u64,
    /// Its entry, once it was polled before its time.
    key: Option<Key>,
}

/// Called when `fd` is readable, by the loop itself, as it calls the wakers of tokio's own timers:
/// before it runs any task. A task would come only after those that were woken before it, and if one
/// of them holds the worker, nobody would know that the others had been ready.
struct Fire;

impl Wake for Fire {
    fn wake(self: Arc<Self>) {
        if let Some(timer) = installed() {
            timer.fire();
        }
    }
}

/// Gives this thread a timer, if it has none yet.
///
/// # Errors
///
/// Returns an error when the system gives no `timerfd`.
///
/// # Panics
///
/// Panics outside of a `LocalSet`.
pub(crate) fn install() -> io::Result<()> {
    if installed().is_some() {
        return Ok(());
    }
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
    #[allow(
        deprecated,
        reason = "an OwnedFd is one descriptor until it is dropped, and the other way is unsafe code"
    )]
    let fd = AsyncFd::with_interest(fd, Interest::READABLE)?;
    let timer = Rc::new(Timer {
        fd,
        wheel: RefCell::new(Wheel::new(now() / GRID)),
        set: Cell::new(NEVER),
        due: RefCell::default(),
        waker: Waker::from(Arc::new(Fire)),
    });
    timer.listen();
    TIMER.set(Some(timer));
    let until_the_end = UntilTheEnd;
    tokio::task::spawn_local(async move {
        let _until_the_end = until_the_end;
        future::pending::<()>().await;
    });
    Ok(())
}

/// Kept by a task of the runtime, which is dropped with it. The timer cannot do without the runtime,
/// and a later one on this thread may install its own.
struct UntilTheEnd;

impl Drop for UntilTheEnd {
    fn drop(&mut self) {
        // The thread's variables may be gone already, and the timer with them.
        let timer = TIMER.try_with(RefCell::take);
        drop(timer);
    }
}

/// This thread's timer.
pub(crate) fn installed() -> Option<Rc<Timer>> {
    TIMER
        .try_with(|timer| timer.borrow().clone())
        .ok()
        .flatten()
}

impl Timer {
    /// A wait that is over after `duration`.
    pub(crate) fn wait(self: Rc<Self>, duration: Duration) -> Wait {
        let duration = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Wait {
            timer: self,
            until: now().saturating_add(duration),
            key: None,
        }
    }

    /// Wakes all that are due, and sets the timer for the next.
    fn fire(&self) {
        self.listen();
        self.set.set(NEVER);
        let mut due = self.due.take();
        let next = self.wheel.borrow_mut().take_due(now() / GRID, &mut due);
        if let Some(next) = next {
            self.set_to(next);
        }
        // Nothing is borrowed meanwhile: a waker may be the last that keeps a task, with its waits.
        for waker in due.drain(..) {
            waker.wake();
        }
        self.due.replace(due);
    }

    /// Asks the loop to call `Fire` when `fd` is readable.
    fn listen(&self) {
        let mut context = Context::from_waker(&self.waker);
        // It is ready no more once it was set again. At the end of the runtime, it is an error.
        while let Poll::Ready(Ok(mut ready)) = self.fd.poll_read_ready(&mut context) {
            ready.clear_ready();
        }
    }

    fn set_to(&self, place: u64) {
        self.set.set(place);
        let at = place.saturating_mul(GRID);
        let value = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec {
                tv_sec: (at / NANOS).cast_signed(),
                tv_nsec: (at % NANOS).try_into().unwrap_or_default(),
            },
        };
        timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::ABSTIME, &value)
            .expect("a time in range is set on a timerfd");
    }
}

impl Wait {
    /// Whether the wait is over. If not, `context` is woken when it is.
    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        let mut wheel = self.timer.wheel.borrow_mut();
        if let Some(key) = &self.key {
            let Some(waker) = wheel.value(key) else {
                return Poll::Ready(());
            };
            if !waker.will_wake(context.waker()) {
                let before = mem::replace(waker, context.waker().clone());
                drop(wheel);
                drop(before);
            }
            return Poll::Pending;
        }
        let now = now();
        if self.until <= now {
            return Poll::Ready(());
        }
        wheel.catch_up(now / GRID);
        let place = self.until.div_ceil(GRID);
        self.key = Some(wheel.add(place, context.waker().clone()));
        drop(wheel);
        if place < self.timer.set.get() {
            self.timer.set_to(place);
        }
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let waker = self.timer.wheel.borrow_mut().remove(key);
            drop(waker);
        }
    }
}

/// The time of the clock by which `fd` goes, nanoseconds.
fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanos) = (now.tv_sec.cast_unsigned(), u64::try_from(now.tv_nsec));
    seconds * NANOS + nanos.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use futures_util::StreamExt;
    use futures_util::future::{join_all, poll_immediate};
    use futures_util::stream::FuturesUnordered;
    use tokio::runtime;
    use tokio::task::LocalSet;
    use tokio::time::timeout;

    use super::*;

    /// Ends a test that would wait for ever.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Runs `test` on a thread that has a timer.
    fn with_timer<F: Future<Output = ()>>(test: impl FnOnce(Rc<Timer>) -> F + Send + 'static) {
        let thread = std::thread::spawn(|| {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let (runtime, tasks) = (runtime.expect("a runtime"), LocalSet::new());
            tasks.block_on(&runtime, async {
                install().expect("a timer");
                let timer = installed().expect("the timer of this thread");
                let ended = timeout(PATIENCE, test(timer)).await;
                ended.expect("the waits end");
            });
            drop((tasks, runtime));
            assert!(installed().is_none(), "the timer outlives the runtime");
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }

    async fn wait(timer: &Rc<Timer>, duration: Duration) {
        let mut wait = Rc::clone(timer).wait(duration);
        future::poll_fn(|context| wait.poll(context)).await;
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn waits_end_in_the_order_in_which_they_are_due_and_never_early() {
        with_timer(async |timer| {
            let ended = RefCell::new(Vec::new());
            let waits = [120, 30, 75, 0, 31].map(async |duration| {
                let begun = Instant::now();
                wait(&timer, ms(duration)).await;
                assert!(begun.elapsed() >= ms(duration), "{duration} ms");
                ended.borrow_mut().push(duration);
            });
            // Unlike `join_all`, this polls the waits in the order in which they were woken.
            let waits: FuturesUnordered<_> = waits.into_iter().collect();
            waits.collect::<()>().await;
            assert_eq!(*ended.borrow(), [0, 30, 31, 75, 120]);
        });
    }

    #[test]
    fn a_shorter_wait_that_begins_later_does_not_wait_for_a_longer_one() {
        with_timer(async |timer| {
            let mut long = Rc::clone(&timer).wait(100 * PATIENCE);
            future::poll_fn(|context| {
                assert!(long.poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            for _ in 0..3 {
                wait(&timer, ms(5)).await;
            }
            assert!(
                poll_immediate(future::poll_fn(|context| long.poll(context)))
                    .await
                    .is_none()
            );
        });
    }

    #[test]
    fn each_of_many_waits_ends() {
        with_timer(async |timer| {
            let waits = (0..10_000).map(|n| wait(&timer, ms(n % 97)));
            join_all(waits).await;
            assert_eq!(timer.wheel.borrow().next(), None);
        });
    }

    #[test]
    fn a_wait_that_is_dropped_leaves_nothing_behind() {
        with_timer(async |timer| {
            for _ in 0..100 {
                let waits = (1..50).map(|n| wait(&timer, n * PATIENCE));
                assert!(poll_immediate(join_all(waits)).await.is_none());
            }
            assert_eq!(timer.wheel.borrow().next(), None);
        });
    }

    #[test]
    fn a_wait_wakes_the_task_that_polled_it_last() {
        with_timer(async |timer| {
            let mut wait = timer.wait(ms(500));
            let first = poll_immediate(future::poll_fn(|context| wait.poll(context)));
            assert!(first.await.is_none());
            let moved = tokio::task::spawn_local(async move {
                future::poll_fn(|context| wait.poll(context)).await;
            });
            moved.await.expect("no panic");
        });
    }

    #[test]
    fn waits_that_nobody_can_live_to_see_are_accepted() {
        with_timer(async |timer| {
            for duration in [Duration::MAX, Duration::from_secs(1 << 60), 9999 * PATIENCE] {
                assert!(
                    poll_immediate(Box::pin(wait(&timer, duration)))
                        .await
                        .is_none()
                );
            }
            wait(&timer, ms(5)).await;
        });
    }
}
