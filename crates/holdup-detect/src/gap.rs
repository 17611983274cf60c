//! The work of a worker since the second heartbeat's byte was sent, while its loop has not polled the
//! sockets. This code reads no clock.

use crate::busy_period::BusyPeriod;

/// The time since a byte was sent, made up of the busy periods in it that were not holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gap {
    /// The period, which starts when the byte was sent.
    pub(crate) period: BusyPeriod,
    /// How many loop iterations were counted.
    pub(crate) turns: u64,
    /// The thread's CPU time when the gap began.
    pub(crate) cpu: Option<u64>,
}

impl Gap {
    /// Clears it and begins a new gap.
    pub(crate) fn begin(&mut self, asked: u64, cpu: Option<u64>) {
        self.period.begin(asked);
        self.turns = 0;
        self.cpu = cpu;
    }
}
