//! The picture, the verdict, the evidence, the advice.

use std::env;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use holdup_model::Timeline;
use holdup_probe::Report;
use holdup_render::Style;
use holdup_verdict::IdenticalKind;
use rustix::termios::tcgetwinsize;

use super::inside;
use crate::cli::Color;

/// The width of a picture that is not written to a terminal.
const WIDTH: usize = 80;

/// The most lanes in the picture, about one screen. A staircase is still visible in a selection of
/// this size.
const MAX_LANES: usize = 40;

/// How to render on `output`.
pub(super) fn style(output: &(impl AsFd + IsTerminal), color: Color) -> Style {
    let terminal = output.is_terminal();
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    let width = match tcgetwinsize(output) {
        Ok(size) if terminal && size.ws_col > 0 => usize::from(size.ws_col),
        _ => WIDTH,
    };
    Style {
        width,
        color: match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !dumb && !set("NO_COLOR"),
        },
        ascii: terminal && dumb,
        now: None,
    }
}

/// The requests that the verdict is based on, or the requests sent alone if the probe ended before
/// the others.
pub(super) fn timeline(report: &Report) -> Timeline {
    match &report.found.unique {
        Some(unique) => unique.clone(),
        None => report.found.alone.clone().into(),
    }
}

/// The whole report, for people.
pub(super) fn text(report: &Report, style: &Style) -> String {
    let mut text = String::new();
    for from in &report.redirected_from {
        let _ = writeln!(text, "{from} redirects.");
    }
    let _ = writeln!(text, "{}", report.url);
    if !report.places.is_empty() {
        let places = report.places.join(", ");
        let line =
            format!("Each request has a label of its own in the place of {{}}: in {places}.");
        fill(&mut text, &line, "", style.width);
    }
    text.push('\n');
    if let Some(unique) = &report.found.unique {
        picture(&mut text, unique, style);
        text.push('\n');
    }
    let verdict = &report.found.verdict;
    let (bold, plain) = if style.color {
        ("\x1b[1m", "\x1b[0m")
    } else {
        ("", "")
    };
    text.push_str(bold);
    fill(&mut text, &verdict.sentence, "", style.width);
    text.truncate(text.trim_end().len());
    let _ = writeln!(text, "{plain}");
    for line in &verdict.evidence {
        fill(&mut text, line, "- ", style.width);
    }
    if let Some(sentence) = inside::sentence(report) {
        let _ = writeln!(text);
        fill(&mut text, &sentence, "", style.width);
    }
    if report.found.unique.is_some() {
        let _ = writeln!(text);
        fill(
            &mut text,
            &report.found.delivery.to_string(),
            "",
            style.width,
        );
    }
    if let (Some(identical), Some(same)) = (&report.found.identical, &report.found.same) {
        let _ = writeln!(text);
        if identical.kind != IdenticalKind::Same {
            picture(&mut text, same, style);
        }
        fill(&mut text, &identical.sentence, "", style.width);
    }
    let connection = report
        .found
        .connection
        .as_ref()
        .map(|found| &found.sentence);
    let limit = report.found.limit.as_ref().map(|found| &found.sentence);
    let session = report.found.session.as_ref().map(|found| &found.sentence);
    let versus = report.found.versus.as_ref().map(|found| &found.sentence);
    for sentence in [limit, connection, session, versus].into_iter().flatten() {
        text.push('\n');
        fill(&mut text, sentence, "", style.width);
    }
    if !verdict.advice.is_empty() {
        let _ = writeln!(text, "\nWhat to do:");
        for line in &verdict.advice {
            fill(&mut text, line, "- ", style.width);
        }
    }
    text
}

fn picture(text: &mut String, timeline: &Timeline, style: &Style) {
    let count = timeline.lanes.len();
    if count <= MAX_LANES {
        text.push_str(&holdup_render::text(timeline, style));
        return;
    }
    let some: Vec<_> = (0..MAX_LANES)
        .map(|place| timeline.lanes[place * count / MAX_LANES].clone())
        .collect();
    text.push_str(&holdup_render::text(&some.into(), style));
    let _ = writeln!(text, "({MAX_LANES} of {count} requests are shown)");
}

/// Breaks `line` between words, and indents the further lines below the first word.
fn fill(text: &mut String, line: &str, lead: &str, width: usize) {
    let width = width.clamp(20, 100);
    let mut column = 0;
    text.push_str(lead);
    column += lead.len();
    for (number, word) in line.split(' ').enumerate() {
        let length = word.chars().count();
        if number > 0 && column + 1 + length > width {
            let _ = write!(text, "\n{:1$}", "", lead.len());
            column = lead.len();
        } else if number > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}
