//! Medians, and how sure they are.

use serde::Serialize;

/// A median with the interval in which the true one lies in 95 of 100 such measurements.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Middle {
    pub(crate) median: f64,
    /// `None` with fewer than six figures, which are too few for such an interval.
    pub(crate) interval: Option<[f64; 2]>,
}

impl Middle {
    /// Of at least one figure.
    ///
    /// The interval goes from one of the figures to another. It assumes nothing of how they are
    /// distributed: a figure is as likely below the true median as above it, so the number of those
    /// below follows the binomial distribution.
    pub(crate) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let interval =
            outside(figures.len()).map(|cut| [figures[cut], figures[figures.len() - 1 - cut]]);
        Self {
            median: f64::midpoint(figures[(figures.len() - 1) / 2], figures[figures.len() / 2]),
            interval,
        }
    }

    /// Half the width of the interval.
    pub(crate) fn noise(&self) -> Option<f64> {
        self.interval.map(|[low, high]| (high - low) / 2.0)
    }
}

/// How many of `count` sorted figures are outside of the interval at each side: the most of which both
/// sides together are as unlikely as 5 %.
fn outside(count: usize) -> Option<usize> {
    // The probability that exactly `below` of the figures are below the true median.
    let mut exactly = 0.5_f64.powi(i32::try_from(count).ok()?);
    let (mut at_most, mut cut) = (0.0, None);
    for below in 0..count {
        at_most += exactly;
        if at_most > 0.025 {
            break;
        }
        cut = Some(below);
        exactly *= (count - below) as f64 / (below + 1) as f64;
    }
    cut
}
