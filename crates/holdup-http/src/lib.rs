//! What the lab and the console share as web services: errors as clients see them, and the host that a
//! request names.

#![forbid(unsafe_code)]

pub mod host;
pub mod problem;
