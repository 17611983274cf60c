//! How long a thread was ready to run while the system ran something else.

/// A sample taken longer than this before a busy period covers too much of what was before it, nanoseconds.
const SAMPLE_AGE: u64 = 200_000_000;

/// A thread's time in the run queue up to a time, both in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: u64,
    pub(crate) run_delay: u64,
}

/// How long a worker's thread was in the run queue in a busy period.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delay {
    /// At most, nanoseconds: what was shortly before the period may be in it.
    pub(crate) at_most: u64,
    /// Whether that is so short a time that it hardly matters.
    pub(crate) is_exact: bool,
}

impl Delay {
    /// In a period that began at `start` and has just ended, at that time in the run queue.
    pub(crate) fn between(start: u64, samples: &[Sample], run_delay: u64) -> Option<Self> {
        // Up to a sample within the period, all of it may have been spent there.
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

    /// The most that it was in the run queue from 1000 ms on, of samples of (at ms, ms in the run queue).
    fn delay(samples: [(u64, u64); 2], run_delay: u64) -> (u64, bool) {
        let samples = samples.map(|(at, run_delay)| Sample {
            at: at * MS,
            run_delay: run_delay * MS,
        });
        let delay = Delay::between(1000 * MS, &samples, run_delay * MS).expect("two samples");
        (delay.at_most / MS, delay.is_exact)
    }

    #[test]
    fn what_was_in_the_run_queue_before_is_taken_off_with_it_up_to_the_first_sample() {
        // Sampled shortly before only; and in it, too.
        assert_eq!(delay([(960, 7), (985, 7)], 17), (10, true));
        assert_eq!(delay([(985, 7), (1010, 57)], 57), (10, true));
        // No sample was taken for long.
        assert_eq!(delay([(600, 7), (700, 7)], 307), (300, false));
        assert_eq!(delay([(700, 7), (1250, 7)], 57), (50, false));
    }
}
