//! The limits of what a console keeps, serves and waits for.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::error::StartError;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// The upper limit of every count. A page with more would not be legible.
const MOST: usize = 10_000;

/// The limits of one console.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bounds {
    /// The most lanes that are kept and shown.
    pub(crate) lanes: usize,
    /// The most simultaneous readers of `/events`.
    pub(crate) readers: usize,
    /// The most simultaneous connections, including those of readers.
    pub(crate) connections: usize,
    /// The upper bounds of the histogram of hold durations.
    pub(crate) buckets: Vec<Duration>,
    /// The longest that the requests of one round of a probe may take in sequence.
    pub(crate) longest_round: Duration,
    /// How long a client may leave sent bytes unread before its connection is closed.
    pub(crate) unread: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        // The range is from the threshold of a hold to the longest countdown.
        let buckets = [100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000];
        Self {
            lanes: 100,
            readers: 16,
            connections: 32,
            buckets: buckets.map(Duration::from_millis).to_vec(),
            longest_round: Duration::from_secs(60),
            unread: Duration::from_secs(30),
        }
    }
}

impl Bounds {
    /// # Errors
    ///
    /// Returns the first bound that is out of range.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        within("Builder::lanes", &self.lanes, &(1..=MOST))?;
        within("Builder::readers", &self.readers, &(1..=MOST))?;
        // One more than the readers, so that readers cannot lock out Prometheus and everybody else.
        let connections = self.readers + 1..=2 * MOST;
        within("Builder::connections", &self.connections, &connections)?;
        let time = SECOND..=HOUR;
        within("Builder::longest_round", &self.longest_round, &time)?;
        within("Builder::unread_timeout", &self.unread, &time)?;
        let ascends = self.buckets.is_sorted_by(|one, next| one < next);
        if self.buckets.is_empty() || self.buckets[0].is_zero() || !ascends {
            return Err(StartError::Bound {
                option: "Builder::histogram_buckets",
                given: format!("{:?}", self.buckets),
                allowed: "one or more, each longer than the one before".to_owned(),
            });
        }
        Ok(())
    }
}

fn within<T: PartialOrd + Debug>(
    option: &'static str,
    given: &T,
    allowed: &RangeInclusive<T>,
) -> Result<(), StartError> {
    if allowed.contains(given) {
        return Ok(());
    }
    Err(StartError::Bound {
        option,
        given: format!("{given:?}"),
        allowed: format!("{:?} to {:?}", allowed.start(), allowed.end()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_out_of_range_is_named_with_what_is_allowed() {
        assert!(Bounds::default().check().is_ok());
        let told = |change: fn(&mut Bounds)| {
            let mut bounds = Bounds::default();
            change(&mut bounds);
            bounds.check().expect_err("out of range").to_string()
        };
        assert_eq!(
            told(|bounds| bounds.lanes = 0),
            "Builder::lanes is 0; allowed: 1 to 10000"
        );
        assert_eq!(
            told(|bounds| bounds.readers = 0),
            "Builder::readers is 0; allowed: 1 to 10000"
        );
        assert_eq!(
            told(|bounds| bounds.readers = 32),
            "Builder::connections is 32; allowed: 33 to 20000"
        );
        assert_eq!(
            told(|bounds| bounds.longest_round = Duration::ZERO),
            "Builder::longest_round is 0ns; allowed: 1s to 3600s"
        );
        assert_eq!(
            told(|bounds| bounds.unread = 2 * HOUR),
            "Builder::unread_timeout is 7200s; allowed: 1s to 3600s"
        );
        for bad in [
            |bounds: &mut Bounds| bounds.buckets.clear(),
            |bounds: &mut Bounds| bounds.buckets[0] = Duration::ZERO,
            |bounds: &mut Bounds| bounds.buckets.swap(1, 2),
            |bounds: &mut Bounds| bounds.buckets[1] = bounds.buckets[0],
        ] {
            let told = told(bad);
            assert!(
                told.starts_with("Builder::histogram_buckets is ["),
                "{told}"
            );
        }
    }
}
