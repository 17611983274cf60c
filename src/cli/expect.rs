//! What `--expect` expects.

use std::fmt;
use std::str::FromStr;

use holdup_verdict::{BesideKind, Kind, SpreadKind};

/// What is allowed, in words.
const ALLOWED: &str = "concurrent, serialized, limited, limited=N, beside=VERDICT, streamed, buffered, single, \
                       one-connection=VERDICT, spread=VERDICT";

/// The most that can be expected to run at a time: the thousand requests that are sent at once at most show no more.
const MOST: usize = 833;

/// One thing that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// The verdict.
    Verdict(Kind),
    /// A limit of exactly this many at a time.
    Limited(usize),
    /// How all bystanders fare.
    Beside(BesideKind),
    /// How the answer is delivered.
    Delivery(&'static str),
    /// The verdict on the requests on one HTTP/2 connection.
    OneConnection(Kind),
    /// How connections are spread.
    Spread(SpreadKind),
}

impl Expectation {
    /// Whether both can never be true together.
    pub(crate) fn contradicts(self, other: Self) -> bool {
        match (self, other) {
            (Self::Verdict(kind), Self::Limited(_)) | (Self::Limited(_), Self::Verdict(kind)) => {
                kind != Kind::Limited
            }
            (Self::Verdict(_), Self::Verdict(_))
            | (Self::Limited(_), Self::Limited(_))
            | (Self::Beside(_), Self::Beside(_))
            | (Self::Delivery(_), Self::Delivery(_))
            | (Self::OneConnection(_), Self::OneConnection(_))
            | (Self::Spread(_), Self::Spread(_)) => self != other,
            _ => false,
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict(kind) => write!(f, "{kind}"),
            Self::Limited(count) => write!(f, "limited={count}"),
            Self::Beside(kind) => write!(f, "beside={kind}"),
            Self::Delivery(name) => f.write_str(name),
            Self::OneConnection(kind) => write!(f, "one-connection={kind}"),
            Self::Spread(kind) => write!(f, "spread={kind}"),
        }
    }
}

impl FromStr for Expectation {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let given = given.trim();
        match given.split_once('=') {
            Some(("limited", count)) => limited(count),
            Some(("beside", verdict)) => beside(verdict),
            Some(("spread", verdict)) => spread(verdict),
            Some(("one-connection", verdict)) => match verdict_of(verdict) {
                Some(kind) => Ok(Self::OneConnection(kind)),
                None => Err(format!(
                    "{verdict:?} is no verdict on one connection; allowed: concurrent, serialized, limited"
                )),
            },
            Some(_) => Err(format!("allowed: {ALLOWED}")),
            None => ["streamed", "buffered", "single"]
                .into_iter()
                .find(|name| *name == given)
                .map(Self::Delivery)
                .or_else(|| verdict_of(given).map(Self::Verdict))
                .ok_or_else(|| format!("allowed: {ALLOWED}")),
        }
    }
}

fn verdict_of(given: &str) -> Option<Kind> {
    [Kind::Concurrent, Kind::Serialized, Kind::Limited]
        .into_iter()
        .find(|kind| kind.to_string() == given)
}

fn limited(given: &str) -> Result<Expectation, String> {
    match given.parse() {
        Ok(1) => Err("one at a time is \"serialized\"".to_owned()),
        Ok(count @ 2..=MOST) => Ok(Expectation::Limited(count)),
        _ => Err(format!(
            "{given:?} is no limit; allowed: a whole number from 2 to {MOST}"
        )),
    }
}

fn beside(given: &str) -> Result<Expectation, String> {
    let kinds = [
        BesideKind::Untouched,
        BesideKind::Slowed,
        BesideKind::SomeFrozen,
        BesideKind::Frozen,
    ];
    let kind = kinds.into_iter().find(|kind| kind.to_string() == given);
    kind.map(Expectation::Beside).ok_or_else(|| {
        let names = kinds.map(|kind| kind.to_string()).join(", ");
        format!("{given:?} is no verdict on a bystander; allowed: {names}")
    })
}

fn spread(given: &str) -> Result<Expectation, String> {
    let kinds = [SpreadKind::Even, SpreadKind::Uneven];
    let kind = kinds.into_iter().find(|kind| kind.to_string() == given);
    kind.map(Expectation::Spread)
        .ok_or_else(|| format!("{given:?} is no verdict on a spread; allowed: even, uneven"))
}

#[cfg(test)]
mod tests {
    use holdup_verdict::fewest_to_show;

    use super::*;
    use crate::cli::MOST_REQUESTS;

    #[test]
    fn each_expectation_is_read_as_it_is_written() {
        for text in [
            "concurrent",
            "serialized",
            "limited",
            "limited=8",
            "beside=untouched",
            "beside=some_frozen",
            "streamed",
            "buffered",
            "single",
            "one-connection=concurrent",
            "spread=even",
        ] {
            let read: Expectation = text.parse().expect(text);
            assert_eq!(read.to_string(), text);
            assert_eq!(format!(" {text}").parse(), Ok(read));
        }
    }

    #[test]
    fn an_error_says_what_is_allowed() {
        for (text, told) in [
            ("fast", "concurrent, serialized, limited, limited=N"),
            ("", "concurrent, serialized, limited"),
            ("inconclusive", "concurrent, serialized, limited"),
            ("serialized=1", "one-connection=VERDICT"),
            (
                "limited=many",
                "\"many\" is no limit; allowed: a whole number",
            ),
            ("limited=1", "\"serialized\""),
            ("limited=834", "from 2 to 833"),
            (
                "beside=ok",
                "allowed: untouched, slowed, some_frozen, frozen",
            ),
            (
                "one-connection=fast",
                "allowed: concurrent, serialized, limited",
            ),
            ("spread=fair", "allowed: even, uneven"),
        ] {
            let error = text.parse::<Expectation>().expect_err(text);
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn the_most_that_can_be_expected_is_the_most_that_can_show() {
        assert!(fewest_to_show(MOST) <= MOST_REQUESTS);
        assert!(fewest_to_show(MOST + 1) > MOST_REQUESTS);
    }

    #[test]
    fn what_cannot_be_true_together_contradicts() {
        let contradict = |one: &str, other: &str| {
            let (one, other): (Expectation, Expectation) =
                (one.parse().expect(one), other.parse().expect(other));
            assert_eq!(one.contradicts(other), other.contradicts(one));
            one.contradicts(other)
        };
        assert!(contradict("concurrent", "limited"));
        assert!(contradict("serialized", "limited=8"));
        assert!(contradict("limited=4", "limited=8"));
        assert!(contradict("streamed", "single"));
        assert!(!contradict("limited", "limited=8"));
        assert!(!contradict("limited", "limited"));
        assert!(!contradict("serialized", "one-connection=concurrent"));
        assert!(!contradict("concurrent", "beside=frozen"));
        assert!(contradict("spread=even", "spread=uneven"));
    }
}
