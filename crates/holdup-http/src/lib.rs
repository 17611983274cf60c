//! What the web services of holdup share: errors that a client can read, and the host that a
//! request names.

#![forbid(unsafe_code)]

pub mod host;
pub mod problem;
