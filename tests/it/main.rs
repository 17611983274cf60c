//! The tests that need a whole app, a real process or a real browser.

mod app;
mod browser;
mod command_line;
mod console;
mod harness;
mod holds;
mod live;
mod malformed;
mod probe;
mod source;
mod stopping;
mod support;
