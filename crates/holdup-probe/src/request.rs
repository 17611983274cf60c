//! What is sent besides the URL: method, headers, body.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST,
    HeaderName, HeaderValue, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    USER_AGENT,
};
use hyper::{HeaderMap, Method, Uri};
use url::{Position, Url};

use super::question::Question;
use super::template::Template;
use holdup_model::Failure;

/// Headers that belong to the connection, which only the prober sets.
const OURS: [HeaderName; 7] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Headers that are sent only to the original server, and not to one that it redirects to.
const SECRET: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// A request as hyper sends it.
pub(super) type Message = hyper::Request<Full<Bytes>>;

/// Method, headers and body of every request of a run. In a header's value and in the body, `{}` is
/// where requests differ, and `{{}}` a plain `{}`.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    headers: HeaderMap,
    body: Template,
}

/// A request that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRequest {
    /// Not a method.
    #[error(
        "{0:?} is not an HTTP method that can be sent; use a word such as GET, POST or HEAD (CONNECT is \
         not supported)"
    )]
    Method(String),
    /// The text is not a header. The error does not repeat it, because it may be a secret.
    #[error("the header {name:?} cannot be sent; write it as 'Name: value', in visible characters")]
    Header {
        /// The text before the colon.
        name: String,
    },
    /// A header that the prober sets.
    #[error(
        "the header {0} cannot be changed, because the prober sets it for each connection; leave it out"
    )]
    Ours(String),
}

impl Default for Request {
    /// A plain GET.
    fn default() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        let agent = concat!("holdup/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        // No Accept-Encoding: compression gathers a stream's chunks.
        Self {
            method: Method::GET,
            headers,
            body: Template::of(b""),
        }
    }
}

impl Request {
    /// With another method.
    ///
    /// # Errors
    ///
    /// When `method` is not a method, or is CONNECT, which opens a tunnel.
    pub fn method(mut self, method: &str) -> Result<Self, BadRequest> {
        let bad = || BadRequest::Method(method.to_owned());
        self.method = Method::from_bytes(method.as_bytes()).map_err(|_| bad())?;
        if self.method == Method::CONNECT {
            return Err(bad());
        }
        Ok(self)
    }

