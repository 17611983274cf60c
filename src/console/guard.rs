//! Who may ask: the page is for the developer's own browser, and other sites are open in it too.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::host;

/// Whether a host's name means this machine itself, whatever DNS says. Another name that leads here
/// is a site that had its name lead here (DNS rebinding), to read what only local pages may.
pub(super) fn is_local(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || bare.ends_with(".localhost")
        || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// An origin as a Content-Security-Policy has to write it: IPv6 addresses cannot stand there, and
/// any host on that port has to do.
pub(super) fn source(origin: &str) -> String {
    match (origin.split_once('['), origin.rsplit_once(']')) {
        (Some((scheme, _)), Some((_, port))) => format!("{scheme}*{port}"),
        _ => origin.to_owned(),
    }
}

/// Whether what a browser says of the page that asks allows it to change something: it must be
/// the console's own. Whatever is no browser says nothing, and may.
pub(super) fn is_same_origin(request: &HttpRequest) -> bool {
    let headers = request.headers();
    if let Some(site) = headers.get("sec-fetch-site")
        && site != "same-origin"
    {
        return false;
    }
    match headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => {
            let host = host::named(headers).unwrap_or_default();
            let origin = origin.to_str().unwrap_or_default();
            let given = origin
                .strip_prefix("http://")
                .or(origin.strip_prefix("https://"));
            given.is_some_and(|given| !host.is_empty() && given.eq_ignore_ascii_case(host))
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn names_of_this_machine_are_told_from_others() {
        for local in [
            "localhost",
            "LOCALHOST:80",
            "a.localhost:1",
            "127.0.0.1:8081",
            "127.9.9.9",
            "[::1]:8081",
            "[::1]",
        ] {
            assert!(is_local(host::without_port(local)), "{local}");
        }
        for other in [
            "evil.example",
            "localhost.evil.example:8081",
            "127.0.0.1.nip.io",
            "10.0.0.1",
            "[::2]:1",
            "",
        ] {
            assert!(!is_local(host::without_port(other)), "{other}");
        }
    }

    #[test]
    fn a_policy_has_no_ipv6_address() {
        assert_eq!(source("http://[::1]:8080"), "http://*:8080");
        assert_eq!(source("https://[::1]"), "https://*");
        assert_eq!(source("http://localhost:8080"), "http://localhost:8080");
    }

    #[test]
    fn only_the_consoles_own_page_may_change_something() {
        let asked = |headers: &[(&str, &str)]| {
            let mut request = TestRequest::post().insert_header(("host", "localhost:8081"));
            for &header in headers {
                request = request.insert_header(header);
            }
            is_same_origin(&request.to_http_request())
        };
        assert!(asked(&[]), "curl");
        assert!(asked(&[("origin", "http://localhost:8081")]));
        assert!(asked(&[
            ("origin", "http://localhost:8081"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(
            asked(&[("origin", "https://LOCALHOST:8081")]),
            "behind a proxy with TLS"
        );
        assert!(
            !asked(&[("origin", "http://localhost:8080")]),
            "the lab's port"
        );
        assert!(!asked(&[("origin", "http://evil.example")]));
        assert!(!asked(&[("origin", "null")]));
        assert!(!asked(&[("sec-fetch-site", "cross-site")]));
        assert!(!asked(&[("sec-fetch-site", "same-site")]));
        assert!(!asked(&[("sec-fetch-site", "none")]));
    }
}
