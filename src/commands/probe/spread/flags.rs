//! Adds the flag that is the remedy, because the libraries know no flags.

use holdup_probe::{MOST_CONNECTIONS, SpreadReport};
use holdup_verdict::SpreadReason;

/// The report, with the flags that help.
pub(super) fn named(mut report: SpreadReport) -> SpreadReport {
    if report.is_unverified() {
        report.spread.advice = vec!["--insecure accepts any certificate.".to_owned()];
        return report;
    }
    let line = match &report.spread.reason {
        Some(SpreadReason::NoId | SpreadReason::Nameless { .. } | SpreadReason::Requests { .. }) => {
            "--id-header NAME names a header, and --id-json /pointer a value in a JSON answer. If there is no such \
             thing, measure a URL that holds its worker, and ask a fast route beside it: --beside URL."
                .to_owned()
        }
        Some(SpreadReason::OneWorker { connections }) => {
            format!("--spread {connections}/4 says that there are to be 4 workers.")
        }
        Some(SpreadReason::TooFew { needed, .. }) if *needed <= MOST_CONNECTIONS => {
            format!("--spread {needed} opens enough, if no further workers appear.")
        }
        _ => return report,
    };
    report.spread.advice.push(line);
    report
}
