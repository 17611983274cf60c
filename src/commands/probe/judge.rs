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

/// A page that was measured instead of the one that was given, because redirects led to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elsewhere<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
}

/// Judges a report. Without an expectation, the requests should be concurrent.
pub(super) fn judged(report: &Report, expected: &[Expectation], text: String) -> Found {
    let facts = Facts::of(report);
    let usual = Expectation::Verdict(Kind::Concurrent);
    let elsewhere = report.is_elsewhere().then(|| Elsewhere {
        from: &report.redirected_from[0],
        to: &report.url,
    });
    judge((usual, expected), elsewhere, text, |expected| {
        facts.hold(expected)
    })
}

/// Judges each expectation, and says on stderr what does not hold. Without an expectation, what is usual is expected,
/// which needs no saying, because the report begins with it.
pub(super) fn judge(
    (usual, expected): (Expectation, &[Expectation]),
    elsewhere: Option<Elsewhere<'_>>,
    text: String,
    hold: impl Fn(Expectation) -> Held,
) -> Found {
    if expected.is_empty() {
        let mut judged = vec![(usual, hold(usual))];
        // The exit code tells of the page that was measured, but a test of the one that was given.
        let code = code(&judged);
        if let Some(page) = elsewhere {
            judged = vec![(usual, Held::Unknown(page.sentence("the test is for")))];
        }
        return Found {
            judged,
            code,
            is_written: true,
            text,
        };
    }
    let why = elsewhere.map(|page| page.sentence("--expect judges"));
    if let Some(why) = &why {
        commands::warn(why);
    }
    let judged: Vec<_> = expected
        .iter()
        .map(|expected| match &why {
            Some(why) => (*expected, Held::Unknown(why.clone())),
            None => (*expected, hold(*expected)),
        })
        .collect();
    // What holds for all of them has been said.
    for (expected, held) in judged.iter().filter(|_| why.is_none()) {
        if let Some(sentence) = sentence(*expected, held) {
            commands::warn(sentence);
        }
    }
    Found {
        code: code(&judged),
        judged,
        is_written: true,
        text,
    }
}

impl Elsewhere<'_> {
    /// Why nothing that is expected of the page that was given can be told. `what` begins "… the page that was given".
    fn sentence(self, what: &str) -> String {
        let Self { from, to } = self;
        format!(
            "{from} redirects to another page, {to}, but {what} the page that was given. Give the URL of that \
             other page, or send what keeps the server from redirecting (for example, the cookie of a log-in with -H)"
        )
    }
}

/// The exit code.
fn code(judged: &[(Expectation, Held)]) -> u8 {
    let any = |is: fn(&Held) -> bool| judged.iter().any(|(_, held)| is(held));
    if any(|held| matches!(held, Held::No(_))) {
        exit::NO
    } else if any(|held| matches!(held, Held::Unknown(_))) {
        exit::INCONCLUSIVE
    } else {
        0
    }
}

/// Why an expectation does not hold; `None` if it does.
pub(super) fn sentence(expected: Expectation, held: &Held) -> Option<String> {
    match held {
        Held::Yes => None,
        Held::No(found) => Some(format!("expected {expected}, but {found}")),
        Held::Unknown(why) => Some(format!("expected {expected}, which cannot be told: {why}")),
    }
}
