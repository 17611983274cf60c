//! The worker's work in the time in which its loop turns without looking at its sockets.

use crate::gap::Gap;
use crate::record::HoldRecord;
use crate::worker::Worker;

impl Worker {
    /// Excludes the time from `start` to `end` from the gap, because it is a hold of its own.
    pub(crate) fn cut_gap(&self, start: u64, end: u64) {
        let sockets = &self.state.sockets;
        if let Some(asked) = sockets.asked() {
            self.end_gap(asked, sockets.looked().unwrap_or(start).min(start));
            sockets.restart(end, self.state.thread);
        }
    }

    /// Counts a loop iteration in the gap.
    pub(crate) fn count_iteration_in_gap(&self) {
        self.change_gap(|gap| gap.turns += 1);
    }

    pub(crate) fn change_gap(&self, change: impl FnOnce(&mut Gap)) {
        let sockets = &self.state.sockets;
        // The gap is over once the loop has found the byte, even if the task that reads it has not run yet.
        let Some(asked) = sockets.unseen() else {
            return;
        };
        let mut gap = self.gap.borrow_mut();
        if gap.period.start != asked {
            gap.begin(asked, self.cpu.get().0);
        }
        change(&mut gap);
        sockets.show(&gap);
    }

    /// Ends the gap that began when a byte was sent at `asked`. The gap is a hold if it reached the
    /// threshold.
    pub(crate) fn end_gap(&self, asked: u64, end: u64) {
        let gap = self.gap.borrow();
        if gap.period.start == asked
            && let Some(record) = self.shared.starved_record(&self.state, &gap, end)
        {
            let cpu_now = self.shared.clock.thread_cpu();
            let cpu = gap.cpu.zip(cpu_now);
            let cpu = cpu.map(|(before, now)| now.saturating_sub(before).min(record.duration));
            let not_computing = record.duration - cpu.unwrap_or(0);
            self.hand_over_culprits(record.start, &record.culprits);
            self.shared.memory.close(HoldRecord {
                cpu,
                delay: record.delay.map(|delay| delay.at_most(not_computing)),
                ongoing: false,
                ..record
            });
        }
    }

    /// Ends the gap, because the byte was read.
    #[cfg(unix)]
    pub(crate) fn on_sockets_looked_at(&self) {
        let sockets = &self.state.sockets;
        if let Some(asked) = sockets.asked() {
            self.end_gap(asked, sockets.looked().unwrap_or_else(|| self.now()));
        }
    }
}
