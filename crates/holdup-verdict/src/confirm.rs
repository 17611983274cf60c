//! When a verdict needs a second measurement, and the verdict of both together.

use std::time::Duration;

use super::reason::Reason;
use super::verdict::{Kind, Verdict};
use super::wording;

/// The longest pause between two rounds. Nobody should have to wait longer without having asked for it.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(15);

impl Verdict {
    /// Whether a single pause of the machine, or of the server, could have caused this verdict: the requests
    /// that it hit are as late as if they had queued, and if it hit all of them, they are as late as if they
    /// shared a resource. Instances of a server that were still starting cause the same pattern, however long
    /// a request takes. In these cases, measure the requests once more and [confirm](Verdict::confirm_with)
    /// the verdict.
    pub fn needs_confirmation(&self) -> bool {
        let doubted = matches!(self.reason, Some(Reason::Shared | Reason::Rate { .. }));
        self.steps.len() == 2 || doubted && self.kind != Kind::Inconclusive
    }

    /// How long to wait before measuring the requests once more. The first measurement uses up the burst of a
    /// rate limit, which needs this time to recover.
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

    /// The verdict of two measurements of the same requests, where `again` is the verdict of the second. If
    /// both agree, it is this one; otherwise it is inconclusive.
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
            let first = self.at_a_time;
            self = self.doubted(Reason::Differs {
                first,
                again: again.at_a_time,
            });
        }
        self.evidence.push(numbers);
        self
    }

    /// The verdict if so many requests ran at a time in a first measurement, and another number in a second
    /// one, as the reason says: it is inconclusive.
    #[must_use]
    pub(super) fn doubted(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self.kind = Kind::Inconclusive;
        self.at_a_time = None;
        self.reword();
        self
    }
}
