//! Whether what was found is as expected.

use holdup_probe::Report;
use holdup_verdict::{BesideKind, Kind};

use crate::cli::Expectation;

/// Whether an expectation holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    Yes,
    /// It does not, and what was found instead.
    No(String),
    /// It cannot be told, and why.
    Unknown(String),
}

/// What was found, as far as it can be expected.
#[derive(Debug)]
pub(super) struct Facts {
    /// How many requests were sent at once.
    requests: usize,
    verdict: Kind,
    at_a_time: Option<usize>,
    /// Why the verdict is inconclusive.
    because: String,
    limit: Option<Limit>,
    delivery: Option<&'static str>,
    /// The bystanders' URLs, with their verdicts if they were measured.
    beside: Vec<(String, Option<BesideKind>)>,
    /// The verdict on one connection, and its sentence.
    connection: Option<(Kind, String)>,
}

/// What `--limit` found.
#[derive(Debug)]
struct Limit {
    at_a_time: Option<usize>,
    confirmed: bool,
    /// How many run at a time at least.
    at_least: usize,
    sentence: String,
}

impl Facts {
    pub(super) fn of(report: &Report) -> Self {
        let found = &report.found;
        let limit = found.limit.as_ref().map(|limit| Limit {
            at_a_time: limit.at_a_time,
            confirmed: limit.confirmed,
            at_least: limit.at_least,
            sentence: limit.sentence.clone(),
        });
        let kind = |place: usize| found.beside.get(place).map(|beside| beside.kind);
        let beside = report.beside.iter().enumerate();
        Self {
            requests: report.requests,
            verdict: found.verdict.kind,
            at_a_time: found.verdict.at_a_time,
            because: found.verdict.because().unwrap_or_default(),
            limit,
            delivery: found.delivery.name(),
            beside: beside
                .map(|(place, url)| (url.clone(), kind(place)))
                .collect(),
            connection: found
                .connection
                .as_ref()
                .map(|connection| (connection.verdict, connection.sentence.clone())),
        }
    }

    /// Whether an expectation holds.
    pub(super) fn hold(&self, expected: Expectation) -> Held {
        match expected {
            Expectation::Verdict(kind) => self.verdict_is(kind),
            Expectation::Limited(count) => self.limit_is(count),
            Expectation::Beside(kind) => self.beside_is(kind),
            Expectation::Delivery(name) => match self.delivery {
                Some(found) if found == name => Held::Yes,
                Some(found) => Held::No(format!("the answer is {}", delivered(found))),
                None => Held::Unknown(
                    "the answer is too short to show whether it is streamed, did not end, or was read only at \
                     its beginning (--for, --first)"
                        .to_owned(),
                ),
            },
            Expectation::Spread(_) => Held::Unknown("the spread was not measured".to_owned()),
            Expectation::OneConnection(kind) => match &self.connection {
                Some((found, _)) if *found == kind => Held::Yes,
                Some((Kind::Inconclusive, sentence)) => Held::Unknown(without_stop(sentence)),
                Some((found, _)) => Held::No(format!("on one connection, they are {found}")),
                None => Held::Unknown("nothing was measured over HTTP/2".to_owned()),
            },
        }
    }

    fn verdict_is(&self, kind: Kind) -> Held {
        if self.verdict == kind {
            Held::Yes
        } else if self.verdict == Kind::Inconclusive {
            Held::Unknown(format!("the verdict is inconclusive: {}", self.because))
        } else {
            Held::No(format!("the verdict is {}", self.in_words()))
        }
    }

    /// What `--limit` found counts more than the verdict, which rests on fewer requests.
    fn limit_is(&self, count: usize) -> Held {
        let Some(limit) = &self.limit else {
            return match (self.verdict, self.at_a_time) {
                (Kind::Limited, Some(found)) if found == count => Held::Yes,
                (Kind::Limited, Some(found)) => Held::No(format!("{found} ran at a time")),
                (Kind::Limited, None) => {
                    Held::Unknown("how many ran at a time does not show".to_owned())
                }
                _ => self.verdict_is(Kind::Limited),
            };
        };
        match limit.at_a_time {
            Some(found) if found == count && limit.confirmed => Held::Yes,
            Some(found) if limit.confirmed => Held::No(format!("{found} ran at a time")),
            _ if limit.at_least > count => {
                Held::No(format!("at least {} ran at a time", limit.at_least))
            }
            Some(found) if found == count => {
                Held::Unknown(format!("{found} ran at a time only once"))
            }
            _ if self.verdict == Kind::Serialized
                || self.verdict == Kind::Concurrent && self.requests > count =>
            {
                self.verdict_is(Kind::Limited)
            }
            _ => Held::Unknown(without_stop(&limit.sentence)),
        }
    }

    fn beside_is(&self, kind: BesideKind) -> Held {
        let other = |found: &&(String, Option<BesideKind>)| {
            !matches!(found.1, None | Some(BesideKind::Inconclusive)) && found.1 != Some(kind)
        };
        if let Some((url, Some(found))) = self.beside.iter().find(other) {
            return Held::No(format!("{url} is {found}"));
        }
        let unclear = self.beside.iter().find(|(_, found)| *found != Some(kind));
        match unclear {
            Some((url, Some(_))) => Held::Unknown(format!("the verdict on {url} is inconclusive")),
            Some((url, None)) => Held::Unknown(format!("{url} was not measured")),
            None => Held::Yes,
        }
    }

