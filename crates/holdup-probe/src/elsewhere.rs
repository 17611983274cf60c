//! Redirects that lead to another page than the one that was asked for, such as a log-in.

use url::Url;

use super::name::name;
use super::target::Target;

/// Which page was measured, and which one redirects to it, if they are not the same. Pages of one server are named by
/// their paths.
pub(super) fn pages(from: &Target, to: &Target) -> Option<(String, String)> {
    if same_page(from.parsed(), to.parsed()) {
        return None;
    }
    let one_server = from.origin() == to.origin();
    let page = |target: &Target| {
        if one_server {
            name(target.page(), target.origin()).to_owned()
        } else {
            target.page().to_owned()
        }
    };
    Some((page(to), page(from)))
}

/// Whether two URLs differ only in what servers normalize (a slash at the end, `https`, `www.`) or in the
/// query.
fn same_page(one: &Url, other: &Url) -> bool {
    let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
    let ports = one.scheme() != other.scheme() || one.port() == other.port();
    host(one) == host(other) && ports && path(one) == path(other)
}

fn host(url: &Url) -> Option<&str> {
    let host = url.host_str()?;
    Some(host.strip_prefix("www.").unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_to_another_page_differs_from_a_normalized_url() {
        let url = |text: &str| Target::parse(text).expect("a URL");
        for (from, to, told) in [
            ("http://h/report", "http://h/report/", None),
            ("http://h/report/", "https://www.h/report?a=b", None),
            ("http://h:8080/", "https://h:8443/", None),
            (
                "http://h/report",
                "http://h/login?next=report",
                Some(("/login", "/report")),
            ),
            ("http://h/", "http://h/en/", Some(("/en/", "/"))),
            (
                "http://h/{}/a",
                "http://h/b/{}?c={}",
                Some(("/b/{}", "/{}/a")),
            ),
            (
                "http://h:80/a",
                "http://h:81/a",
                Some(("http://h:81/a", "http://h/a")),
            ),
            (
                "http://h/a",
                "https://h/b?c",
                Some(("https://h/b", "http://h/a")),
            ),
            (
                "http://h/a",
                "http://www.h/b",
                Some(("http://www.h/b", "http://h/a")),
            ),
            (
                "http://h/a?b",
                "http://auth.h/a?b",
                Some(("http://auth.h/a", "http://h/a")),
            ),
        ] {
            let pages = pages(&url(from), &url(to));
            let pages = pages
                .as_ref()
                .map(|(to, from)| (to.as_str(), from.as_str()));
            assert_eq!(pages, told, "{from} {to}");
        }
    }
}
