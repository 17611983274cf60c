//! How text is drawn, and with which signs.

use std::time::Duration;

/// How text is drawn. Nothing is looked up: whether there is a terminal, how wide it is and what it
/// can show is the caller's to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// The length of the longest line, in columns.
    pub width: usize,
    /// Whether to add colours (ANSI escape sequences). The picture says the same without.
    pub color: bool,
    /// Whether to keep to ASCII. Labels stay as they are.
    pub ascii: bool,
    /// For a live picture: the time now. Lanes that are going are drawn up to it.
    pub now: Option<Duration>,
}

impl Style {
    /// Without colour, as wide as `width`, of a measurement that is over.
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
