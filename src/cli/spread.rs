//! What `--spread` asks for.

use std::num::NonZeroUsize;
use std::str::FromStr;

use holdup_probe::{LEAST_CONNECTIONS, MOST_CONNECTIONS};
use holdup_verdict::LEAST_EACH;

/// How many connections are opened, and how many workers there are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connections {
    pub(crate) count: usize,
    pub(crate) workers: Option<NonZeroUsize>,
}

impl FromStr for Connections {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let (count, workers) = match given.split_once('/') {
            Some((count, workers)) => (count, Some(workers)),
            None => (given, None),
        };
        let count = count.parse().ok();
        let range = LEAST_CONNECTIONS..=MOST_CONNECTIONS;
        let count = count.filter(|count| range.contains(count)).ok_or_else(|| {
            format!(
                "the number of connections is no whole number from {LEAST_CONNECTIONS} to {MOST_CONNECTIONS}; use \
                 for example 100, or 100/4 for 4 workers"
            )
        })?;
        let workers = workers.map(|workers| {
            let number = workers.parse().ok().filter(|number| *number >= 2);
            let number = number.and_then(NonZeroUsize::new);
            number.ok_or_else(|| {
                format!("the number of workers is {workers:?}; use a whole number, 2 or more")
            })
        });
        let workers = workers.transpose()?;
        match workers {
            Some(several) if several.get().saturating_mul(LEAST_EACH) > count => Err(format!(
                "{count} connections are too few for {several} workers; use at least {LEAST_EACH} for each, {}",
                several.get().saturating_mul(LEAST_EACH)
            )),
            _ => Ok(Self { count, workers }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_read_with_and_without_workers() {
        for (given, count, workers) in [
            ("100", 100, None),
            ("10", 10, None),
            ("10000/2000", 10_000, NonZeroUsize::new(2000)),
            ("100/4", 100, NonZeroUsize::new(4)),
        ] {
            assert_eq!(given.parse(), Ok(Connections { count, workers }), "{given}");
        }
        for (given, told) in [
            ("", "from 10 to 10000"),
            ("9", "from 10 to 10000"),
            ("10001", "from 10 to 10000"),
            ("-5", "from 10 to 10000"),
            ("many/4", "from 10 to 10000"),
            (
                "100/",
                "the number of workers is \"\"; use a whole number, 2 or more",
            ),
            ("100/1", "the number of workers is \"1\""),
            ("100/4/2", "the number of workers is \"4/2\""),
            (
                "100/21",
                "100 connections are too few for 21 workers; use at least 5 for each, 105",
            ),
        ] {
            let error = given.parse::<Connections>().expect_err(given);
            assert!(error.contains(told), "{given}: {error}");
        }
    }
}
