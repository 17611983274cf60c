//! Text from elsewhere, before it is printed.

/// The text with a replacement character in the place of each control character, which a terminal would obey.
///
/// ```
/// let shown = holdup_model::without_controls("/a\u{1b}[2J\n");
/// assert_eq!(shown, "/a\u{fffd}[2J\u{fffd}");
/// ```
pub fn without_controls(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
