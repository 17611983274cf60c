//! The host that a request names.

use actix_web::http::header::{self, HeaderMap};

/// The host of the request, if it is valid and safe to show: a name or an address, with an optional
/// port.
pub fn named(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    is_plain(host).then_some(host)
}

/// Whether the host has only characters that names, addresses and ports can have.
pub fn is_plain(host: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:-_[]".contains(c);
    !host.is_empty() && host.len() <= 255 && host.chars().all(plain)
}

/// The host without its port.
pub fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    }
}
