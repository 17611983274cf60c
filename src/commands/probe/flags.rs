//! Adds the flag that is the remedy to errors of the libraries, which know no flags.

use holdup_probe::{BadUrl, Report};
use holdup_verdict::Reason;

/// A URL that cannot be probed.
pub(super) fn bad_url(error: &BadUrl) -> String {
    match error {
        BadUrl::Credentials => format!("{error}: -H 'Authorization: …'"),
        _ => error.to_string(),
    }
}

/// The most requests at once have to be at least as many as are sent in any case.
pub(super) fn check_max(max: usize, requests: usize) -> Result<(), String> {
    if max < requests {
        return Err(format!(
            "--max is {max}, but -n sends {requests} at once already; allowed: {requests} or more"
        ));
    }
    Ok(())
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
