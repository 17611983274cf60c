//! Adds the flag that is the remedy, because the libraries know no flags.

use holdup_probe::{MOST_CONNECTIONS, SpreadReport};
use holdup_verdict::SpreadReason;

/// How many times as many connections decide a doubtful case, as a rule.
const MORE: usize = 4;

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
        Some(SpreadReason::Doubtful { connections, .. }) if connections * MORE <= MOST_CONNECTIONS => {
            format!("--spread {} opens {MORE} times as many.", connections * MORE)
        }
        _ => return report,
    };
    report.spread.advice.push(line);
    report
}
