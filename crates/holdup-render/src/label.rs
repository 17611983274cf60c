//! What is written beside a lane: its label, and how it ended.

use std::iter;

use holdup_model::{HumanDuration, Lane};

/// The longest label that is shown whole, in characters. A longer one is cut at the beginning, because unique
/// URLs have their numbers at the end.
pub(crate) const MAX_LABEL: usize = 32;

/// Text that is safe to show anywhere: on one line, without control or direction characters.
pub(crate) fn safe(text: &str) -> Vec<char> {
    let plain = |c: char| c.is_alphanumeric() || c.is_ascii_graphic() || c == ' ';
    text.chars()
        .map(|c| if plain(c) { c } else { '?' })
        .collect()
}

/// A safe label of at most `max` characters. A longer one is cut at the beginning.
pub(crate) fn shown_label(label: &str, max: usize, ellipsis: char) -> String {
    let label = safe(label);
    if label.len() <= max {
        return label.into_iter().collect();
    }
    let end = &label[label.len() + 1 - max..];
    iter::once(&ellipsis).chain(end).collect()
}

/// How a lane ended, as safe text of at most `max` characters. A longer text is cut at the end.
pub(crate) fn shown_outcome(lane: &Lane, max: usize, ellipsis: char) -> String {
    shown_note(&outcome(lane), max, ellipsis)
}

/// A safe text of at most `max` characters. A longer one is cut at the end.
pub(crate) fn shown_note(note: &str, max: usize, ellipsis: char) -> String {
    let note = safe(note);
    if note.len() <= max {
        return note.into_iter().collect();
    }
    let beginning = &note[..max - 1];
    beginning.iter().chain(iter::once(&ellipsis)).collect()
}

/// The length of the longest of `texts`, in characters.
pub(crate) fn widest<'a>(texts: impl Iterator<Item = &'a String>) -> usize {
    let widths = texts.map(|text| text.chars().count());
    widths.max().unwrap_or_default()
}

/// How a lane ended: how long it took, how it failed, or that it is going.
pub(crate) fn outcome(lane: &Lane) -> String {
    let Some(ended) = lane.ended_at() else {
        return "going".to_owned();
    };
    let took = HumanDuration(ended.saturating_sub(lane.requested_at()));
    match (lane.failure(), lane.status()) {
        (Some(failure), _) => format!("{took}, {failure}"),
        (None, Some(status @ 400..)) => format!("{took}, status {status}"),
        (None, _) => took.to_string(),
    }
}
