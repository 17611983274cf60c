//! Text that comes from a console, before it is kept or printed.

use std::fmt::Write as _;

use holdup_model::without_controls;

/// The longest text of a console that is kept, in characters. Routes and lines of code are shorter.
const MOST: usize = 300;

/// The beginning of the text, without characters that would control a terminal.
pub(super) fn clean(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(MOST) {
        Some((most, _)) => without_controls(&text[..most]) + "…",
        None => without_controls(text),
    }
}

/// A JSON document with its control characters escaped. JSON allows some of them within texts, and white space
/// between its parts stays.
pub(super) fn harmless(json: &str) -> String {
    let mut harmless = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() && !matches!(c, '\n' | '\r' | '\t') {
            let _ = write!(harmless, "\\u{:04x}", u32::from(c));
        } else {
            harmless.push(c);
        }
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_bounded_and_controls_no_terminal() {
        assert_eq!(clean(" /users/{id}\n"), "/users/{id}");
        assert_eq!(clean("a\u{1b}[2Jb\0"), "a\u{fffd}[2Jb\u{fffd}");
        let long = clean(&"é".repeat(10_000));
        assert_eq!(long.chars().count(), MOST + 1);
        assert!(long.ends_with("é…"), "{long}");
    }
}
