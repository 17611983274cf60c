//! Adds the flag that is the remedy to errors of the libraries, which know no flags.

use holdup_probe::{BadConsole, BadUrl, Report};
use holdup_verdict::Reason;

/// A URL that cannot be probed.
pub(super) fn bad_url(error: &BadUrl) -> String {
    match error {
        BadUrl::Credentials => format!("{error}: -H 'Authorization: …'"),
        _ => error.to_string(),
    }
}

/// A URL that cannot be that of a console.
pub(super) fn bad_console_url(error: &BadUrl) -> String {
    match error {
        BadUrl::Credentials => {
            "--console: the URL has a user name or a password, which no console asks for; \
                                leave them out"
                .to_owned()
        }
        _ => format!("--console: {error}"),
    }
}

/// A console that cannot be read.
pub(super) fn bad_console(error: &BadConsole) -> String {
    match error {
        BadConsole::Unverified { .. } => format!("--console: {error} (--insecure accepts it)"),
        _ => format!("--console: {error}"),
    }
}

/// The report, with the flags that help in its failures and advice.
pub(super) fn named(mut report: Report) -> Report {
    if report.is_unverified() {
        let failure = |what: &str| format!("{what} (--insecure accepts it)");
        report.found.verdict = report.found.verdict.with_failure(failure);
    }
    if let Some(Reason::Failed { alone: true, .. }) = report.found.verdict.reason {
        report.found.verdict.advice = vec![
            "Make sure that the server runs, and that it answers a single request completely within the \
             time allowed (--timeout)."
                .to_owned(),
        ];
    }
    if let Some(Reason::Endless { .. }) = report.found.verdict.reason {
        report.found.verdict.advice = vec![
            "Measure the beginning of the answer: count it as ended after its first chunks (--first N), \
             or some seconds after its body began (--for 3s)."
                .to_owned(),
        ];
    }
    report
}
