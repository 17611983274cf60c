//! The line of code at which a worker is held.

use std::cmp::Reverse;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The most functions that one log line names.
const NAMED: usize = 3;

/// A line of the app's own code that held a worker, or of a library that the app mounts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Line {
    /// The function, with its path: `app::report`. In an optimized build with line tables only, an inlined
    /// function may have less of a name: `async fn`, or `the handler of GET /report`.
    pub function: String,
    /// The source file; `None` where the program has no line tables.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u32>,
    /// What that line called, if anything: `std::thread::sleep`.
    pub called: Option<String>,
    /// Whether the line is in a library: then no code of the app's own was on the stack. The hold's route
    /// shows where the app mounted the library.
    pub library: bool,
    /// How many of the hold's sampled stacks were at this line.
    pub samples: u32,
}

impl Line {
    /// A line in the app's own code that was sampled once, and whose function alone is known.
    pub fn new(function: impl Into<String>) -> Self {
        Self {
            function: function.into(),
            file: None,
            line: None,
            called: None,
            library: false,
            samples: 1,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " ({file}:{line})"),
            (Some(file), None) => write!(f, " ({file})"),
            (None, _) => f.write_str(" (no line tables)"),
        }
    }
}

/// Displays lines as part of a sentence: `at app::sort (src/main.rs:7) 43 %, app::sum (src/main.rs:9) 29 %`.
///
/// Each function appears once, with its most frequent line. At most three functions are named.
#[derive(Debug, Clone, Copy)]
pub struct LineSummary<'a>(pub &'a [Line]);

impl fmt::Display for LineSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: u64 = self.0.iter().map(|line| u64::from(line.samples)).sum();
        let functions = self.functions();
        for (index, (line, samples)) in functions.iter().take(NAMED).enumerate() {
            f.write_str(if index == 0 { "at " } else { ", " })?;
            write!(f, "{line}")?;
            if functions.len() > 1 {
                write!(f, " {} %", (samples * 100 + all / 2) / all.max(1))?;
            } else if let Some(called) = &line.called {
                write!(f, ", in {called}")?;
            }
        }
        match functions.len().saturating_sub(NAMED) {
            0 => {}
            n => write!(f, " and {n} more")?,
        }
        if self.0.iter().all(|line| line.library) {
            f.write_str(", with no code of the app's own on the stack")?;
        }
        Ok(())
    }
}

impl<'a> LineSummary<'a> {
    /// Each function's first line, which is its most frequent one, with the number of samples of all its
    /// lines. The most frequent function comes first.
    fn functions(&self) -> Vec<(&'a Line, u64)> {
        let mut functions: Vec<(&Line, u64)> = Vec::new();
        for line in self.0 {
            let known = functions
                .iter_mut()
                .find(|(known, _)| known.function == line.function);
            match known {
                Some((_, samples)) => *samples += u64::from(line.samples),
                None => functions.push((line, u64::from(line.samples))),
            }
        }
        functions.sort_by_key(|(_, samples)| Reverse(*samples));
        functions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holds_lines_are_listed_with_their_share_of_samples() {
        let line = |function: &str, line, called: Option<&str>, samples| Line {
            function: function.to_owned(),
            file: Some("src/main.rs".to_owned()),
            line: Some(line),
            called: called.map(str::to_owned),
            library: false,
            samples,
        };
        let one = line("app::render", 4, Some("std::thread::sleep"), 3);
        assert_eq!(
            LineSummary(std::slice::from_ref(&one)).to_string(),
            "at app::render (src/main.rs:4), in std::thread::sleep"
        );
        let several = [
            line("app::sum", 9, None, 4),
            line("app::sort", 7, Some("core::slice::sort"), 3),
            line("app::sort", 8, None, 3),
            one,
            line("app::last", 20, None, 1),
        ];
        assert_eq!(
            LineSummary(&several).to_string(),
            "at app::sort (src/main.rs:7) 43 %, app::sum (src/main.rs:9) 29 %, \
             app::render (src/main.rs:4) 21 % and 1 more"
        );
        let unknown = Line::new("app::sum");
        let library = Line {
            function: "actix_files::NamedFile::open".to_owned(),
            file: Some("actix-files-0.6.10/src/named.rs".to_owned()),
            library: true,
            called: Some("std::fs::File::open".to_owned()),
            ..several[0].clone()
        };
        assert_eq!(
            LineSummary(&[library]).to_string(),
            "at actix_files::NamedFile::open (actix-files-0.6.10/src/named.rs:9), in \
             std::fs::File::open, with no code of the app's own on the stack"
        );
        assert_eq!(
            LineSummary(&[unknown]).to_string(),
            "at app::sum (no line tables)"
        );
    }
}
