//! What the app's console showed meanwhile, in a sentence.

use holdup_probe::Report;
use holdup_verdict::Kind;

/// `Inside the app: GET /report blocks worker 0 at src/report.rs:41 (sleeping): 4 requests one at a time.` None
/// if no console was followed.
pub(super) fn sentence(report: &Report) -> Option<String> {
    let inside = report.inside()?;
    let verdict = &report.found.verdict;
    let in_turn = [Kind::Serialized, Kind::Limited].contains(&verdict.kind);
    let what = match (report.culprit(), verdict.at_a_time.filter(|_| in_turn)) {
        (Some(culprit), Some(at_a_time)) => culprit.sentence(report.requests, at_a_time),
        (Some(culprit), None) => culprit.to_string(),
        (None, _) if inside.holds.is_empty() => "no worker was held meanwhile".to_owned(),
        (None, _) => {
            "workers were held meanwhile, but no route explains most of the time".to_owned()
        }
    };
    Some(format!("Inside the app: {what}."))
}
