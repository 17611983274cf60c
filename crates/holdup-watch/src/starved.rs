//! Holds of the second kind: the loop turns, but does not look at its sockets and timers.

use std::sync::Arc;

use super::hold::{HoldKind, Recorded};
use super::shared::{Raw, Shared};
use super::slot::Slot;
use super::stretch::Stretch;
use super::worker::Worker;

/// What a worker did since it was sent a byte that it has not come by.
#[derive(Debug, Clone, Default)]
pub(super) struct Gap {
    /// It starts when the byte was sent, and is made of the stretches that were no holds.
    pub(super) stretch: Stretch,
    /// How many turns of the loop were seen.
    turns: u64,
    /// The thread's CPU time when it started.
    cpu: Option<u64>,
}

impl Worker {
    /// A stretch is over that was no hold.
    pub(super) fn gap_takes(&self, stretch: &Stretch) {
        self.with_gap(|gap| gap.stretch.take_in(stretch));
    }

    /// The loop has turned.
    pub(super) fn gap_turns(&self) {
        self.with_gap(|gap| gap.turns += 1);
    }

    /// What was between those times is a hold of its own.
    pub(super) fn cut_gap(&self, start: u64, end: u64) {
        let sockets = &self.slot.sockets;
        if let Some(asked) = sockets.asked() {
            self.end_gap(asked, sockets.looked().unwrap_or(start).min(start));
            sockets.restart(end, self.slot.thread);
        }
    }

    fn with_gap(&self, change: impl FnOnce(&mut Gap)) {
        let sockets = &self.slot.sockets;
        // Once the loop has come by the byte it is over, and only the task that takes it has still to run.
        let Some(asked) = sockets.unseen() else {
            return;
        };
        let mut gap = self.gap.borrow_mut();
        if gap.stretch.start != asked {
            gap.stretch.begin(asked);
            gap.turns = 0;
            gap.cpu = self.cpu.get().0;
        }
        change(&mut gap);
        sockets.show(&gap);
    }

    /// The time without a look at the sockets, which began with the byte that was sent then, is over:
    /// a hold if it was long.
    fn end_gap(&self, asked: u64, end: u64) {
        let gap = self.gap.borrow();
        if gap.stretch.start == asked
            && let Some(raw) = raw(&self.shared, &self.slot, &gap, end)
        {
            let cpu_now = super::system::thread_cpu();
            let cpu = gap.cpu.zip(cpu_now);
            let cpu = cpu.map(|(before, now)| (now - before).min(raw.duration));
            let not_computing = raw.duration - cpu.unwrap_or(0);
            self.shared.close(Raw {
                cpu,
                delay: raw.delay.map(|delay| delay.at_most(not_computing)),
                ongoing: false,
                ..raw
            });
        }
    }
}

/// A hold of this kind up to `end`, as if it went on; `None` when it is too short. Without a turn of the
/// loop it is not of this kind.
fn raw(shared: &Shared, slot: &Arc<Slot>, gap: &Gap, end: u64) -> Option<Raw> {
    let (start, threshold) = (gap.stretch.start, shared.threshold());
    let duration = end.saturating_sub(start);
    if gap.turns == 0 || duration < threshold {
        return None;
    }
    let culprits = gap.stretch.culprits(threshold);
    let delay = slot.sockets.delay(slot.thread);
    Some(Raw {
        kind: HoldKind::Starved { turns: gap.turns },
        slot: Arc::clone(slot),
        start,
        duration,
        cpu: None,
        delay: delay.map(|delay| delay.at_most(duration)),
        outside: gap.stretch.outside,
        waiting: gap.stretch.waiting(&culprits),
        culprits,
        ongoing: true,
    })
}

impl Shared {
    /// The hold of a worker that looks at no socket, as far as it goes without what the worker is in
    /// the middle of since `until`: that may become a hold of its own.
    pub(super) fn starved(&self, slot: &Arc<Slot>, until: u64) -> Option<Recorded> {
        slot.sockets.unseen()?;
        let gap = slot.sockets.gap()?;
        let mut recorded = self.known(self.hold(&raw(self, slot, &gap, until)?))?;
        recorded.hold.descheduled = None;
        Some(recorded)
    }

    /// The same, as far as it is certain: up to the last piece of watched work, or to the look at the
    /// sockets.
    pub(super) fn certainly_starved(&self, slot: &Arc<Slot>) -> Option<Recorded> {
        let gap = slot.sockets.gap()?;
        let end = slot.sockets.looked().unwrap_or(gap.stretch.end);
        self.known(self.hold(&raw(self, slot, &gap, end)?))
    }
}

#[cfg(unix)]
mod answering {
    use std::future::poll_fn;
    use std::io::ErrorKind;
    use std::rc::{Rc, Weak};
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};

    use tokio::net::UnixStream;

    use super::super::slot::Slot;
    use super::super::system;
    use super::super::worker::Worker;

    impl Worker {
        /// Spawns the task that takes the bytes. Where there is no socket to be had, there is only
        /// the first heartbeat.
        pub(in super::super) fn spawn_answers(self: &Rc<Self>) {
            let answers = Answers {
                slot: Arc::clone(&self.slot),
                worker: Rc::downgrade(self),
            };
            actix_web::rt::spawn(answers.run());
        }

        /// The byte was taken.
        fn looked_at_sockets(&self) {
            let sockets = &self.slot.sockets;
            if let Some(asked) = sockets.asked() {
                self.end_gap(asked, sockets.looked().unwrap_or_else(system::now));
            }
        }
    }

    struct Answers {
        slot: Arc<Slot>,
        worker: Weak<Worker>,
    }

    impl Answers {
        async fn run(self) {
            let sockets = &self.slot.sockets;
            let Ok(far) = sockets.far_end() else { return };
            // A byte from a loop before may be there already: it is answered like any other.
            sockets.answer();
            let look = Waker::from(Arc::new(Look(Arc::clone(&self.slot))));
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
                    worker.looked_at_sockets();
                    sockets.answer();
                }
            })
            .await;
        }
    }

    /// Takes what is there. False if nothing will come any more.
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
            self.slot.sockets.stop();
        }
    }

    /// Woken by the loop itself when it looks at its sockets. The task that it wakes in turn goes to
    /// the end of the queue, and that wait is not to be counted.
    struct Look(Arc<Slot>);

    impl Wake for Look {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            let sockets = &self.0.sockets;
            sockets.look(system::now());
            sockets.task.wake();
        }
    }
}

#[cfg(not(unix))]
impl Worker {
    pub(super) fn spawn_answers(self: &std::rc::Rc<Self>) {}
}
