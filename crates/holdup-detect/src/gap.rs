//! What a worker did since it was sent a byte that it has not come by: pure accounting, no clock.

use crate::busy_period::BusyPeriod;

/// The time since a byte was sent, made of the busy periods in it that were no holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gap {
    /// The period, which starts when the byte was sent.
    pub(crate) period: BusyPeriod,
    /// How many loop iterations were counted.
    pub(crate) turns: u64,
    /// The thread's CPU time when it started.
    pub(crate) cpu: Option<u64>,
}

impl Gap {
    /// Restarts the count.
    pub(crate) fn begin(&mut self, asked: u64, cpu: Option<u64>) {
        self.period.begin(asked);
        self.turns = 0;
        self.cpu = cpu;
    }
}
