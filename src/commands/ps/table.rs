//! Tables whose last column is cut at the right edge of the terminal.

/// The blanks between two columns.
const GAP: usize = 2;

/// How tables are drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// The length of the longest line, in columns. `None` if nothing is cut.
    pub(super) width: Option<usize>,
    /// Whether to add colours.
    pub(super) color: bool,
    /// Whether to keep to ASCII.
    pub(super) ascii: bool,
}

/// What a cell stands out by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Tint {
    #[default]
    Plain,
    Heading,
    /// It makes progress.
    Good,
    /// Something else keeps it from making progress.
    Bad,
}

/// A cell of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    /// The same in fewer words, the longest first.
    shorter: Vec<String>,
    tint: Tint,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, tint: Tint) -> Self {
        Self {
            text: text.into(),
            shorter: Vec::new(),
            tint,
        }
    }

    /// In the last column: what it says if the whole text of one of the column's cells does not fit, and if what
    /// they say then does not fit either. The longest text comes first.
    pub(super) fn or_shorter(self, texts: impl IntoIterator<Item = String>) -> Self {
        let shorter = texts.into_iter().collect();
        Self { shorter, ..self }
    }

    /// The whole text, or the one after so many longer ones. The last one is the shortest.
    fn form(&self, number: usize) -> &str {
        let form = number.checked_sub(1).and_then(|last| {
            let form = self.shorter.get(last);
            form.or(self.shorter.last())
        });
        form.unwrap_or(&self.text)
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tint::Plain)
    }
}

impl Look {
    /// The text, no longer than `most` columns.
    pub(super) fn cut(&self, text: &str, most: usize) -> String {
        if text.chars().count() <= most {
            return text.to_owned();
        }
        let end = if self.ascii { "~" } else { "…" };
        let kept = text.chars().take(most.saturating_sub(1));
        kept.collect::<String>() + &end[..if most == 0 { 0 } else { end.len() }]
    }

    /// A line of its own.
    pub(super) fn line(&self, text: &str) -> String {
        let line = self.width.map(|width| self.cut(text, width));
        line.unwrap_or_else(|| text.to_owned()) + "\n"
    }

