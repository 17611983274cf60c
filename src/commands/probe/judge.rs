//! Whether all that is expected holds, and the exit code.

use holdup_probe::Report;
use holdup_verdict::Kind;

use super::expect::{Facts, Held};
use crate::cli::Expectation;

/// The exit code for serialized or limited requests, something that is not as expected, or a probe that failed.
pub(super) const EXIT_NO: u8 = 1;
const EXIT_INCONCLUSIVE: u8 = 3;

/// What is expected, and whether it holds.
pub(super) type Judged = Vec<(Expectation, Held)>;

/// Judges a report, and says what does not hold on stderr. Without an expectation, the requests should be concurrent,
/// which needs no saying, because the report begins with it.
pub(super) fn judged(report: &Report, expected: &[Expectation]) -> (Judged, u8) {
    let facts = Facts::of(report);
    if expected.is_empty() {
        let expected = Expectation::Verdict(Kind::Concurrent);
        let judged = vec![(expected, facts.hold(expected))];
        let code = code(&judged);
        return (judged, code);
    }
    let elsewhere = report.is_elsewhere().then(|| elsewhere(report));
    if let Some(why) = &elsewhere {
        eprintln!("holdup: {why}");
    }
    let judged: Judged = expected
        .iter()
        .map(|expected| match &elsewhere {
            Some(why) => (*expected, Held::Unknown(why.clone())),
            None => (*expected, facts.hold(*expected)),
        })
        .collect();
    if elsewhere.is_none() {
        for (expected, held) in &judged {
            if let Some(sentence) = sentence(*expected, held) {
                eprintln!("holdup: {sentence}");
            }
        }
    }
    let code = code(&judged);
    (judged, code)
}

/// Why an expectation does not hold; `None` if it does.
pub(super) fn sentence(expected: Expectation, held: &Held) -> Option<String> {
    match held {
        Held::Yes => None,
        Held::No(found) => Some(format!("expected {expected}, but {found}")),
        Held::Unknown(why) => Some(format!("expected {expected}, which cannot be told: {why}")),
    }
}

fn elsewhere(report: &Report) -> String {
    format!(
        "{} redirects to another page, {}, but --expect judges the page that was given. Give the URL of that \
         other page, or send what keeps the server from redirecting (for example, the cookie of a log-in with -H)",
        report.redirected_from[0], report.url
    )
}

fn code(judged: &Judged) -> u8 {
    let any = |is: fn(&Held) -> bool| judged.iter().any(|(_, held)| is(held));
    if any(|held| matches!(held, Held::No(_))) {
        EXIT_NO
    } else if any(|held| matches!(held, Held::Unknown(_))) {
        EXIT_INCONCLUSIVE
    } else {
        0
    }
}
