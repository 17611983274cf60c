//! A place in the code as a cell, with shorter forms for a narrow terminal.

use super::table::Cell;

/// The cell of a place with this text, such as `app::report (src/report.rs:12), in tokio::sync::Mutex::lock`. Where
/// there is no room, it is shown without the function, and then without the file's folders. `line` is
/// `src/report.rs:12`.
pub(super) fn cell(text: String, line: Option<&str>, within: Option<&str>) -> Cell {
    let Some(line) = line else {
        return text.into();
    };
    let with = |line: &str| match within {
        Some(within) => format!("{line}, in {within}"),
        None => line.to_owned(),
    };
    let name = line.rsplit('/').next().unwrap_or(line);
    Cell::from(text).or_shorter([with(line), with(name)])
}