    /// Adds a header, `Name: value`. It replaces the prober's own header of that name. If the same name is
    /// given twice, both headers are sent.
    ///
    /// # Errors
    ///
    /// When `line` is not a header, or is one that belongs to the connection.
    ///
    /// ```
    /// use holdup_probe::Request;
    ///
    /// let request = Request::default().header("Authorization: Bearer abc")?;
    /// assert!(request.header("Connection: keep-alive").is_err());
    /// # Ok::<_, holdup_probe::BadRequest>(())
    /// ```
    pub fn header(mut self, line: &str) -> Result<Self, BadRequest> {
        let (name, value) = line.split_once(':').unwrap_or((line, "\0"));
        let bad = || BadRequest::Header {
            name: name.trim().to_owned(),
        };
        let known = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| bad())?;
        let value = HeaderValue::from_str(value.trim()).map_err(|_| bad())?;
        if OURS.contains(&known) {
            return Err(BadRequest::Ours(known.to_string()));
        }
        let default = Self::default().headers;
        if self.headers.get(&known) == default.get(&known) {
            self.headers.remove(&known);
        }
        self.headers.append(known, value);
        Ok(self)
    }

    /// With a body. The method stays as it is. In a JSON document, `{}` outside of a string is an empty
    /// object, and stays one.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Template::of_body(body.as_ref());
        self
    }

    /// The method's name.
    pub(super) fn method_name(&self) -> String {
        self.method.to_string()
    }

    /// Where `{}` is replaced, in words.
    pub(super) fn places(&self) -> Vec<String> {
        let headers = self.headers.iter();
        let headers = headers.filter(|(_, value)| Template::of(value.as_bytes()).has_places());
        let headers = headers.map(|(name, _)| format!("the header {name}"));
        let body = self.body.has_places().then(|| "the body".to_owned());
        headers.chain(body).collect()
    }

    /// The request that follows a redirect with `status` from one URL to another, as in browsers: only 307
    /// and 308 keep the method and the body, and secrets are not sent to another server.
    pub(super) fn redirected(mut self, status: u16, from: &Url, to: &Url) -> Self {
        let posted = self.method == Method::POST && matches!(status, 301 | 302);
        if posted || (status == 303 && self.method != Method::HEAD) {
            self.method = Method::GET;
            self.body = Template::of(b"");
        }
        if from.origin() != to.origin() {
            for name in SECRET.iter().chain([&HOST]) {
                self.headers.remove(name);
            }
        }
        self
    }

    /// The request without cookies and credentials.
    pub(super) fn anonymous(mut self) -> Self {
        for name in SECRET {
            self.headers.remove(name);
        }
        self
    }

    /// Whether its method is meant to change nothing on the server (RFC 9110, section 9.2.1).
    pub(super) fn is_safe(&self) -> bool {
        self.method.is_safe()
    }

    /// Whether it has cookies or credentials: a header `Cookie`, `Authorization` or `Proxy-Authorization`.
    pub fn is_personal(&self) -> bool {
        SECRET.iter().any(|name| self.headers.contains_key(name))
    }

    /// The header with cookies or credentials, if any, in which each request has a label of its own, in the
    /// place of `{}`. Such requests have no session in common.
    pub fn personal_label(&self) -> Option<&str> {
        let has_places = |name: &&HeaderName| {
            let mut values = self.headers.get_all(*name).iter();
            values.any(|value| Template::of(value.as_bytes()).has_places())
        };
        SECRET.iter().find(has_places).map(HeaderName::as_str)
    }

    /// The plain GET of a bystander: with the same headers, if it is on the same server.
    pub(super) fn for_bystander(&self, of: &Url, bystander: &Url) -> Self {
        let mut request = self.clone();
        request.method = Method::GET;
        request.body = Template::of(b"");
        request.headers.remove(CONTENT_TYPE);
        if of.origin() == bystander.origin() {
            return request;
        }
        let mut plain = Self::default();
        if let Some(agent) = self.headers.get(USER_AGENT) {
            plain.headers.insert(USER_AGENT, agent.clone());
        }
        plain
    }

    /// The request for a question, or why it cannot be made.
    pub(super) fn to(&self, question: &Question) -> Result<Message, Failure> {
        let url = &question.url;
        let bad =
            |what: &str, why: &dyn std::error::Error| Failure::Other(format!("{what}: {why}"));
        let path: Uri = url[Position::BeforePath..Position::AfterQuery]
            .parse()
            .map_err(|error| bad("the URL", &error))?;
        let body = self.body.with(&question.label);
        let mut request = hyper::Request::new(Full::new(body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = path;
        let headers = request.headers_mut();
        // The host comes first, as RFC 9110 recommends.
        let host = &url[Position::BeforeHost..Position::AfterPort];
        if let Ok(host) = HeaderValue::from_str(host) {
            headers.insert(HOST, host);
        }
        for name in self.headers.keys() {
            headers.remove(name);
        }
        for (name, value) in &self.headers {
            let value = Template::of(value.as_bytes()).with(&question.label);
            let value =
                HeaderValue::from_maybe_shared(value).map_err(|error| bad("a header", &error))?;
            headers.append(name, value);
        }
        // The server need not wait for another request on a connection that will have none.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        Ok(request)
    }
}

/// The message for a connection that the server is to keep open.
pub(super) fn kept_alive(mut message: Message) -> Message {
    message.headers_mut().remove(CONNECTION);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_and_credentials_are_what_an_anonymous_request_leaves_out() {
        let request = |line: &str| Request::default().header(line).expect("a header");
        for (line, personal, label) in [
            ("Cookie: id=1", true, None),
            ("authorization: Bearer abc", true, None),
            ("Cookie: id={}", true, Some("cookie")),
            ("Cookie: id={{}}", true, None),
            ("X-Id: {}", false, None),
        ] {
            let request = request(line);
            assert_eq!(request.is_personal(), personal, "{line}");
            assert_eq!(request.personal_label(), label, "{line}");
            let anonymous = request.clone().anonymous();
            assert!(!anonymous.is_personal(), "{line}");
            let left_out = request.headers.len() - anonymous.headers.len();
            assert_eq!(left_out, usize::from(personal), "{line}");
        }
    }

    fn url(url: &str) -> Url {
        Url::parse(url).expect("a URL")
    }

    fn question(of: &str) -> Question {
        Question {
            url: url(of),
            label: "LABEL".to_owned(),
        }
    }

    #[test]
    fn headers_replace_the_probers_own_and_may_repeat() {
        let request = Request::default()
            .header("host: other")
            .and_then(|request| request.header("Accept: text/plain"))
            .and_then(|request| request.header("accept:  text/html "))
            .expect("headers");
        let sent = request
            .to(&question("http://h:81/a?b#c"))
            .expect("a request");
        assert_eq!(sent.uri(), "/a?b");
        assert_eq!(sent.headers()[HOST], "other");
        let accept: Vec<_> = sent.headers().get_all(ACCEPT).iter().collect();
        assert_eq!(accept, ["text/plain", "text/html"]);
        let sent = Request::default()
            .to(&question("http://[::1]:81/"))
            .expect("a request");
        assert_eq!(sent.headers()[HOST], "[::1]:81");
    }

    #[test]
    fn headers_and_the_body_get_a_label_in_each_place() {
        let request = Request::default()
            .header("X-Id: a{}b")
            .and_then(|request| request.header("X-Plain: {{}}"))
            .expect("headers")
            .body("id={}");
        assert_eq!(request.places(), ["the header x-id", "the body"]);
        let sent = request.to(&question("http://h/")).expect("a request");
        assert_eq!(sent.headers()["x-id"], "aLABELb");
        assert_eq!(sent.headers()["x-plain"], "{}");
        assert_eq!(request.body.with("LABEL"), "id=LABEL");
        assert!(Request::default().body(r#"{"a":{}}"#).places().is_empty());
    }

    #[test]
    fn a_bystander_on_another_server_gets_no_secret_and_one_user_agent() {
        let request = Request::default()
            .method("POST")
            .and_then(|request| request.header("User-Agent: mine"))
            .and_then(|request| request.header("Cookie: id=1"))
            .and_then(|request| request.header("X-Key: secret"))
            .expect("headers")
            .body("body");
        let headers = |bystander: &str| {
            let request = request.for_bystander(&url("http://h/a"), &url(bystander));
            let sent = request.to(&question(bystander)).expect("a request");
            assert_eq!(sent.method(), Method::GET);
            sent.headers().clone()
        };
        let here = headers("http://h:80/healthz");
        assert_eq!(here[COOKIE], "id=1");
        assert_eq!(here["x-key"], "secret");
        for elsewhere in [
            "http://h:81/healthz",
            "https://h/healthz",
            "http://other/healthz",
        ] {
            let headers = headers(elsewhere);
            let agents: Vec<_> = headers.get_all(USER_AGENT).iter().collect();
            assert_eq!(agents, ["mine"], "{elsewhere}");
            let names = [HOST, ACCEPT, USER_AGENT, CONNECTION];
            let others: Vec<_> = headers
                .keys()
                .filter(|name| !names.contains(name))
                .collect();
            assert!(others.is_empty(), "{elsewhere}: {others:?}");
        }
    }

    #[test]
    fn an_invalid_request_is_refused_without_showing_a_value() {
        for line in [
            "secret",
            "a b: secret",
            ": secret",
            "a: secret\n",
            "é: secret",
        ] {
            // Only what precedes a colon is named; a line without one may be a name.
            let error = Request::default()
                .header(line)
                .err()
                .map(|error| error.to_string());
            if line == "a: secret\n" {
                // White space around a value is not part of it.
                assert_eq!(error, None);
                continue;
            }
            let error = error.expect(line);
            assert!(error.contains("'Name: value'"), "{line:?}: {error}");
            assert!(!line.contains(':') || !error.contains("secret"), "{error}");
        }
        assert!(Request::default().header("a: b\r\nc: d").is_err());
        assert!(Request::default().header("Content-Length: 5").is_err());
        assert!(Request::default().method("GE T").is_err());
        assert!(Request::default().method("CONNECT").is_err());
        assert!(Request::default().method("PURGE").is_ok());
    }

    #[test]
    fn a_redirect_keeps_what_browsers_keep() {
        let post = || {
            let request = Request::default()
                .method("POST")
                .expect("a method")
                .body("body");
            request.header("Cookie: a=b").expect("a header")
        };
        let (here, there) = (url("http://h/"), url("https://h/"));
        for (status, method, bytes) in [(302, "GET", 0), (303, "GET", 0), (307, "POST", 4)] {
            let request = post().redirected(status, &here, &here);
            assert_eq!(
                (request.method.as_str(), request.body.with("").len()),
                (method, bytes)
            );
            assert!(request.headers.contains_key(COOKIE));
        }
        assert!(
            !post()
                .redirected(307, &here, &there)
                .headers
                .contains_key(COOKIE)
        );
    }
}
