//! What output may look like: the width of a terminal, and whether to use colours.

use std::env;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use holdup_render::Style;
use rustix::termios::tcgetwinsize;

use crate::cli::Color;

/// The width of what is not written to a terminal.
const WIDTH: usize = 80;

/// How to render on `output`.
pub(crate) fn style(output: &(impl AsFd + IsTerminal), color: Color) -> Style {
    let terminal = output.is_terminal();
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = is_dumb();
    let width = match tcgetwinsize(output) {
        Ok(size) if terminal && size.ws_col > 0 => usize::from(size.ws_col),
        _ => WIDTH,
    };
    Style {
        width,
        color: match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !dumb && !set("NO_COLOR"),
        },
        ascii: terminal && dumb,
        now: None,
    }
}

/// Whether terminals take no control sequences: the cursor stays where the text has left it.
pub(crate) fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}
