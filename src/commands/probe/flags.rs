//! Adds the flag that is the remedy to errors of the libraries, which know no flags.

use holdup_probe::{BadConsole, BadUrl, Report};
use holdup_verdict::{AskNext, Kind, Reason};

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

/// The report, with the flags that help in its failures and advice. `http1` is whether --http1 was given.
pub(super) fn named(mut report: Report, http1: bool) -> Report {
    if report.is_unverified() {
        let failure = |what: &str| format!("{what} (--insecure accepts it)");
        report.found.verdict = report.found.verdict.with_failure(failure);
    }
    if report.is_versus_unverified()
        && let Some(versus) = &mut report.found.versus
    {
        let failure = |what: &str| format!("{what} (--insecure accepts it)");
        versus.verdict = versus.verdict.clone().with_failure(failure);
        report.name_versus();
    }
    if let Some(Reason::Failed { alone: true, .. }) = &report.found.verdict.reason {
        let advice = if report.may_need_http2() {
            if http1 {
                "If the server speaks nothing but HTTP/2, give --http2 instead of --http1."
            } else {
                "If the server speaks nothing but HTTP/2, add --http2."
            }
        } else if report.is_unreadable() {
            "Make sure that a web server answers at this URL, and look at what it sends: curl -v shows it."
        } else {
            "Make sure that the server runs, and that it answers a single request completely within the \
             time allowed (--timeout)."
        };
        report.found.verdict.advice = vec![advice.to_owned()];
    }
    if let Some(Reason::Endless { .. }) = report.found.verdict.reason {
        report.found.verdict.advice = vec![
            "Measure the beginning of the answer: count it as ended after its first chunks (--first N), \
             or some seconds after its body began (--for 3s)."
                .to_owned(),
        ];
    }
    let found = &report.found;
    let in_turns = matches!(found.verdict.kind, Kind::Serialized | Kind::Limited);
    if in_turns && found.cause.culprit.is_none() {
        let next = found.cause.ask_next.and_then(next);
        report.found.verdict.advice.extend(next);
    }
    if let Some(connection) = &mut report.found.connection
        && connection.refused.is_some()
    {
        let sentence = connection.sentence.trim_end_matches('.');
        connection.sentence = format!("{sentence}; leave out --http2.");
    }
    report
}

/// The contrast that would tell more.
fn next(ask_next: AskNext) -> Option<String> {
    let line = match ask_next {
        AskNext::Bystander => {
            "To find out what they wait for, ask a fast route, such as a health check, while they run: \
             --beside URL."
        }
        AskNext::AnotherBystander => {
            "To find out what they wait for, ask another route that is fast and always takes the same time: \
             --beside URL."
        }
        AskNext::Session => {
            "To find out whether it is a lock by session, send the requests without their cookies and credentials, \
             too: --cookie-contrast."
        }
        _ => return None,
    };
    Some(line.to_owned())
}