    fn in_words(&self) -> String {
        match (self.verdict, self.at_a_time) {
            (Kind::Limited, Some(count)) => format!("limited, with {count} at a time"),
            (kind, _) => kind.to_string(),
        }
    }
}

fn delivered(name: &str) -> &str {
    match name {
        "single" => "in one piece (single)",
        name => name,
    }
}

fn without_stop(sentence: &str) -> String {
    sentence.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(verdict: Kind, at_a_time: Option<usize>) -> Facts {
        Facts {
            requests: 4,
            verdict,
            at_a_time,
            because: "it failed".to_owned(),
            limit: None,
            delivery: Some("single"),
            beside: Vec::new(),
            connection: None,
        }
    }

    fn limit(at_a_time: Option<usize>, confirmed: bool, at_least: usize) -> Limit {
        Limit {
            at_a_time,
            confirmed,
            at_least,
            sentence: "How many run at a time does not show.".to_owned(),
        }
    }

    #[track_caller]
    fn held(facts: &Facts, expected: &str) -> &'static str {
        match facts.hold(expected.parse().expect("an expectation")) {
            Held::Yes => "yes",
            Held::No(_) => "no",
            Held::Unknown(_) => "unknown",
        }
    }

    #[test]
    fn a_verdict_holds_or_not_and_an_inconclusive_one_tells_nothing() {
        let limited = facts(Kind::Limited, Some(4));
        for (expected, told) in [
            ("limited", "yes"),
            ("limited=4", "yes"),
            ("limited=8", "no"),
            ("concurrent", "no"),
            ("single", "yes"),
            ("streamed", "no"),
            ("one-connection=concurrent", "unknown"),
        ] {
            assert_eq!(held(&limited, expected), told, "{expected}");
        }
        let inconclusive = Facts {
            delivery: None,
            ..facts(Kind::Inconclusive, None)
        };
        for expected in ["limited", "limited=4", "serialized", "streamed"] {
            assert_eq!(held(&inconclusive, expected), "unknown", "{expected}");
        }
        // `limited=4` and more are refused before anything is sent: four requests can never show them.
        for expected in ["limited", "limited=2", "limited=3"] {
            assert_eq!(
                held(&facts(Kind::Concurrent, Some(4)), expected),
                "no",
                "{expected}"
            );
        }
        let eight = "limited=8".parse().expect("an expectation");
        let told = Held::No("4 ran at a time".to_owned());
        assert_eq!(limited.hold(eight), told);
    }

    #[test]
    fn a_limit_that_was_searched_for_counts_more_than_the_verdict() {
        for (found, told) in [
            (limit(Some(8), true, 8), "yes"),
            (limit(Some(8), false, 8), "unknown"),
            (limit(Some(16), true, 16), "no"),
            (limit(None, false, 128), "no"),
            // What it is does not show, but that it is more does.
            (limit(None, false, 9), "no"),
            (limit(Some(16), false, 16), "no"),
            (limit(None, false, 8), "unknown"),
            (limit(Some(6), false, 6), "unknown"),
        ] {
            let facts = Facts {
                limit: Some(found),
                ..facts(Kind::Concurrent, Some(4))
            };
            assert_eq!(held(&facts, "limited=8"), told, "{facts:?}");
            assert_eq!(held(&facts, "concurrent"), "yes");
        }
        let serialized = Facts {
            limit: Some(limit(None, false, 1)),
            ..facts(Kind::Serialized, Some(1))
        };
        assert_eq!(held(&serialized, "limited=8"), "no");
    }

    #[test]
    fn all_bystanders_have_to_be_as_expected() {
        let beside = |kinds: &[Option<BesideKind>]| {
            let beside = kinds.iter().map(|kind| ("http://h/".to_owned(), *kind));
            let facts = Facts {
                beside: beside.collect(),
                ..facts(Kind::Serialized, Some(1))
            };
            held(&facts, "beside=untouched")
        };
        let (well, frozen) = (Some(BesideKind::Untouched), Some(BesideKind::Frozen));
        let unclear = Some(BesideKind::Inconclusive);
        assert_eq!(beside(&[well, well]), "yes");
        assert_eq!(beside(&[well, frozen]), "no");
        assert_eq!(beside(&[well, unclear]), "unknown");
        // One that surely fails decides.
        assert_eq!(beside(&[unclear, frozen]), "no");
        assert_eq!(beside(&[well, None]), "unknown");
    }

    #[test]
    fn one_connection_has_a_verdict_of_its_own() {
        let on_one = |kind| Facts {
            connection: Some((kind, "It failed.".to_owned())),
            ..facts(Kind::Concurrent, Some(4))
        };
        let expected = "one-connection=concurrent";
        assert_eq!(held(&on_one(Kind::Concurrent), expected), "yes");
        assert_eq!(held(&on_one(Kind::Serialized), expected), "no");
        assert_eq!(held(&on_one(Kind::Inconclusive), expected), "unknown");
    }
}
