//! The query parameters of `/requests` and `/waits`.

use std::ops::RangeInclusive;
use std::time::Duration;

use url::form_urlencoded;

use holdup_http::problem::Problem;

/// How many requests are listed, unless the query says otherwise.
const MOST: u64 = 1000;
const MOST_ALLOWED: RangeInclusive<u64> = 1..=10_000;

/// Milliseconds, up to a day.
const MIN_AGE_ALLOWED: RangeInclusive<u64> = 0..=86_400_000;

/// The parameter of the most requests that are listed.
pub(super) const MOST_NAME: &str = "most";
/// The parameter of the least age, in milliseconds.
pub(super) const MIN_AGE_NAME: &str = "min_age_ms";

/// What a query asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// The most requests to list.
    pub(super) most: usize,
    /// Only requests that are at least this old, or have waited for so long.
    pub(super) min_age: Duration,
}

impl Asked {
    /// Parses the query of a path that knows the parameters in `known`.
    ///
    /// # Errors
    ///
    /// Returns a [`Problem`] that names the first parameter that is unknown, given twice, no number, or out of
    /// range.
    pub(super) fn parse(query: &str, known: &[&'static str]) -> Result<Self, Problem> {
        let (mut most, mut min_age) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(name) = known.iter().find(|known| **known == name) else {
                let parameters = if known.len() == 1 {
                    "parameter"
                } else {
                    "parameters"
                };
                let allowed = format!("only the {parameters} {}", known.join(" and "));
                return Err(Problem::bad_parameter(name.into_owned(), &value, allowed));
            };
            let (place, range) = match *name {
                MOST_NAME => (&mut most, MOST_ALLOWED),
                _ => (&mut min_age, MIN_AGE_ALLOWED),
            };
            let bad = |allowed| Problem::bad_parameter(*name, &value, allowed);
            if place.is_some() {
                return Err(bad("one value, not several".to_owned()));
            }
            let number = value.parse().ok().filter(|number| range.contains(number));
            let allowed = || format!("a whole number from {} to {}", range.start(), range.end());
            *place = Some(number.ok_or_else(|| bad(allowed()))?);
        }
        Ok(Self {
            most: usize::try_from(most.unwrap_or(MOST)).unwrap_or(usize::MAX),
            min_age: Duration::from_millis(min_age.unwrap_or(0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &[&str] = &[MOST_NAME, MIN_AGE_NAME];

    #[test]
    fn a_query_says_how_many_and_how_old() {
        let parsed = |query| Asked::parse(query, BOTH).expect("nothing is wrong with it");
        let asked = |most, min_age| Asked {
            most,
            min_age: Duration::from_millis(min_age),
        };
        assert_eq!(parsed(""), asked(1000, 0));
        assert_eq!(parsed("most=1"), asked(1, 0));
        assert_eq!(parsed("min_age_ms=250&most=10000&"), asked(10_000, 250));
        assert_eq!(parsed("m%6fst=%37"), asked(7, 0));
    }

    #[test]
    fn a_query_that_cannot_be_used_is_refused_with_what_is_allowed() {
        let number = "allowed: a whole number from";
        for (query, told) in [
            ("most=0", format!("most is \"0\"; {number} 1 to 10000")),
            (
                "most=10001",
                format!("most is \"10001\"; {number} 1 to 10000"),
            ),
            ("most=-1", format!("most is \"-1\"; {number} 1 to 10000")),
            ("most", format!("most is \"\"; {number} 1 to 10000")),
            (
                "min_age_ms=1e3",
                format!("min_age_ms is \"1e3\"; {number} 0 to 86400000"),
            ),
            (
                "min_age_ms=86400001",
                format!("min_age_ms is \"86400001\"; {number} 0 to 86400000"),
            ),
            (
                "most=1&most=1",
                "most is \"1\"; allowed: one value, not several".to_owned(),
            ),
            (
                "min_age=1",
                "min_age is \"1\"; allowed: only the parameters most and min_age_ms".to_owned(),
            ),
        ] {
            let problem = Asked::parse(query, BOTH).expect_err(query);
            assert_eq!(problem.to_string(), told);
        }
        let problem = Asked::parse("most=5", &[MIN_AGE_NAME]).expect_err("another path's");
        let told = "most is \"5\"; allowed: only the parameter min_age_ms";
        assert_eq!(problem.to_string(), told);
    }

    proptest::proptest! {
        #[test]
        fn any_query_is_parsed_or_refused(query in ".{0,60}") {
            if let Ok(asked) = Asked::parse(&query, BOTH) {
                proptest::prop_assert!((1..=10_000).contains(&asked.most));
            }
        }
    }
}
