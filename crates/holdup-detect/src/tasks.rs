//! The tasks of holdup that run on each worker's loop. One marks the loop's next iteration, one answers the
//! heartbeat, one notes after a hold when the loop looks at its sockets, and one reads the bytes that the collector
//! sends through a socket.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::worker::Worker;
use crate::worker_state::WorkerState;

/// A task for the worker's own loop.
pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Spawns a worker's tasks, unless they run already.
pub(crate) fn spawn(worker: &Rc<Worker>, spawn: impl Fn(Task)) {
    if worker.marker.borrow().is_some() {
        return;
    }
    *worker.marker.borrow_mut() = Some(Waker::noop().clone());
    spawn(mark_iterations(Rc::downgrade(worker)));
    worker.state.answer_beat();
    let heartbeat = Heartbeat {
        state: Arc::clone(&worker.state),
        worker: Rc::downgrade(worker),
    };
    spawn(heartbeat.answer());
    *worker.after_hold.borrow_mut() = Some(Waker::noop().clone());
    spawn(look_after_holds(Rc::downgrade(worker)));
    #[cfg(unix)]
    spawn(take_bytes::task(worker));
}

fn mark_iterations(worker: Weak<Worker>) -> Task {
    Box::pin(poll_fn(move |cx| {
        let Some(worker) = worker.upgrade() else {
            return Poll::Ready(());
        };
        worker.marker.borrow_mut().replace(cx.waker().clone());
        worker.on_loop_iteration();
        Poll::Pending
    }))
}

/// Records after each hold when the loop looks at its sockets and timers, and when it looks again.
fn look_after_holds(worker: Weak<Worker>) -> Task {
    Box::pin(async move {
        loop {
            let is_alive = poll_fn(|cx| {
                let Some(worker) = worker.upgrade() else {
                    return Poll::Ready(false);
                };
                worker.after_hold.borrow_mut().replace(cx.waker().clone());
                if worker.state.is_after_hold() {
                    return Poll::Ready(true);
                }
                // Whatever the hold kept from running has run.
                worker.forget_blockers();
                Poll::Pending
            });
            if !is_alive.await {
                return;
            }
            // tokio wakes a task that has yielded right after it has looked at its sockets and timers. Tasks of the
            // runtime itself, such as those of an HTTP client, run after those of the local set. This is one of them.
            if let Some(worker) = worker.upgrade()
                && let Ok(runtime) = tokio::runtime::Handle::try_current()
            {
                let state = Arc::clone(&worker.state);
                runtime.spawn(async move {
                    tokio::task::yield_now().await;
                    state.on_found_polled();
                });
            }
            has_looked(&worker).await;
        }
    })
}

/// Waits until the loop looks at its sockets and timers.
async fn has_looked(worker: &Weak<Worker>) {
    let looked = Arc::new(AtomicBool::new(false));
    let mut looks = pin!(tokio::task::yield_now());
    let mut is_deferred = false;
    poll_fn(|cx| {
        let Some(worker) = worker.upgrade() else {
            return Poll::Ready(());
        };
        if looked.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        // Another hold may wake this task before the loop looks. `yield_now` would end at its second poll.
        if !mem::replace(&mut is_deferred, true) {
            let waker = Waker::from(Arc::new(Looked {
                state: Arc::clone(&worker.state),
                task: cx.waker().clone(),
                is_over: Arc::clone(&looked),
            }));
            let deferred = looks.as_mut().poll(&mut Context::from_waker(&waker));
            debug_assert!(deferred.is_pending(), "it ends at its second poll");
        }
        Poll::Pending
    })
    .await;
}

/// The waker that is woken when the loop has looked at its sockets and timers. It records that at once, because the
/// task that it wakes goes to the end of the queue.
struct Looked {
    state: Arc<WorkerState>,
    task: Waker,
    is_over: Arc<AtomicBool>,
}

