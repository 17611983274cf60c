//! The query of a countdown: parsed and validated.

use std::str::Utf8Error;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::format::Format;
use holdup_http::problem::Problem;
use holdup_model::HumanDuration;

/// The default of `from`: the five seconds of Tornado's FAQ.
const FROM: u16 = 5;
/// The largest `from`: ten minutes of one-second ticks.
const FROM_MAX: u16 = 600;
/// The default of `period`.
const PERIOD: Duration = Duration::from_secs(1);
/// The shortest period. The runtime's timers count whole milliseconds and could not keep a shorter
/// one.
const PERIOD_MIN: Duration = Duration::from_millis(1);
/// The longest period. Proxies take a longer pause for a dead connection; many give up after a
/// minute.
const PERIOD_MAX: Duration = Duration::from_secs(60);
/// The longest label, in characters.
const LABEL_MAX: usize = 64;

/// How a countdown is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deliver {
    /// Each tick is sent as a chunk when it happens.
    Stream,
    /// Everything is sent in one response at the end, like the FAQ's own handlers.
    Whole,
}

/// A query with all values in range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The number of the first tick; the countdown ends at 0.
    pub from: u16,
    /// The time between two ticks.
    pub period: Duration,
    /// Whether ticks are sent as they happen, or all at the end.
    pub deliver: Deliver,
    /// The requested format, or `None` to go by `Accept`.
    pub format: Option<Format>,
    /// The label that makes a URL unique, echoed in every tick.
    pub label: Option<String>,
}

impl Query {
    /// Parses a query string. Unknown parameters are ignored, because they are used to make a URL
    /// unique.
    ///
    /// # Errors
    ///
    /// Returns a [`Problem`] that names the first parameter that is out of range, malformed or
    /// given twice, or `from, period` when the countdown would take longer than `longest`.
    pub fn parse(query: &str, longest: Duration) -> Result<Self, Problem> {
        let mut given = Given::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match decoded(name).as_deref() {
                Ok("from") => set(&mut given.from, "from", value, parse_from)?,
                Ok("period") => set(&mut given.period, "period", value, parse_period)?,
                Ok("deliver") => set(&mut given.deliver, "deliver", value, parse_deliver)?,
                Ok("format") => set(&mut given.format, "format", value, parse_format)?,
                Ok("x") => set(&mut given.label, "x", value, parse_label)?,
                // A name that is not UTF-8 counts as unknown.
                Ok(_) | Err(_) => {}
            }
        }

        let query = Self {
            from: given.from.unwrap_or(FROM),
            period: given.period.unwrap_or(PERIOD),
            deliver: given.deliver.unwrap_or(Deliver::Stream),
            format: given.format,
            label: given.label,
        };
        if query.duration() > longest {
            let (from, period) = (query.from, shown(query.period));
            return Err(Problem::bad_parameter(
                "from, period",
                &format!("{from} × {period}"),
                format!(
                    "from × period at most {}, the longest countdown that this server allows",
                    shown(longest)
                ),
            ));
        }
        Ok(query)
    }

    /// How long the whole countdown takes.
    pub fn duration(&self) -> Duration {
        self.period * u32::from(self.from)
    }
}

#[derive(Default)]
struct Given {
    from: Option<u16>,
    period: Option<Duration>,
    deliver: Option<Deliver>,
    format: Option<Format>,
    label: Option<String>,
}

