//! Breaks a sentence into lines.

/// The lines of `text`, each at most `width` characters long, unless a single word is longer.
pub(super) fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let word_length = word.chars().count();
        match lines.last_mut() {
            Some(line) if length + 1 + word_length <= width => {
                line.push(' ');
                line.push_str(word);
                length += 1 + word_length;
            }
            _ => {
                lines.push(word.to_owned());
                length = word_length;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words_only() {
        for (text, width, broken) in [
            ("", 10, &[][..]),
            ("one two three", 7, &["one two", "three"]),
            ("one  two\nthree", 20, &["one two three"]),
            ("überlanges Wort", 4, &["überlanges", "Wort"]),
        ] {
            assert_eq!(lines(text, width), broken, "{text}");
        }
    }
}
