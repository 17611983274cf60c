//! Which requests are answered. The page is for the developer's browser, which has other sites open
//! too.

use actix_web::HttpRequest;
use actix_web::http::header;

use super::names::{self, Names};
use holdup_http::host;
use holdup_http::problem::Problem;

/// Refuses a request without a host, or with a host under which the console does not answer.
///
/// # Errors
///
/// Returns 400 when there is no valid host, and 403 when the host is not one of `names`.
pub(super) fn check_host(
    request: &HttpRequest,
    names: &Names,
    remedy: impl Fn(&str) -> String,
) -> Result<(), Problem> {
    let header = host::named(request.headers()).map(host::without_port);
    // The target of a request to a proxy contains a host as well, and a server has to use that one
    // (RFC 9112, 3.2.2). Here both have to be allowed.
    for name in request.uri().host().into_iter().chain(header) {
        let host = names::read(name).ok_or_else(|| no_host(name))?;
        if !names.include(&host) {
            let name = host.to_string();
            return Err(Problem::forbidden(format!(
                "another site could make its name {name} point to this machine; use localhost or an IP \
                 address in the URL, or {}",
                remedy(&name)
            )));
        }
    }
    if header.is_some() {
        return Ok(());
    }
    // Only HTTP/1.0 requests have no host, and no browser sends them. A host that a proxy removed
    // cannot be checked.
    let given = request.headers().get(header::HOST);
    let given = given.map_or(&b""[..], |value| value.as_bytes());
    Err(no_host(&String::from_utf8_lossy(given)))
}

fn no_host(given: &str) -> Problem {
    let allowed = "a host name or an IP address, with or without a port, such as localhost:8081";
    Problem::bad_header("Host", given, allowed.to_owned())
}

/// An origin in the form that a Content-Security-Policy accepts. It cannot contain an IPv6 address,
/// so that is replaced by any host on the same port.
pub(super) fn source(origin: &str) -> String {
    match (origin.split_once('['), origin.rsplit_once(']')) {
        (Some((scheme, _)), Some((_, port))) => format!("{scheme}*{port}"),
        _ => origin.to_owned(),
    }
}

/// Whether the request may change something. If a browser describes the page that made it, that
/// page must be the console's own. Other clients describe no page, and are allowed.
fn is_same_origin(request: &HttpRequest) -> bool {
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

/// Refuses a request that a browser made for another page than the console's own.
///
/// # Errors
///
/// Returns 403 for another site's page.
pub(super) fn check_same_origin(request: &HttpRequest) -> Result<(), Problem> {
    is_same_origin(request)
        .then_some(())
        .ok_or_else(another_site)
}

/// Refuses a request of another site's page, unless it is a link to the console's page.
///
/// # Errors
///
/// Returns 403 for another site's page.
pub(super) fn check_site(request: &HttpRequest) -> Result<(), Problem> {
    may_ask(request).then_some(()).ok_or_else(another_site)
}

fn another_site() -> Problem {
    let detail = "another site's page made this request (Origin, Sec-Fetch-Site); only the console's own page may";
    Problem::forbidden(detail.to_owned())
}

/// Whether the request may be answered, going by the page that the browser says made it. A page of
/// another site may link to the console's page. It could not read any other answer, but its
/// requests would take the places of readers. Another port of this machine counts as another site.
fn may_ask(request: &HttpRequest) -> bool {
    let is = |name: &str, value: &str| request.headers().get(name).map(|given| given == value);
    let by_its_user = is("sec-fetch-site", "none") == Some(true);
    let opens_the_page = request.path() == "/"
        && is("sec-fetch-mode", "navigate") == Some(true)
        && is("sec-fetch-dest", "document") != Some(false);
    by_its_user || opens_the_page || is_same_origin(request)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

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

    #[test]
    fn another_sites_page_may_only_link_to_the_page() {
        let asked = |path: &str, headers: &[(&str, &str)]| {
            let mut request = TestRequest::with_uri(path).insert_header(("host", "localhost:8081"));
            for &header in headers {
                request = request.insert_header(header);
            }
            may_ask(&request.to_http_request())
        };
        let site = |site| ("sec-fetch-site", site);
        let navigates = ("sec-fetch-mode", "navigate");
        assert!(asked("/events", &[]), "curl, Prometheus, an old browser");
        assert!(asked("/events", &[site("same-origin")]));
        assert!(asked("/state", &[site("none"), navigates]), "typed in");
        for other in ["cross-site", "same-site", "anything-else"] {
            let image = [
                site(other),
                ("sec-fetch-mode", "no-cors"),
                ("sec-fetch-dest", "image"),
            ];
            let link = [site(other), navigates, ("sec-fetch-dest", "document")];
            let frame = [site(other), navigates, ("sec-fetch-dest", "iframe")];
            for path in ["/", "/events", "/state", "/metrics"] {
                assert!(!asked(path, &image), "{other} {path}");
                assert!(!asked(path, &frame), "{other} {path}");
                assert_eq!(asked(path, &link), path == "/", "{other} {path}");
            }
            assert!(
                asked("/", &link[..2]),
                "a browser that does not send Sec-Fetch-Dest"
            );
        }
        assert!(!asked("/events", &[("origin", "http://evil.example")]));
    }
}
