//! Where times are on the picture's axis.

use std::time::Duration;

use super::picture::Picture;
use holdup_model::Lane;

/// The times that the axis shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

impl Axis {
    /// From the first request to the last mark, or to `now` while requests are running.
    pub(crate) fn of(picture: &Picture<'_>, now: Option<Duration>) -> Self {
        let from = picture.requests().map(Lane::requested_at).min();
        let from = from.unwrap_or_default();
        let beside = picture
            .bystanders
            .iter()
            .flat_map(|beside| &beside.requests);
        let answered = beside.filter_map(Lane::ended_at).max();
        let lanes = picture.lanes.end().max(now.unwrap_or_default());
        let to = lanes.max(answered.unwrap_or_default()).max(from);
        Self { from, to }
    }

    pub(crate) fn length(self) -> Duration {
        self.to.saturating_sub(self.from)
    }

    /// Where `time` is on an axis from 0 to 1.
    pub(crate) fn place(self, time: Duration) -> f64 {
        let length = self.length();
        if length.is_zero() {
            return 0.0;
        }
        let time = time.clamp(self.from, self.to).saturating_sub(self.from);
        time.div_duration_f64(length)
    }

    /// When a lane's marks are drawn. A lane that has not ended is drawn to the end of the axis.
    pub(crate) fn marks(self, lane: &Lane) -> Marks {
        let asked = lane.requested_at();
        let end = lane.ended_at().unwrap_or(self.to).max(asked);
        let first_byte = lane.first_byte_at().map(|at| at.clamp(asked, end));
        Marks {
            asked,
            first_byte,
            end,
        }
    }
}

/// The times of a lane's marks, in order: nothing comes before the request was asked or after it
/// ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    pub(crate) asked: Duration,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) end: Duration,
}

impl Marks {
    /// When a chunk is drawn that was recorded at `at`.
    pub(crate) fn chunk(self, at: Duration) -> Duration {
        at.clamp(self.first_byte.unwrap_or(self.asked), self.end)
    }
}
