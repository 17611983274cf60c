//! The verdict, a bar for each worker, and the evidence.

use std::fmt::Write as _;

use holdup_probe::SpreadReport;
use holdup_render::Style;
use holdup_verdict::{Fresh, Share};

use super::super::show::{bold, fill, paragraph};

/// More workers than these have no row of their own.
const ROWS: usize = 20;

/// The longest name of a worker in a row.
const NAME: usize = 40;

/// The longest bar.
const BAR: usize = 30;

/// The whole report, for people.
pub(super) fn text(report: &SpreadReport, style: &Style) -> String {
    let mut text = String::new();
    for from in &report.redirected_from {
        let _ = writeln!(text, "{from} redirects.");
    }
    let _ = writeln!(text, "{}\n", report.url);
    let spread = &report.spread;
    bold(&mut text, &spread.sentence, style);
    if let Some(fresh) = &spread.fresh
        && !fresh.workers.is_empty()
    {
        text.push('\n');
        rows(&mut text, fresh, style);
        text.push('\n');
    }
    if let Some(line) = how(report) {
        fill(&mut text, &line, "- ", style.width);
    }
    for line in &spread.evidence {
        fill(&mut text, line, "- ", style.width);
    }
    let kept = spread.kept.as_ref().map(|kept| kept.sentence.as_str());
    paragraph(&mut text, kept, style);
    if !spread.advice.is_empty() {
        text.push_str("\nWhat to do:\n");
        for line in &spread.advice {
            fill(&mut text, line, "- ", style.width);
        }
    }
    text
}

/// By what the workers were told apart.
fn how(report: &SpreadReport) -> Option<String> {
    let by = report.by.as_ref()?;
    let at_once = report.at_once;
    match by.kind {
        "header" => Some(format!(
            "an answer's worker is in its headers ({}); {at_once} connections at a time",
            by.name
        )),
        "json" => Some(format!(
            "an answer's worker is at {} in its JSON; {at_once} connections at a time",
            by.name
        )),
        _ => Some(format!("the connections asked {}", by.name)),
    }
}

fn rows(text: &mut String, fresh: &Fresh, style: &Style) {
    let shown = &fresh.workers[..fresh.workers.len().min(ROWS)];
    let most = shown.iter().map(|share| share.connections).max();
    let most = most.unwrap_or(1).max(1);
    let names: Vec<_> = shown.iter().map(name).collect();
    let widest = names.iter().map(|name| name.chars().count()).max();
    let widest = widest.unwrap_or(0);
    let digits = most.to_string().len();
    // What stands beside the bar: two spaces in three places, and the longest interval.
    let beside = widest + digits + 6 + "100.0 % (from 100.0 to 100.0 %)".len();
    let bar = style.width.saturating_sub(beside).clamp(5, BAR);
    let block = if style.ascii { '#' } else { '█' };
    for (name, share) in names.iter().zip(shown) {
        let length = (share.connections * bar).div_ceil(most);
        let drawn: String = std::iter::repeat_n(block, length).collect();
        let _ = writeln!(
            text,
            "{name:<widest$}  {:>digits$}  {drawn:<bar$}  {} % (from {} to {} %)",
            share.connections,
            percent(share.share),
            percent(share.low),
            percent(share.high),
        );
    }
    let others = &fresh.workers[shown.len()..];
    if let (Some(first), Some(last)) = (others.first(), others.last()) {
        let _ = writeln!(
            text,
            "and {} more workers, with {} to {} each",
            others.len(),
            last.connections,
            first.connections
        );
    }
    let expected = fresh.expected.unwrap_or(0);
    match expected.saturating_sub(fresh.workers.len()) {
        0 => {}
        1 => text.push_str("and one worker that got nothing\n"),
        unseen => {
            let _ = writeln!(text, "and {unseen} workers that got nothing");
        }
    }
}

fn name(share: &Share) -> String {
    let name = share.id.to_string();
    if name.chars().count() <= NAME {
        return name;
    }
    let kept: String = name.chars().take(NAME - 1).collect();
    kept + "…"
}

fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use holdup_verdict::{Heard, Tally, WorkerId, judge_spread};

    use super::*;

    fn fresh(counts: &[(&str, usize)], expected: Option<usize>) -> Fresh {
        let mut tally = Tally::default();
        for (worker, count) in counts {
            for _ in 0..*count {
                tally.add(Heard::From(WorkerId {
                    replica: None,
                    worker: (*worker).to_owned(),
                }));
            }
        }
        let spread = judge_spread(&tally, expected, &[], 3);
        spread.fresh.expect("counts")
    }

    #[test]
    fn each_worker_has_a_row_and_those_that_got_nothing_are_counted() {
        let fresh = fresh(&[("0", 70), ("1", 17), ("2", 13)], Some(5));
        let mut text = String::new();
        let style = Style {
            ascii: true,
            ..Style::plain(72)
        };
        rows(&mut text, &fresh, &style);
        assert_eq!(
            text,
            "0  70  ##############################  70 % (from 60.4 to 78.1 %)\n\
             1  17  ########                        17 % (from 10.9 to 25.5 %)\n\
             2  13  ######                          13 % (from 7.8 to 21 %)\n\
             and 2 workers that got nothing\n"
        );
    }

    #[test]
    fn many_workers_and_long_names_stay_on_one_screen() {
        let names: Vec<_> = (0..23)
            .map(|number| "n".repeat(50) + &number.to_string())
            .collect();
        let counts: Vec<_> = names.iter().map(|name| (name.as_str(), 5)).collect();
        let mut text = String::new();
        rows(&mut text, &fresh(&counts, None), &Style::plain(80));
        assert_eq!(text.lines().count(), ROWS + 1, "{text}");
        assert!(
            text.ends_with("and 3 more workers, with 5 to 5 each\n"),
            "{text}"
        );
        let first = text.lines().next().expect("a row");
        assert!(first.starts_with(&("n".repeat(39) + "…  5  ")), "{first}");
    }
}
