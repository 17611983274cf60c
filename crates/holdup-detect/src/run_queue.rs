//! How long a thread was ready to run while the system ran something else.

/// A sample that is older than this when a busy period begins is too inexact, because it includes too much
/// time before the period. While the collector dozes, samples are up to 400 ms apart, but the workers wait in their
/// loops and are in no run queue. Nanoseconds.
const SAMPLE_AGE: u64 = 500_000_000;

/// The time of a sample, and the thread's run-queue time up to then, both in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: u64,
    pub(crate) run_delay: u64,
}

/// How long a worker's thread was in the run queue in a busy period.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delay {
    /// The upper bound, nanoseconds. It may include run-queue time from shortly before the period.
    pub(crate) at_most: u64,
    /// Whether the time before the period that it may include is too short to matter.
    pub(crate) is_exact: bool,
}

impl Delay {
    /// The delay in a period that began at `start` and has just ended, when the thread's run-queue time was
    /// `run_delay`.
    pub(crate) fn between(start: u64, samples: &[Sample], run_delay: u64) -> Option<Self> {
        // All of the time from the period's start to a sample in it may have been spent in the run queue.
        let at_most = |sample: &Sample| {
            run_delay.saturating_sub(sample.run_delay) + sample.at.saturating_sub(start)
        };
        let is_close = |sample: &Sample| sample.at <= start && start - sample.at <= SAMPLE_AGE;
        Some(Self {
            at_most: samples.iter().map(at_most).min()?,
            is_exact: samples.iter().any(is_close),
        })
    }

    pub(crate) fn at_most(self, time: u64) -> Self {
        let at_most = self.at_most.min(time);
        Self { at_most, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// The delay in a period that began at 1000 ms, for samples of (at ms, ms in the run queue).
    fn delay(samples: [(u64, u64); 2], run_delay: u64) -> (u64, bool) {
        let samples = samples.map(|(at, run_delay)| Sample {
            at: at * MS,
            run_delay: run_delay * MS,
        });
        let delay = Delay::between(1000 * MS, &samples, run_delay * MS).expect("two samples");
        (delay.at_most / MS, delay.is_exact)
    }

    #[test]
    fn run_queue_time_from_before_the_period_is_subtracted() {
        // A sample shortly before the period only, and then one in it, too.
        assert_eq!(delay([(960, 7), (985, 7)], 17), (10, true));
        assert_eq!(delay([(985, 7), (1010, 57)], 57), (10, true));
        // No sample was taken for a long time before the period.
        assert_eq!(delay([(200, 7), (300, 7)], 307), (300, false));
        assert_eq!(delay([(300, 7), (1250, 7)], 57), (50, false));
    }
}
