//! The program as a whole: its command line, its answers on real connections, its console, and how
//! it stops.

mod app;
mod command_line;
mod console;
mod harness;
mod held_up;
mod holds;
mod lab;
mod live;
mod malformed;
mod ps;
mod record;
#[path = "../support/recorded.rs"]
mod recorded;
mod replica;
#[path = "../support/server.rs"]
mod server;
mod source;
mod stopping;
