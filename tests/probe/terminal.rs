//! The lanes on a terminal, which grow during the measurement.

use std::process::{Command, Output, Stdio};
use std::str::Chars;

use super::{REPEATS, node, url};

/// As `terminal.py` makes it.
const WIDTH: usize = 80;
const HEIGHT: usize = 24;

/// Probes on a terminal, where Ctrl-C is typed once `interrupt` has been shown.
fn probe(arguments: &[&str], interrupt: &str) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/probe/terminal.py");
    Command::new("python3")
        .args([script, interrupt, env!("CARGO_BIN_EXE_holdup"), "probe"])
        .args(arguments)
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .expect("python3 runs")
}

/// What a terminal shows. It keeps what would scroll out at the top.
struct Screen {
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
    cursor: bool,
    plain: bool,
    /// What was shown each time before the cursor went up, to draw anew.
    frames: Vec<String>,
}

impl Screen {
    fn showing(output: &[u8]) -> Self {
        let mut screen = Self {
            rows: vec![Vec::new()],
            row: 0,
            column: 0,
            cursor: true,
            plain: true,
            frames: Vec::new(),
        };
        let text = str::from_utf8(output).expect("UTF-8");
        let mut rest = text.chars();
        while let Some(char) = rest.next() {
            match char {
                '\r' => screen.column = 0,
                '\n' => screen.down(1),
                '\x1b' => screen.escape(&mut rest),
                char => screen.put(char),
            }
        }
        screen
    }

    fn down(&mut self, by: usize) {
        self.row += by;
        if self.rows.len() <= self.row {
            self.rows.resize(self.row + 1, Vec::new());
        }
    }

    /// After the last column, the cursor moves to the next row only when another character follows.
    fn put(&mut self, char: char) {
        if self.column == WIDTH {
            self.column = 0;
            self.down(1);
        }
        let row = &mut self.rows[self.row];
        if row.len() <= self.column {
            row.resize(self.column + 1, ' ');
        }
        row[self.column] = char;
        self.column += 1;
    }

    fn escape(&mut self, rest: &mut Chars<'_>) {
        assert_eq!(rest.next(), Some('['), "a control sequence");
        let mut argument = String::new();
        let last = rest
            .by_ref()
            .find(|char| {
                let last = char.is_ascii_alphabetic();
                if !last {
                    argument.push(*char);
                }
                last
            })
            .expect("it ends");
        let number = || argument.parse().unwrap_or(1);
        match (last, argument.as_str()) {
            ('A', _) => {
                self.frames.push(self.text());
                self.row = self.row.saturating_sub(number());
            }
            ('B', _) => self.down(number()),
            ('K', "2") => self.rows[self.row].clear(),
            ('h' | 'l', "?25") => self.cursor = last == 'h',
            ('m', style) => self.plain = ["", "0"].contains(&style),
            sequence => panic!("the test does not know the control sequence {sequence:?}"),
        }
    }

    fn text(&self) -> String {
        let line = |row: &Vec<char>| row.iter().collect::<String>().trim_end().to_owned();
        let lines: Vec<_> = self.rows.iter().map(line).collect();
        lines.join("\n").trim_end().to_owned()
    }
}

#[test]
fn lanes_grow_on_a_terminal_and_leave_nothing_but_the_verdict() {
    let server = node();
    let url = url(&server, "/timer");
    let mut output = probe(&[&url, "-n30"], "");
    for _ in 0..REPEATS {
        // A busy machine made it inconclusive.
        if output.status.code() != Some(3) {
            break;
        }
        output = probe(&[&url, "-n30"], "");
    }
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let screen = Screen::showing(&output.stdout);
    let going = |heading: &str| {
        let frames = screen
            .frames
            .iter()
            .filter(|frame| frame.starts_with(heading));
        let lanes = frames.map(|frame| frame.matches("  going").count());
        lanes.max().unwrap_or_default()
    };
    assert_eq!(
        going("one request alone: about "),
        1,
        "{:#?}",
        screen.frames
    );
    // As many as there is room for.
    assert_eq!(going("30 at once, unique URLs: "), 19);
    assert_eq!(going("30 at once, the same URL: "), 19);
    for frame in &screen.frames {
        assert!(frame.lines().count() <= HEIGHT, "{frame}");
    }

    let text = screen.text();
    assert!(text.starts_with(&format!("{url}\n\n/timer?x=")), "{text}");
    assert!(text.contains("\nConcurrent: all 30 requests ran"), "{text}");
    assert!(!text.contains("going"), "{text}");
    assert!(screen.cursor && screen.plain && screen.column == 0);
}

#[test]
fn a_route_that_is_asked_meanwhile_is_named() {
    let server = node();
    let (blocking, quick) = (url(&server, "/blocking"), url(&server, "/quick"));
    let output = probe(&[&blocking, "--beside", &quick, "-n2"], "");
    let screen = Screen::showing(&output.stdout);
    // What is said before the start stays above.
    let heading = "\n1 request, and /quick beside it: about ";
    let said = |frame: &String| frame.contains(heading);
    assert!(screen.frames.iter().any(said), "{:#?}", screen.frames);
}

#[test]
fn ctrl_c_ends_it_at_once_and_leaves_the_terminal_as_it_was() {
    let server = node();
    let output = probe(&[&url(&server, "/blocking"), "-n8"], "-8  ");
    // The signal must end the program, so that a shell's loop ends as well.
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let screen = Screen::showing(&output.stdout);
    let grown = |frame: &String| frame.starts_with("8 at once, unique URLs: ");
    assert!(screen.frames.iter().any(grown), "{:#?}", screen.frames);
    // The terminal itself shows what was typed.
    let text = screen.text().replace("^C", "");
    assert_eq!(text.trim(), "", "no lanes are left");
    assert!(screen.cursor && screen.plain);
}
