//! Whether the collector dozes: no request is open, so it seldom looks. The worker that opens a request wakes it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Doze {
    is_on: AtomicBool,
    /// When a worker woke the collector; 0 if none has since the collector began to doze.
    woken: AtomicU64,
}

impl Doze {
    // Called by the collector.

    /// From now on, the worker that opens a request wakes the collector.
    pub(crate) fn begin(&self) {
        self.woken.store(0, Ordering::Relaxed);
        self.is_on.store(true, Ordering::Release);
    }

    pub(crate) fn end(&self) {
        self.is_on.store(false, Ordering::Relaxed);
    }

    /// When a worker woke the collector, if one has since it began to doze.
    pub(crate) fn woken(&self) -> Option<u64> {
        Some(self.woken.load(Ordering::Acquire)).filter(|&woken| woken > 0)
    }

    // Called by workers.

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Ends the doze. Returns whether the caller has to wake the collector: only the first one that calls this.
    pub(crate) fn wake(&self, now: impl FnOnce() -> u64) -> bool {
        let is_first = self.is_on.swap(false, Ordering::AcqRel);
        if is_first {
            self.woken.store(now(), Ordering::Release);
        }
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_wakes_the_collector_once() {
        let doze = Doze::default();
        assert!(!doze.wake(|| 5), "it does not doze");
        doze.begin();
        assert!(doze.is_on() && doze.woken().is_none());
        assert!(doze.wake(|| 7) && !doze.wake(|| 8));
        assert_eq!((doze.is_on(), doze.woken()), (false, Some(7)));
        doze.begin();
        assert_eq!(doze.woken(), None);
        doze.end();
        assert!(!doze.wake(|| 9));
    }
}
