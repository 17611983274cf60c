//! How text is drawn, and with which characters.

use std::time::Duration;

/// How text is drawn. The crate does not inspect the terminal: the caller decides the width, and whether to
/// use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// The length of the longest line, in columns.
    pub width: usize,
    /// Whether to add colours (ANSI escape sequences). The picture is complete without them.
    pub color: bool,
    /// Whether to keep to ASCII. Labels stay as they are.
    pub ascii: bool,
    /// For a live picture, the current time. Lanes that have not ended are drawn up to it.
    pub now: Option<Duration>,
}

impl Style {
    /// A style without colour, `width` columns wide, for a measurement that has ended.
    pub const fn plain(width: usize) -> Self {
        Self {
            width,
            color: false,
            ascii: false,
            now: None,
        }
    }

    pub(super) fn glyphs(self) -> &'static Glyphs {
        if self.ascii { &ASCII } else { &UNICODE }
    }
}

#[derive(Debug)]
pub(super) struct Glyphs {
    pub(super) waiting: char,
    pub(super) first_byte: char,
    pub(super) answering: char,
    pub(super) chunk: char,
    pub(super) end: char,
    pub(super) failed: char,
    pub(super) ellipsis: char,
}

const UNICODE: Glyphs = Glyphs {
    waiting: '·',
    first_byte: '|',
    answering: '━',
    chunk: '•',
    end: '█',
    failed: '✗',
    ellipsis: '…',
};

const ASCII: Glyphs = Glyphs {
    waiting: '.',
    first_byte: '|',
    answering: '=',
    chunk: 'o',
    end: '#',
    failed: 'X',
    ellipsis: '~',
};
