//! When a verdict has to be confirmed by a second measurement, and what both say together.

use std::time::Duration;

use super::reason::Reason;
use super::verdict::{Kind, Verdict};
use super::wording;

/// No pause between two rounds is longer: nobody waits that long without having asked for it.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(15);

impl Verdict {
    /// Whether a single pause of the machine, or of the server, could have caused this verdict: the requests
    /// that it hit are as late as if they had waited for a turn, and if it hit all, as if they shared
    /// something. Instances of a server that were still starting look the same, however long a request takes.
    /// Measure the requests once more then, and [confirm](Verdict::confirm_with) it.
    pub fn needs_confirmation(&self) -> bool {
        let doubted = matches!(self.reason, Some(Reason::Shared | Reason::Rate { .. }));
        self.steps.len() == 2 || doubted && self.kind != Kind::Inconclusive
    }

    /// How long to wait before the requests are measured once more: a rate limit is used up after the
    /// first measurement, and needs the time to get back what it gives at first.
    pub fn pause_before_confirmation(&self) -> Duration {
        match self.reason {
            Some(Reason::Rate { burst, every, .. }) => {
                let burst = u32::try_from(burst).unwrap_or(u32::MAX);
                let back = every.saturating_mul(burst.saturating_add(1));
                back.min(LONGEST_PAUSE)
            }
            _ => Duration::ZERO,
        }
    }

    /// The verdict of two measurements of the same requests, of which `again` is the second: this one if both
    /// agree, and otherwise an inconclusive one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use holdup_model::{Lane, Timeline};
    /// use holdup_verdict::{Kind, judge};
    ///
    /// let answered = |after: u64| {
    ///     let mut lane = Lane::start("/report", Duration::ZERO);
    ///     lane.finish(Duration::from_millis(after));
    ///     lane
    /// };
    /// let alone = [answered(100), answered(101)];
    /// let judged = |times: [u64; 2]| judge(&alone, &Timeline::from(times.map(answered).to_vec()));
    ///
    /// let first = judged([101, 202]);
    /// assert!(first.kind == Kind::Serialized && first.needs_confirmation());
    /// assert_eq!(first.clone().confirm_with(&judged([102, 203])).kind, Kind::Serialized);
    /// assert_eq!(first.confirm_with(&judged([102, 102])).kind, Kind::Inconclusive);
    /// ```
    #[must_use]
    pub fn confirm_with(mut self, again: &Self) -> Self {
        let difference = self.at_a_time.zip(again.at_a_time).map(|(one, other)| {
            // Workers that accept unevenly make the number differ a little from run to run.
            one.abs_diff(other).saturating_sub(one.min(other) / 4)
        });
        let numbers = wording::again(again);
        if self.kind != again.kind || difference != Some(0) {
            self.reason = Some(Reason::Differs {
                first: self.at_a_time,
                again: again.at_a_time,
            });
            self.kind = Kind::Inconclusive;
            self.at_a_time = None;
            self.reword();
        }
        self.evidence.push(numbers);
        self
    }
}
