//! By what it shows which worker gave an answer.

use std::fmt;

use hyper::header::{HeaderMap, HeaderName};
use serde_json::Value;

use holdup_verdict::{Heard, WorkerId};

/// The longest id. It is to name a worker, and thousands of them may be kept.
const LONGEST: usize = 128;

/// The headers of holdup's lab.
const LAB_REPLICA: HeaderName = HeaderName::from_static("x-holdup-replica");
const LAB_WORKER: HeaderName = HeaderName::from_static("x-holdup-worker");

/// The largest body that is read for a value in it.
pub(super) const MOST_OF_BODY: usize = 1024 * 1024;

/// By what the answers of different workers differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerId(Source);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Header(HeaderName),
    Json(String),
    /// The headers of holdup's lab.
    Lab,
}

/// Something that cannot be an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadId {
    /// Not the name of a header.
    #[error("{0:?} is not the name of a header; use letters, digits and '-', such as x-worker")]
    Header(String),
    /// Not a JSON pointer.
    #[error(
        "{0:?} is not a JSON pointer (RFC 6901); use a path that begins with '/', such as /worker/pid, and write ~0 \
         for '~' and ~1 for '/' in a name"
    )]
    Pointer(String),
}

impl AnswerId {
    /// The value of a header.
    ///
    /// # Errors
    ///
    /// When `name` cannot be the name of a header.
    pub fn header(name: &str) -> Result<Self, BadId> {
        let bad = || BadId::Header(name.chars().take(LONGEST).collect());
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        Ok(Self(Source::Header(name)))
    }

    /// The value at a place in the answer's JSON document: a string or a number.
    ///
    /// # Errors
    ///
    /// When `pointer` is not a JSON pointer (RFC 6901), or is the empty one, which is the whole document.
    ///
    /// ```
    /// use holdup_probe::AnswerId;
    ///
    /// assert!(AnswerId::json("/worker/pid").is_ok());
    /// let error = AnswerId::json("pid").unwrap_err();
    /// assert!(error.to_string().starts_with("\"pid\" is not a JSON pointer"));
    /// ```
    pub fn json(pointer: &str) -> Result<Self, BadId> {
        let mut after_tilde = pointer.split('~').skip(1);
        let escaped = after_tilde.all(|rest| rest.starts_with(['0', '1']));
        if pointer.starts_with('/') && escaped {
            return Ok(Self(Source::Json(pointer.to_owned())));
        }
        Err(BadId::Pointer(pointer.chars().take(LONGEST).collect()))
    }

    /// The headers of holdup's lab, if an answer has them.
    pub(super) fn lab(headers: &HeaderMap) -> Option<Self> {
        headers
            .contains_key(LAB_WORKER)
            .then_some(Self(Source::Lab))
    }

    /// What kind of id it is, and its name or place.
    pub(super) fn parts(&self) -> (&'static str, String) {
        match &self.0 {
            Source::Header(name) => ("header", name.to_string()),
            Source::Json(pointer) => ("json", pointer.clone()),
            Source::Lab => ("header", format!("{LAB_REPLICA}, {LAB_WORKER}")),
        }
    }

    /// Whether the body is needed.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(self.0, Source::Json(_))
    }

    /// Who gave an answer. `body` is as much of it as was read.
    pub(super) fn of(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Heard {
        let found = match &self.0 {
            Source::Header(name) => header(headers, name).map(|worker| (None, worker)),
            Source::Lab => header(headers, &LAB_WORKER)
                .map(|worker| (header(headers, &LAB_REPLICA).ok(), worker)),
            Source::Json(pointer) => json(body, pointer).map(|worker| (None, worker)),
        };
        let named = found.and_then(|(replica, worker)| {
            let replica = replica.map(checked).transpose()?;
            let worker = checked(worker)?;
            Ok(WorkerId { replica, worker })
        });
        match named {
            Ok(id) => Heard::From(id),
            Err(why) if status < 400 => Heard::Nameless(why),
            Err(why) => Heard::Nameless(format!("status {status}, {why}")),
        }
    }
}

impl fmt::Display for AnswerId {
    /// In words: `the header x-worker`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Header(name) => write!(f, "the header {name}"),
            Source::Json(pointer) => write!(f, "the value at {pointer} in its JSON"),
            Source::Lab => write!(f, "the headers {LAB_REPLICA} and {LAB_WORKER}"),
        }
    }
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Result<String, String> {
    let values = headers.get_all(name).iter();
    let texts: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    if texts.is_empty() {
        return Err(format!("no header {name}"));
    }
    Ok(texts.join(", "))
}

