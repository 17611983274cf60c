//! Reads of the kernel's table of connections ("looks"): one at a time, and for a bounded share of
//! the time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::task::{JoinHandle, spawn_blocking};

/// The pause after a look, as a multiple of the look's duration. A look takes longer the longer the
/// table is; with this pause, looks use at most a fifth of a core.
const PAUSE: u32 = 4;

/// The shortest pause.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// The running look, and when the next one may begin. Times are on the watch's clock.
#[derive(Debug, Default)]
pub(super) struct Looks {
    budget: Budget,
    running: Option<JoinHandle<Look>>,
    /// The result of a look that began at or before this time is discarded.
    outdated: Duration,
}

/// The connections that were found, when the look began, and how long it took.
#[derive(Debug)]
struct Look {
    unread: Vec<SocketAddr>,
    at: Duration,
    took: Duration,
}

impl Looks {
    /// Starts a look, unless one is running or the pause after the last one is not over.
    pub(super) fn begin(
        &mut self,
        now: Duration,
        look: impl FnOnce() -> Vec<SocketAddr> + Send + 'static,
    ) {
        if !self.budget.begin(now) {
            return;
        }
        // The look runs on another thread, because a long table would delay the readers.
        self.running = Some(spawn_blocking(move || {
            let begun = Instant::now();
            let unread = look();
            Look {
                unread,
                at: now,
                took: begun.elapsed(),
            }
        }));
    }

    /// The result of a look that has ended since the last call, and when the look began. `None` if
    /// no look has ended, or if its result is [outdated](Self::outdate). Call this even when the
    /// result is not needed, because it also starts the pause.
    pub(super) fn ended(&mut self, now: Duration) -> Option<(Vec<SocketAddr>, Duration)> {
        let looked = self.running.as_mut()?.now_or_never()?;
        self.running = None;
        // A look does not panic, and nothing else stops it.
        let Ok(Look { unread, at, took }) = looked else {
            self.budget.end(now, Duration::ZERO);
            return None;
        };
        self.budget.end(now, took);
        (at > self.outdated).then_some((unread, at))
    }

    /// Discards the results so far, including that of a running look.
    pub(super) fn outdate(&mut self, now: Duration) {
        self.outdated = now;
    }
}

/// Decides when a look may begin.
#[derive(Debug, Default)]
struct Budget {
    runs: bool,
    free_at: Duration,
}

impl Budget {
    /// Returns whether a look may begin now. If so, it counts as running until [`end`](Self::end).
    fn begin(&mut self, now: Duration) -> bool {
        let may = !self.runs && now >= self.free_at;
        self.runs |= may;
        may
    }

    /// Records the end of the look, and how long it took.
    fn end(&mut self, now: Duration, took: Duration) {
        self.runs = false;
        let pause = took.saturating_mul(PAUSE).max(SHORTEST_PAUSE);
        self.free_at = now.saturating_add(pause);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use proptest::prelude::*;

    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    proptest! {
        /// Iterations of the hub, each with the time since the last one, whether a worker is held,
        /// and how long a look takes that begins then.
        #[test]
        fn looks_take_at_most_a_fifth_of_the_time(
            turns in prop::collection::vec((1_u64..200, any::<bool>(), 0_u64..3000), 1..200),
        ) {
            let mut budget = Budget::default();
            let mut now = Duration::ZERO;
            let mut running: Option<(Duration, Duration)> = None;
            let mut last: Option<(Duration, Duration)> = None;
            for (passed, held, takes) in turns {
                now += ms(passed);
                if let Some((began, took)) = running
                    && now >= began + took
                {
                    budget.end(now, took);
                    (running, last) = (None, running);
                }
                if held && budget.begin(now) {
                    prop_assert!(running.is_none(), "two looks run at the same time");
                    if let Some((began, took)) = last {
                        let pause = now.saturating_sub(began + took);
                        prop_assert!(pause >= took * 4 && pause >= ms(100), "{pause:?} {took:?}");
                    }
                    running = Some((now, ms(takes)));
                }
            }
        }
    }

    #[tokio::test]
    async fn an_outdated_look_still_runs_alone_and_starts_the_pause() {
        let mut looks = Looks::default();
        let begun = Arc::new(AtomicUsize::new(0));
        let (go_on, stopped) = mpsc::channel::<()>();
        let first = Arc::clone(&begun);
        looks.begin(ms(1), move || {
            first.fetch_add(1, Ordering::Relaxed);
            stopped.recv().ok();
            Vec::new()
        });
        let try_to = |looks: &mut Looks, now| {
            let next = Arc::clone(&begun);
            looks.begin(now, move || {
                next.fetch_add(1, Ordering::Relaxed);
                Vec::new()
            });
        };
        // The hold ends, and another one begins.
        looks.outdate(ms(2));
        assert_eq!(looks.ended(ms(3)), None);
        let much_later = Duration::from_secs(3600);
        try_to(&mut looks, much_later);

        go_on.send(()).expect("it waits for this");
        while looks.running.is_some() {
            assert_eq!(
                looks.ended(much_later),
                None,
                "the result belongs to the previous hold"
            );
            tokio::task::yield_now().await;
        }
        assert_eq!(begun.load(Ordering::Relaxed), 1, "the second did not begin");
        try_to(&mut looks, much_later + ms(99));
        assert!(looks.running.is_none(), "the pause is not over");
        let paid = much_later + Duration::from_secs(3600);
        try_to(&mut looks, paid);
        let seen = loop {
            if let Some(seen) = looks.ended(paid) {
                break seen;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!((seen.1, begun.load(Ordering::Relaxed)), (paid, 2));
    }
}
