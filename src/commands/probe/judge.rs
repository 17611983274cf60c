//! Whether all that is expected holds, and the exit code.

use holdup_probe::Report;
use holdup_verdict::Kind;

use super::exit;
use super::expect::{Facts, Held};
use crate::cli::Expectation;
use crate::commands;

/// What was found.
pub(super) struct Found {
    /// What is expected, and whether it holds.
    pub(super) judged: Vec<(Expectation, Held)>,
    pub(super) code: u8,
    /// Whether all that was found could be printed, and written to the files that are asked for.
    pub(super) is_written: bool,
    /// The report as text, without colours.
    pub(super) text: String,
}

/// Judges a report. Without an expectation, the requests should be concurrent.
pub(super) fn judged(report: &Report, expected: &[Expectation], text: String) -> Found {
    let facts = Facts::of(report);
    let usual = Expectation::Verdict(Kind::Concurrent);
    if report.is_elsewhere() && !expected.is_empty() {
        return elsewhere(&report.redirected_from[0], &report.url, expected, text);
    }
    judge(usual, expected, text, |expected| facts.hold(expected))
}

/// Judges each expectation, and says on stderr what does not hold. Without an expectation, what is usual is expected,
/// which needs no saying, because the report begins with it.
pub(super) fn judge(
    usual: Expectation,
    expected: &[Expectation],
    text: String,
    hold: impl Fn(Expectation) -> Held,
) -> Found {
    if expected.is_empty() {
        return Found::new(vec![(usual, hold(usual))], text);
    }
    let judged: Vec<_> = expected
        .iter()
        .map(|expected| (*expected, hold(*expected)))
        .collect();
    for (expected, held) in &judged {
        if let Some(sentence) = sentence(*expected, held) {
            commands::warn(sentence);
        }
    }
    Found::new(judged, text)
}

/// What is found if the URL leads to another page: nothing that is expected of it can be told.
pub(super) fn elsewhere(from: &str, to: &str, expected: &[Expectation], text: String) -> Found {
    let why = format!(
        "{from} redirects to another page, {to}, but --expect judges the page that was given. Give the URL of that \
         other page, or send what keeps the server from redirecting (for example, the cookie of a log-in with -H)"
    );
    commands::warn(&why);
    let unknown = |expected: &Expectation| (*expected, Held::Unknown(why.clone()));
    Found::new(expected.iter().map(unknown).collect(), text)
}

/// Why an expectation does not hold; `None` if it does.
pub(super) fn sentence(expected: Expectation, held: &Held) -> Option<String> {
    match held {
        Held::Yes => None,
        Held::No(found) => Some(format!("expected {expected}, but {found}")),
        Held::Unknown(why) => Some(format!("expected {expected}, which cannot be told: {why}")),
    }
}

impl Found {
    fn new(judged: Vec<(Expectation, Held)>, text: String) -> Self {
        let any = |is: fn(&Held) -> bool| judged.iter().any(|(_, held)| is(held));
        let code = if any(|held| matches!(held, Held::No(_))) {
            exit::NO
        } else if any(|held| matches!(held, Held::Unknown(_))) {
            exit::INCONCLUSIVE
        } else {
            0
        };
        Self {
            judged,
            code,
            is_written: true,
            text,
        }
    }
}