fn json(body: &[u8], pointer: &str) -> Result<String, String> {
    if body.len() > MOST_OF_BODY {
        return Err("a body of more than 1 MiB".to_owned());
    }
    let document: Value =
        serde_json::from_slice(body).map_err(|_| "a body that is no JSON document".to_owned())?;
    match document.pointer(pointer) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(_) => Err(format!("no string or number at {pointer}")),
        None => Err(format!("nothing at {pointer} in its JSON")),
    }
}

/// The id as it may be printed, if it is one.
fn checked(id: String) -> Result<String, String> {
    if id.is_empty() {
        return Err("an empty id".to_owned());
    }
    if id.len() > LONGEST {
        // Without its length, so that a server cannot cause as many reasons as there are answers.
        return Err(format!("an id of more than {LONGEST} bytes"));
    }
    if !id.contains(char::is_control) {
        return Ok(id);
    }
    let escaped = id.chars().map(|c| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    });
    Ok(escaped.collect())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        all.iter().map(header).collect()
    }

    fn from(replica: Option<&str>, worker: &str) -> Heard {
        Heard::From(WorkerId {
            replica: replica.map(str::to_owned),
            worker: worker.to_owned(),
        })
    }

    fn nameless(why: &str) -> Heard {
        Heard::Nameless(why.to_owned())
    }

    #[test]
    fn a_header_names_the_worker() {
        let id = AnswerId::header("X-Worker").expect("a header");
        assert_eq!(id.to_string(), "the header x-worker");
        let given = headers(&[("x-worker", "7")]);
        assert_eq!(id.of(200, &given, b""), from(None, "7"));
        assert_eq!(id.of(503, &given, b""), from(None, "7"));
        let twice = headers(&[("x-worker", "7"), ("x-worker", "8")]);
        assert_eq!(id.of(200, &twice, b""), from(None, "7, 8"));
        let none = headers(&[("x-worker", "")]);
        assert_eq!(id.of(200, &none, b""), nameless("an empty id"));
        assert_eq!(
            id.of(502, &headers(&[]), b""),
            nameless("status 502, no header x-worker")
        );
        let mut long = HeaderMap::new();
        let value = HeaderValue::from_str(&"a".repeat(129)).expect("text");
        long.insert("x-worker", value);
        assert_eq!(
            id.of(200, &long, b""),
            nameless("an id of more than 128 bytes")
        );
        for name in ["", "a b", "é", "a:"] {
            let error = AnswerId::header(name).expect_err(name).to_string();
            assert!(error.contains("is not the name of a header"), "{error}");
        }
    }

    #[test]
    fn a_value_in_json_names_the_worker() {
        let id = |pointer| AnswerId::json(pointer).expect("a pointer");
        let body = br#"{"worker":{"pid":42,"name":"a\u001b[31m"},"a/b":["x","y"],"on":true}"#;
        for (pointer, heard) in [
            ("/worker/pid", from(None, "42")),
            ("/a~1b/1", from(None, "y")),
            // What would change a terminal's colour does not.
            ("/worker/name", from(None, "a\\u{1b}[31m")),
            ("/on", nameless("no string or number at /on")),
            ("/worker", nameless("no string or number at /worker")),
            ("/none", nameless("nothing at /none in its JSON")),
        ] {
            assert_eq!(
                id(pointer).of(200, &HeaderMap::new(), body),
                heard,
                "{pointer}"
            );
        }
        let no_json = nameless("a body that is no JSON document");
        assert_eq!(id("/a").of(200, &HeaderMap::new(), b"hello"), no_json);
        let large = vec![b' '; MOST_OF_BODY + 1];
        let large = id("/a").of(200, &HeaderMap::new(), &large);
        assert_eq!(large, nameless("a body of more than 1 MiB"));
        for pointer in ["", "pid", "#/pid", "/a~", "/a~2"] {
            let error = AnswerId::json(pointer).expect_err(pointer).to_string();
            assert!(
                error.contains("is not a JSON pointer (RFC 6901)"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_lab_says_it_without_being_asked() {
        assert_eq!(AnswerId::lab(&headers(&[])), None);
        let given = headers(&[("x-holdup-worker", "1"), ("x-holdup-replica", "a")]);
        let id = AnswerId::lab(&given).expect("a lab");
        assert_eq!(id.of(200, &given, b""), from(Some("a"), "1"));
        let alone = headers(&[("x-holdup-worker", "1")]);
        assert_eq!(id.of(200, &alone, b""), from(None, "1"));
    }
}
