//! Text in XML.

/// Text that is safe in an element and in a quoted attribute, on one line. Characters that XML forbids are left
/// out.
pub(crate) fn escaped(text: &str) -> String {
    keeping(text, |_| false)
}

/// As [`escaped`], for an element whose text has several lines: line breaks and tabs are kept.
pub(crate) fn escaped_lines(text: &str) -> String {
    keeping(text, |c| c == '\n' || c == '\t')
}

fn keeping(text: &str, kept: impl Fn(char) -> bool) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() && !kept(c) => {}
            c => safe.push(c),
        }
    }
    safe
}