    /// A sentence, broken between words.
    pub(super) fn paragraph(&self, text: &str) -> String {
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            let line = lines.last_mut().filter(|line| {
                let length = line.chars().count() + 1 + word.chars().count();
                line.is_empty() || self.width.is_none_or(|width| length <= width)
            });
            match line {
                Some(line) if line.is_empty() => line.push_str(word),
                Some(line) => *line = format!("{line} {word}"),
                None => lines.push(word.to_owned()),
            }
        }
        lines.iter().map(|line| self.line(line)).collect()
    }

    /// A table with these headings, a line for each row. A column is as wide as its widest cell.
    pub(super) fn table<const N: usize>(
        &self,
        headings: [&str; N],
        rows: Vec<[Cell; N]>,
    ) -> String {
        let headings = headings.map(|heading| Cell::new(heading, Tint::Heading));
        let mut rows: Vec<_> = std::iter::once(headings).chain(rows).collect();
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = rows.iter().map(|row| row[column].text.chars().count());
            cells.max().unwrap_or_default()
        });
        let before: usize = widths.iter().take(N - 1).map(|width| width + GAP).sum();
        if let Some(room) = self.width.map(|width| width.saturating_sub(before)) {
            let last = rows.iter().map(|row| &row[N - 1]);
            let shortest = last.clone().map(|cell| cell.shorter.len()).max();
            let shortest = shortest.unwrap_or_default();
            let fits = |number| {
                let mut texts = last.clone().map(|cell| cell.form(number));
                texts.all(|text| text.chars().count() <= room)
            };
            let form = (0..shortest).find(|number| fits(*number));
            for row in &mut rows {
                let cell = &mut row[N - 1];
                let text = cell.form(form.unwrap_or(shortest)).to_owned();
                cell.text = text;
            }
        }
        rows.iter().map(|row| self.row(row, &widths)).collect()
    }

    fn row(&self, row: &[Cell], widths: &[usize]) -> String {
        let mut line = String::new();
        let mut left = self.width.unwrap_or(usize::MAX);
        let last = row.iter().rposition(|cell| !cell.text.is_empty());
        for (column, cell) in row.iter().enumerate().take(last.map_or(0, |last| last + 1)) {
            let gap = if column == 0 { 0 } else { GAP };
            if left <= gap {
                break;
            }
            let text = self.cut(&cell.text, left - gap);
            let length = text.chars().count();
            line.extend(std::iter::repeat_n(' ', gap));
            self.paint(&mut line, &text, cell.tint);
            left -= gap + length;
            if Some(column) != last {
                let padding = (widths[column] - cell.text.chars().count()).min(left);
                line.extend(std::iter::repeat_n(' ', padding));
                left -= padding;
            }
        }
        line + "\n"
    }

    fn paint(&self, line: &mut String, text: &str, tint: Tint) {
        let code = match tint {
            _ if !self.color || text.is_empty() => None,
            Tint::Plain => None,
            Tint::Heading => Some("\x1b[1m"),
            Tint::Good => Some("\x1b[32m"),
            Tint::Bad => Some("\x1b[31m"),
        };
        line.push_str(code.unwrap_or_default());
        line.push_str(text);
        if code.is_some() {
            line.push_str("\x1b[0m");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look {
        width: None,
        color: false,
        ascii: false,
    };

    fn table(look: Look) -> String {
        let row = |route: &str, place: &str| {
            let state = Cell::new("ready", Tint::Bad);
            [state, Cell::from(route), Cell::from(place)]
        };
        let rows = vec![
            row("/users/{id}", "src/users.rs:7"),
            row("/é", ""),
            row("", "a second place"),
        ];
        look.table(["STATE", "ROUTE", "WHERE"], rows)
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_nothing_trails() {
        assert_eq!(
            table(PLAIN),
            "STATE  ROUTE        WHERE\n\
             ready  /users/{id}  src/users.rs:7\n\
             ready  /é\n\
             ready               a second place\n"
        );
    }

    #[test]
    fn a_line_is_never_longer_than_the_terminal_is_wide() {
        let narrow = Look {
            width: Some(24),
            ..PLAIN
        };
        assert_eq!(
            table(narrow),
            "STATE  ROUTE        WHE…\n\
             ready  /users/{id}  src…\n\
             ready  /é\n\
             ready               a s…\n"
        );
        for width in 0..40 {
            let look = Look {
                width: Some(width),
                ..PLAIN
            };
            let text =
                table(look) + &look.line("a line of its own") + &look.paragraph("a sentence");
            let longest = text.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(width), "{width}: {text}");
        }
        let ascii = Look {
            ascii: true,
            ..narrow
        };
        assert!(table(ascii).contains("  src~\n"), "{}", table(ascii));
    }

    #[test]
    fn the_last_column_gets_shorter_before_it_is_cut() {
        let place = |text: &str, shorter: &[&str]| {
            let shorter = shorter.iter().map(|text| (*text).to_owned());
            [Cell::from("a"), Cell::from(text).or_shorter(shorter)]
        };
        let rows = || {
            vec![
                place(
                    "app::report (src/report.rs:12)",
                    &["src/report.rs:12", "report.rs:12"],
                ),
                place("in a", &[]),
            ]
        };
        let table = |width| {
            let width = Some(width);
            Look { width, ..PLAIN }.table(["A", "WHERE"], rows())
        };
        assert_eq!(
            table(33),
            "A  WHERE\na  app::report (src/report.rs:12)\na  in a\n"
        );
        assert_eq!(table(32), "A  WHERE\na  src/report.rs:12\na  in a\n");
        assert_eq!(table(19), "A  WHERE\na  src/report.rs:12\na  in a\n");
        assert_eq!(table(18), "A  WHERE\na  report.rs:12\na  in a\n");
        assert_eq!(table(10), "A  WHERE\na  report…\na  in a\n");
    }

    #[test]
    fn colours_take_up_no_room() {
        let look = Look {
            width: Some(24),
            color: true,
            ..PLAIN
        };
        let text = table(look);
        assert!(
            text.starts_with("\x1b[1mSTATE\x1b[0m  \x1b[1mROUTE\x1b[0m  "),
            "{text:?}"
        );
        let mut plain = text.replace("\x1b[0m", "");
        for code in ["\x1b[1m", "\x1b[31m"] {
            plain = plain.replace(code, "");
        }
        let expected = table(Look {
            color: false,
            ..look
        });
        assert_eq!(plain, expected);
    }
}
