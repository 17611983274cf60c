//! Text that comes from a console, before it is kept or printed.

/// The longest text of a console that is kept, in characters. Routes and lines of code are shorter.
const MOST: usize = 300;

/// The beginning of the text, without characters that would control a terminal.
pub(super) fn clean(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    let mut clean: String = text.trim().chars().take(MOST).map(shown).collect();
    if text.trim().chars().nth(MOST).is_some() {
        clean.push('…');
    }
    clean
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
