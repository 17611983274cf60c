//! What the head of an answer shows: whether it came from a cache, and whether the route expects a WebSocket.

use hyper::ext::ReasonPhrase;
use hyper::header::{AGE, HeaderName, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::{HeaderMap, Response, StatusCode};

/// Headers in which caches report whether they served the answer: "HIT", "Hit from cloudfront", "hit; …".
const CACHES: [HeaderName; 4] = [
    HeaderName::from_static("x-cache"),
    HeaderName::from_static("x-cache-status"),
    HeaderName::from_static("cf-cache-status"),
    HeaderName::from_static("cache-status"),
];

/// How much of a body is examined.
const BEGINNING: usize = 1024;

/// The header that shows that the answer came from a cache, if there is one.
pub(super) fn cache_header(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name)?.to_str().ok();
    let age = text(&AGE).and_then(|age| age.trim().parse::<u64>().ok());
    if let Some(age) = age.filter(|age| *age > 0) {
        return Some(format!("Age: {age}"));
    }
    CACHES.iter().find_map(|name| {
        let mut words = text(name)?.split(|c: char| !c.is_ascii_alphanumeric());
        let hit = words.any(|word| word.eq_ignore_ascii_case("hit"));
        hit.then(|| format!("{name}: {}", text(name).unwrap_or_default()))
    })
}

/// Whether a WebSocket server may answer a plain request with this status.
pub(super) fn may_want_websocket(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::UPGRADE_REQUIRED
    )
}

/// Whether the head shows that the route expects a WebSocket and refuses a plain request.
pub(super) fn wants_websocket<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    let upgrade = headers.get_all(UPGRADE).iter();
    let reason = response.extensions().get::<ReasonPhrase>();
    may_want_websocket(response.status())
        && (headers.contains_key(SEC_WEBSOCKET_VERSION)
            || upgrade
                .into_iter()
                .any(|value| names_websocket(value.as_bytes()))
            || reason.is_some_and(|reason| names_websocket(reason.as_bytes())))
}

/// Whether a text mentions web sockets near its beginning.
pub(super) fn names_websocket(text: &[u8]) -> bool {
    let word = b"websocket";
    let beginning = &text[..text.len().min(BEGINNING)];
    beginning
        .windows(word.len())
        .any(|part| part.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&'static str, &'static str)]) -> Response<()> {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(()).expect("a response")
    }

    #[test]
    fn cache_headers_are_recognized() {
        for (header, told) in [
            (("Age", "12"), Some("Age: 12")),
            (("Age", "0"), None),
            (("Age", "old"), None),
            (("X-Cache", "HIT"), Some("x-cache: HIT")),
            (
                ("X-Cache", "Hit from cloudfront"),
                Some("x-cache: Hit from cloudfront"),
            ),
            (("X-Cache", "MISS, MISS"), None),
            (("X-Cache", "white"), None),
            (("CF-Cache-Status", "DYNAMIC"), None),
            (
                ("Cache-Status", "Nginx; hit"),
                Some("cache-status: Nginx; hit"),
            ),
            (("ETag", "\"1\""), None),
        ] {
            let found = cache_header(response(200, &[header]).headers());
            assert_eq!(found.as_deref(), told, "{header:?}");
        }
    }

    #[test]
    fn a_websocket_route_is_recognized_by_several_headers() {
        for (status, headers, wants) in [
            (426, &[("Upgrade", "websocket")][..], true),
            (426, &[("Upgrade", "WebSocket")], true),
            (400, &[("Sec-WebSocket-Version", "13")], true),
            (426, &[("Upgrade", "TLS/1.2")], false),
            (400, &[], false),
            (200, &[("Upgrade", "h2c, websocket")], false),
        ] {
            let response = response(status, headers);
            assert_eq!(wants_websocket(&response), wants, "{status} {headers:?}");
        }
        // As actix-web answers.
        let mut actix = response(400, &[]);
        let reason = ReasonPhrase::from_static(b"No WebSocket Upgrade header found");
        actix.extensions_mut().insert(reason);
        assert!(wants_websocket(&actix));
        assert!(names_websocket(b"Can \"Upgrade\" only to \"WebSocket\"."));
        assert!(!names_websocket(b"a web, a socket"));
    }
}