impl Wake for Looked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.state.on_look();
        self.is_over.store(true, Ordering::Relaxed);
        self.task.wake_by_ref();
    }
}

/// The task that answers the collector's heartbeats while the loop iterates.
struct Heartbeat {
    state: Arc<WorkerState>,
    worker: Weak<Worker>,
}

impl Heartbeat {
    fn answer(self) -> Task {
        Box::pin(poll_fn(move |cx| {
            self.state.beat.register(cx.waker());
            let Some(worker) = self.worker.upgrade() else {
                return Poll::Ready(());
            };
            worker.on_heartbeat();
            Poll::Pending
        }))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.state.stop_beat();
        if let Some(worker) = self.worker.upgrade() {
            worker.on_loop_end();
        }
    }
}

#[cfg(unix)]
mod take_bytes {
    use std::future::poll_fn;
    use std::io::ErrorKind;
    use std::rc::{Rc, Weak};
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};

    use tokio::net::UnixStream;

    use crate::worker::Worker;
    use crate::worker_state::WorkerState;

    /// The task that reads the bytes. If no socket can be created it ends, and only the first heartbeat is
    /// used.
    pub(super) fn task(worker: &Rc<Worker>) -> super::Task {
        let answers = Answers {
            state: Arc::clone(&worker.state),
            worker: Rc::downgrade(worker),
        };
        Box::pin(answers.run())
    }

    struct Answers {
        state: Arc<WorkerState>,
        worker: Weak<Worker>,
    }

    impl Answers {
        async fn run(self) {
            let sockets = &self.state.sockets;
            let Ok(far) = sockets.far_end() else { return };
            // A byte that was sent to an earlier loop may be there already. It is answered like any other.
            sockets.answer();
            let look = Waker::from(Arc::new(Look(Arc::clone(&self.state))));
            poll_fn(|cx| {
                sockets.task.register(cx.waker());
                loop {
                    let Some(worker) = self.worker.upgrade() else {
                        return Poll::Ready(());
                    };
                    match far.poll_read_ready(&mut Context::from_waker(&look)) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Ok(())) if takes_all(&far) => {}
                        Poll::Ready(_) => return Poll::Ready(()),
                    }
                    worker.on_sockets_looked_at();
                    sockets.answer();
                }
            })
            .await;
        }
    }

    /// Reads all bytes that are there. Returns false if no more can arrive.
    fn takes_all(far: &UnixStream) -> bool {
        loop {
            match far.try_read(&mut [0; 8]) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    impl Drop for Answers {
        fn drop(&mut self) {
            self.state.sockets.stop();
        }
    }

    /// The waker that the loop wakes when it polls its sockets. It records the time at once, because the task
    /// that it wakes goes to the end of the queue, and its wait there must not be counted.
    struct Look(Arc<WorkerState>);

    impl Wake for Look {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            let sockets = &self.0.sockets;
            sockets.look();
            sockets.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::task::LocalSet;

    use super::*;
    use crate::clock::Clock;
    use crate::places;
    use crate::shared::Shared;
    use crate::threads::{self, Threads};

    #[test]
    fn a_task_that_is_woken_again_still_waits_until_the_loop_looks() {
        let runtime = Builder::new_current_thread().enable_io().build();
        let runtime = runtime.expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let shared = Shared::new(Clock::default(), Threads::new(threads::system()));
            let worker = places::current(&Arc::new(shared));
            let weak = Rc::downgrade(&worker);
            let mut looks = Box::pin(has_looked(&weak));
            worker.state.set_held_from(1);
            poll_fn(|cx| {
                for _ in 0..3 {
                    assert!(looks.as_mut().poll(cx).is_pending());
                }
                Poll::Ready(())
            })
            .await;
            assert!(worker.state.polled_since().is_some());
            looks.await;
            // The look that ended the hold has found what is polled now.
            assert_eq!(worker.state.polled_since(), Some(1));
            worker.state.on_look();
            assert_eq!(worker.state.polled_since(), None);
        });
    }
}