fn set<T>(
    slot: &mut Option<T>,
    name: &'static str,
    value: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<(), Problem> {
    let bad = |value: &str, allowed| Problem::bad_parameter(name, value, allowed);
    // With replacement characters, the label would be a value that the client did not send.
    let text = decoded(value).map_err(|_| bad(value, "percent-encoded UTF-8".to_owned()))?;
    if slot.is_some() {
        return Err(bad(&text, "one value, not several".to_owned()));
    }
    *slot = Some(parse(&text).map_err(|allowed| bad(&text, allowed))?);
    Ok(())
}

/// Decodes a name or value as browsers and HTML forms encode it. As in browsers, a `%` that is not
/// followed by two hexadecimal digits stands for itself.
fn decoded(text: &str) -> Result<String, Utf8Error> {
    let spaced = text.replace('+', " ");
    let bytes = percent_decode_str(&spaced);
    Ok(bytes.decode_utf8()?.into_owned())
}

// Each parser returns the value, or a description of what is allowed.

fn parse_from(value: &str) -> Result<u16, String> {
    let from = value
        .parse()
        .ok()
        .filter(|from| (1..=FROM_MAX).contains(from));
    from.ok_or_else(|| format!("a whole number from 1 to {FROM_MAX}"))
}

fn parse_period(value: &str) -> Result<Duration, String> {
    let period = humantime::parse_duration(value).ok();
    let period = period.filter(|period| (PERIOD_MIN..=PERIOD_MAX).contains(period));
    period.ok_or_else(|| {
        let (min, max) = (shown(PERIOD_MIN), shown(PERIOD_MAX));
        format!("a duration from {min} to {max}, such as 250ms or 2s")
    })
}

fn parse_deliver(value: &str) -> Result<Deliver, String> {
    match value {
        "stream" => Ok(Deliver::Stream),
        "whole" => Ok(Deliver::Whole),
        _ => Err("stream or whole".to_owned()),
    }
}

fn parse_format(value: &str) -> Result<Format, String> {
    let format = Format::ALL
        .into_iter()
        .find(|format| format.name() == value);
    format.ok_or_else(|| "ndjson, text or sse".to_owned())
}

fn parse_label(value: &str) -> Result<String, String> {
    if value.chars().count() > LABEL_MAX {
        return Err(format!("at most {LABEL_MAX} characters"));
    }
    Ok(value.to_owned())
}

/// Renders a configured (not measured) duration, without trailing zeros.
fn shown(duration: Duration) -> String {
    format!("{:#}", HumanDuration(duration))
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
    use proptest::prelude::*;

    use super::*;

    const LONGEST: Duration = Duration::from_secs(60);

    #[test]
    fn no_query_is_five_seconds_of_ticks() {
        let query = Query::parse("", LONGEST).expect("nothing is wrong with it");
        let expected = Query {
            from: 5,
            period: Duration::from_secs(1),
            deliver: Deliver::Stream,
            format: None,
            label: None,
        };
        assert_eq!(query, expected);
    }

    #[test]
    fn what_is_not_utf_8_is_refused_as_it_came() {
        let names = ["from", "period", "deliver", "format", "x"];
        for (name, value) in names
            .iter()
            .zip(["%ff", "1s%FF", "%c3", "%C0%80", "%FF%FE"])
        {
            let problem = Query::parse(&format!("y=%FF&{name}={value}"), LONGEST);
            let detail = problem.expect_err("not UTF-8").to_string();
            let told = format!("{name} is {value:?}; allowed: percent-encoded UTF-8");
            assert_eq!(detail, told);
        }
        let query = Query::parse("%FF=1&y=%FF&fr%6fm=3&x%=%ff", LONGEST);
        assert_eq!(query.expect("all of it is unknown or fine").from, 3);
    }

    #[test]
    fn a_percent_sign_that_encodes_nothing_stands_for_itself() {
        for (value, label) in [
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%%41", "%A"),
            ("%u00e9", "%u00e9"),
            ("%2541", "%41"),
            ("a+b%2B", "a b+"),
            ("a=b", "a=b"),
        ] {
            let query = Query::parse(&format!("x={value}"), LONGEST).expect("a label");
            assert_eq!(query.label.as_deref(), Some(label), "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_label_is_read_exactly_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let encoded = percent_encode(&bytes, NON_ALPHANUMERIC);
            let query = Query::parse(&format!("x={encoded}"), LONGEST);
            match String::from_utf8(bytes) {
                Ok(label) if label.chars().count() <= LABEL_MAX => {
                    prop_assert_eq!(query.expect("a label").label, Some(label));
                }
                _ => prop_assert!(query.is_err()),
            }
        }

        #[test]
        fn any_query_is_parsed_or_refused(query in ".{0,200}") {
            if let Ok(query) = Query::parse(&query, LONGEST) {
                prop_assert!((1..=FROM_MAX).contains(&query.from));
                prop_assert!((PERIOD_MIN..=PERIOD_MAX).contains(&query.period));
                prop_assert!(query.duration() <= LONGEST);
            }
        }

        #[test]
        fn any_parameter_is_in_range_or_named_in_the_problem(
            name in "from|period|deliver|format|x",
            value in "[0-9a-z%.-]{0,80}",
        ) {
            match Query::parse(&format!("{name}={value}"), LONGEST) {
                Ok(query) => prop_assert!(query.duration() <= LONGEST),
                Err(problem) => prop_assert!(problem.to_string().contains(&name)),
            }
        }

        #[test]
        fn values_in_range_are_parsed_exactly(
            from in 1..=FROM_MAX,
            milliseconds in 1_u64..100,
            label in "[a-zA-Z0-9]{0,64}",
        ) {
            let text = format!("x={label}&from={from}&period={milliseconds}ms&deliver=whole&format=sse");
            let query = Query::parse(&text, LONGEST).expect("all in range");
            prop_assert_eq!(query, Query {
                from,
                period: Duration::from_millis(milliseconds),
                deliver: Deliver::Whole,
                format: Some(Format::Sse),
                label: Some(label),
            });
        }
    }
}
