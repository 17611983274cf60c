//! What the app's console showed meanwhile, in a sentence.

use holdup_probe::Report;
use holdup_verdict::Kind;

/// `Inside the app: GET /report blocks worker 0 at src/report.rs:41 (sleeping): 4 requests one at a time.` Or `… waits
/// at src/report.rs:12, in tokio::sync::Mutex::lock: …`. None if no console was followed.
pub(super) fn sentence(report: &Report) -> Option<String> {
    let inside = report.inside()?;
    let verdict = &report.found.verdict;
    let in_turn = [Kind::Serialized, Kind::Limited].contains(&verdict.kind);
    let at_a_time = verdict.at_a_time.filter(|_| in_turn);
    let what = match (report.queue(), report.culprit(), at_a_time) {
        (Some(queue), _, Some(at_a_time)) => queue.sentence(report.requests, at_a_time),
        (Some(queue), ..) => queue.to_string(),
        (_, Some(culprit), Some(at_a_time)) => culprit.sentence(report.requests, at_a_time),
        (_, Some(culprit), None) => culprit.to_string(),
        _ if inside.holds.is_empty() => "no worker was held meanwhile".to_owned(),
        _ => "workers were held meanwhile, but no route explains most of the time".to_owned(),
    };
    Some(format!("Inside the app: {what}."))
}

/// Whether the app itself named something.
pub(super) fn is_named(report: &Report) -> bool {
    report.culprit().is_some() || report.queue().is_some()
}
