//! The report as tests of a CI system: one test for each expectation.

use std::time::Duration;

use holdup_probe::Target;
use holdup_render::{Style, TestCase, TestEnd, TestNote, TestSuite};

use super::expect::Held;
use super::judge::{Found, sentence};
use crate::cli::Probe;

/// CI systems show the text in columns of their own width, without colours.
pub(super) const STYLE: Style = Style::plain(80);

/// The document of a report.
pub(super) fn document(options: &Probe, found: &Found, took: Duration) -> String {
    let tests = found.judged.iter().map(|(expected, held)| {
        let note = || TestNote {
            message: sentence(*expected, held).unwrap_or_default(),
            details: found.text.clone(),
        };
        TestCase {
            name: name(options, &expected.to_string()),
            end: match held {
                Held::Yes => TestEnd::Passed,
                Held::No(_) => TestEnd::Failed(note()),
                // No failure of the server: a test that could not be made.
                Held::Unknown(_) => TestEnd::Skipped(note()),
            },
        }
    });
    suite(tests.collect(), took, &found.text)
}

/// The document of a probe that did not come to a report.
pub(super) fn broken(options: &Probe, message: &str, took: Duration) -> String {
    let note = || TestNote {
        message: message.to_owned(),
        details: String::new(),
    };
    let broken = |expected: &str| TestCase {
        name: name(options, expected),
        end: TestEnd::Broken(note()),
    };
    let expected = options
        .expect
        .iter()
        .map(|expected| broken(&expected.to_string()));
    let mut tests: Vec<_> = expected.collect();
    if tests.is_empty() {
        let usual = options.spread.map_or("concurrent", |_| "spread=even");
        tests.push(broken(usual));
    }
    suite(tests, took, "")
}

/// With the URL as it was given: it is the same in the next run, and tells probes of other routes apart. What is no URL
/// is not repeated, because it may have a password.
fn name(options: &Probe, expected: &str) -> String {
    match Target::parse(&options.url) {
        Ok(target) => format!("{}: {expected}", target.url()),
        Err(_) => format!("the URL: {expected}"),
    }
}

fn suite(tests: Vec<TestCase>, took: Duration, output: &str) -> String {
    holdup_render::junit(&TestSuite {
        name: "holdup probe",
        class: "holdup.probe",
        took,
        tests,
        output,
    })
}
