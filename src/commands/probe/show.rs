//! The cause, the picture, the verdict, the evidence, the advice.

use std::fmt::Write as _;

use holdup_probe::Report;
use holdup_render::{Picture, Style};
use holdup_verdict::{CauseKind, IdenticalKind, Kind};

use super::{inside, picture};

/// The whole report, for people.
pub(super) fn text(report: &Report, style: &Style) -> String {
    let mut text = heading(report, style);
    let lead = lead(report);
    let inside = inside::sentence(report);
    if let Some(sentence) = &lead {
        bold(&mut text, sentence, style);
        // What the app itself named says the same in its own terms.
        let named = inside
            .as_ref()
            .filter(|inside| inside::is_named(report) && *inside != sentence);
        paragraph(&mut text, named.map(String::as_str), style);
        text.push('\n');
    }
    if let Some(unique) = &report.found.unique {
        draw(&mut text, unique.into(), style);
        text.push('\n');
    }
    verdict(&mut text, report, lead.is_none(), style);
    if lead.is_none() || !inside::is_named(report) {
        paragraph(&mut text, inside.as_deref(), style);
    }
    if report.found.unique.is_some() {
        paragraph(&mut text, Some(&report.found.delivery.to_string()), style);
    }
    identical(&mut text, report, style);
    for bystander in picture::beside(report) {
        beside(&mut text, &bystander, style);
    }
    contrasts(&mut text, report, style);
    if lead.is_some() {
        refuted_by(&mut text, report, style);
    }
    advice(&mut text, report, style);
    text
}

/// The URL, and what is special about it.
fn heading(report: &Report, style: &Style) -> String {
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
    text
}

/// What is said before the picture: the cause, or what the app itself named. `None` if it would say no more
/// than the verdict does.
pub(super) fn lead(report: &Report) -> Option<String> {
    let found = &report.found;
    let asked = !found.beside.is_empty()
        || found.limit.is_some()
        || found.session.is_some()
        || found.versus.is_some();
    let in_turns = matches!(found.verdict.kind, Kind::Serialized | Kind::Limited);
    match found.cause.kind {
        CauseKind::Unknown if found.cause.culprit.is_some() => inside::sentence(report),
        CauseKind::Unknown if !in_turns || !asked => None,
        CauseKind::None if !asked => None,
        _ => Some(found.cause.sentence.clone()),
    }
}

/// The verdict, and the numbers that support it.
fn verdict(text: &mut String, report: &Report, is_first: bool, style: &Style) {
    let verdict = &report.found.verdict;
    if is_first {
        bold(text, &verdict.sentence, style);
    } else {
        fill(text, &verdict.sentence, "", style.width);
    }
    for line in &verdict.evidence {
        fill(text, line, "- ", style.width);
    }
}

/// How identical URLs compare with unique ones.
fn identical(text: &mut String, report: &Report, style: &Style) {
    if let (Some(identical), Some(same)) = (&report.found.identical, &report.found.same) {
        text.push('\n');
        if identical.kind != IdenticalKind::Same {
            draw(text, same.into(), style);
        }
        fill(text, &identical.sentence, "", style.width);
    }
}

/// A bystander: how it fared, the numbers, and the picture that shows it.
fn beside(text: &mut String, bystander: &picture::Shown<'_>, style: &Style) {
    paragraph(text, Some(&bystander.sentence()), style);
    for line in &bystander.found.evidence {
        fill(text, line, "- ", style.width);
    }
    if let Some(drawn) = picture::drawn(bystander) {
        text.push('\n');
        let caption = None;
        draw(text, Picture { caption, ..drawn }, style);
    }
}

/// What the other contrasts found, a sentence each.
fn contrasts(text: &mut String, report: &Report, style: &Style) {
    let found = &report.found;
    let limit = found.limit.as_ref().map(|found| &found.sentence);
    let connection = found.connection.as_ref().map(|found| &found.sentence);
    let session = found.session.as_ref().map(|found| &found.sentence);
    let versus = found.versus.as_ref().map(|found| &found.sentence);
    for sentence in [limit, connection, session, versus].into_iter().flatten() {
        paragraph(text, Some(sentence), style);
    }
}

/// What would show that the cause is another one.
fn refuted_by(text: &mut String, report: &Report, style: &Style) {
    let cause = &report.found.cause;
    let observation = cause.refuted_by.as_ref();
    if let Some(observation) = observation.filter(|_| cause.kind != CauseKind::None) {
        let line = format!("The cause would be refuted by {observation}.");
        paragraph(text, Some(&line), style);
    }
}

fn advice(text: &mut String, report: &Report, style: &Style) {
    if !report.found.verdict.advice.is_empty() {
        text.push_str("\nWhat to do:\n");
        for line in &report.found.verdict.advice {
            fill(text, line, "- ", style.width);
        }
    }
}

/// A sentence on its own.
pub(super) fn paragraph(text: &mut String, sentence: Option<&str>, style: &Style) {
    if let Some(sentence) = sentence {
        text.push('\n');
        fill(text, sentence, "", style.width);
    }
}

/// A sentence that stands out.
pub(super) fn bold(text: &mut String, sentence: &str, style: &Style) {
    let (bold, plain) = if style.color {
        ("\x1b[1m", "\x1b[0m")
    } else {
        ("", "")
    };
    text.push_str(bold);
    fill(text, sentence, "", style.width);
    text.truncate(text.trim_end().len());
    let _ = writeln!(text, "{plain}");
}

/// Draws a picture, with no more lanes than fit a screen.
fn draw(text: &mut String, picture: Picture<'_>, style: &Style) {
    let (lanes, note) = picture::some(picture.lanes);
    let some = Picture {
        lanes: &lanes,
        ..picture
    };
    text.push_str(&holdup_render::text(some, style));
    if let Some(note) = note {
        let _ = writeln!(text, "{note}");
    }
}

/// Breaks `line` between words, and indents the further lines below the first word.
pub(super) fn fill(text: &mut String, line: &str, lead: &str, width: usize) {
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
