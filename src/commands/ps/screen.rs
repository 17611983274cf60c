//! Draws one text in the place of the one before, on a terminal.

/// What is on the terminal: the length of each line, in columns.
#[derive(Debug, Default)]
pub(super) struct Screen(Vec<usize>);

impl Screen {
    /// What to write to show this text in the place of the last one, on a terminal of this width and height. The
    /// cursor goes to the line below the text, so what does not fit above it is left out.
    pub(super) fn redraw(&mut self, text: &str, width: usize, height: usize) -> String {
        let mut drawing = self.back(width);
        // Down to the end of the screen.
        drawing.push_str("\x1b[J");
        let lines: Vec<_> = text.lines().collect();
        let room = height.saturating_sub(1).max(1);
        let shown = if lines.len() > room {
            &lines[..room - 1]
        } else {
            &lines[..]
        };
        self.0 = shown.iter().map(|line| length(line)).collect();
        for line in shown {
            drawing.push_str(line);
            drawing.push('\n');
        }
        if shown.len() < lines.len() {
            let left = format!("and {} more lines", lines.len() - shown.len());
            let left: String = left.chars().take(width).collect();
            self.0.push(left.len());
            drawing.push_str(&left);
            drawing.push('\n');
        }
        // A terminal has turned the line break into both characters already. To others, this is what ends a drawing.
        drawing.push('\r');
        drawing
    }

    /// Moves the cursor back to the first line. If the terminal has become narrower, it has broken its lines.
    fn back(&self, width: usize) -> String {
        let rows = self.0.iter().map(|line| line.div_ceil(width.max(1)).max(1));
        match rows.sum::<usize>() {
            0 => "\r".to_owned(),
            rows => format!("\r\x1b[{rows}A"),
        }
    }
}

/// How many columns the line takes up: the sequences for colours take none.
fn length(line: &str) -> usize {
    let mut length = 0;
    let mut is_code = false;
    for c in line.chars() {
        match c {
            '\x1b' => is_code = true,
            'm' if is_code => is_code = false,
            _ => length += usize::from(!is_code),
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_drawn_over_the_one_before() {
        let mut screen = Screen::default();
        assert_eq!(screen.redraw("a\nbb\n", 80, 24), "\r\x1b[Ja\nbb\n\r");
        assert_eq!(screen.redraw("c\n", 80, 24), "\r\x1b[2A\x1b[Jc\n\r");
        assert_eq!(screen.redraw("", 80, 24), "\r\x1b[1A\x1b[J\r");
        assert_eq!(screen.redraw("d\n", 80, 24), "\r\x1b[Jd\n\r");
    }

    #[test]
    fn lines_that_a_narrower_terminal_has_broken_are_drawn_over_too() {
        let mut screen = Screen::default();
        screen.redraw("\x1b[1m0123456789\x1b[0m\n\n0123\n", 10, 24);
        assert!(screen.redraw("", 5, 24).starts_with("\r\x1b[4A"));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut screen = Screen::default();
        let text = "1\n2\n3\n4\n5\n";
        assert_eq!(
            screen.redraw(text, 80, 4),
            "\r\x1b[J1\n2\nand 3 more lines\n\r"
        );
        assert_eq!(
            screen.redraw(text, 80, 6),
            "\r\x1b[3A\x1b[J1\n2\n3\n4\n5\n\r"
        );
        assert_eq!(screen.redraw(text, 5, 0), "\r\x1b[5A\x1b[Jand 5\n\r");
    }
}
