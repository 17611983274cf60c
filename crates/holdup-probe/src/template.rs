//! `{}`: where the requests of a run differ.

use hyper::body::Bytes;
use serde::de::IgnoredAny;

/// The place for the label, and the escape for a plain `{}`.
const PLACE: &[u8] = b"{}";
const PLAIN: &[u8] = b"{{}}";

/// A text with places for a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// The texts between the places: one more than there are places.
    pieces: Vec<Bytes>,
}

impl Template {
    /// Every `{}` is a place; `{{}}` is a plain `{}`.
    pub(super) fn of(text: &[u8]) -> Self {
        Self::read(text, false)
    }

    /// The same, but in a JSON document only `{}` within a string is a place. Outside of one it is an empty
    /// object, and a label would break the document.
    pub(super) fn of_body(text: &[u8]) -> Self {
        let json = serde_json::from_slice::<IgnoredAny>(text).is_ok();
        Self::read(text, json)
    }

    fn read(text: &[u8], json: bool) -> Self {
        let (mut pieces, mut piece) = (Vec::new(), Vec::new());
        let (mut in_string, mut escaped) = (false, false);
        let mut rest = text;
        while let Some((byte, after)) = rest.split_first() {
            if let Some(after) = rest.strip_prefix(PLAIN) {
                piece.extend_from_slice(PLACE);
                rest = after;
                continue;
            }
            if let Some(after) = rest.strip_prefix(PLACE).filter(|_| !json || in_string) {
                pieces.push(std::mem::take(&mut piece).into());
                rest = after;
                continue;
            }
            in_string ^= *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            piece.push(*byte);
            rest = after;
        }
        pieces.push(piece.into());
        Self { pieces }
    }

    pub(super) fn has_places(&self) -> bool {
        self.pieces.len() > 1
    }

    /// With the label in all places.
    pub(super) fn with(&self, label: &str) -> Bytes {
        match &self.pieces[..] {
            [all] => all.clone(),
            pieces => pieces.join(label.as_bytes()).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_gets_the_label_and_the_escape_is_a_plain_one() {
        for (text, filled) in [
            ("", ""),
            ("a", "a"),
            ("{}", "L"),
            ("a{}b{}", "aLbL"),
            ("{{}}", "{}"),
            ("{{}}{}{{}}", "{}L{}"),
            ("{{{}}}", "{{}}"),
            ("{ }{", "{ }{"),
        ] {
            let template = Template::of(text.as_bytes());
            assert_eq!(template.with("L"), filled, "{text:?}");
            assert_eq!(template.has_places(), filled.contains('L'), "{text:?}");
        }
    }

    #[test]
    fn an_empty_object_of_a_json_body_stays_one() {
        for (text, filled) in [
            ("{}", "{}"),
            (r#"{"a":{},"b":"{}"}"#, r#"{"a":{},"b":"L"}"#),
            (r#"{"a\"{}":[{}]}"#, r#"{"a\"L":[{}]}"#),
            (r#"{"a\\":{}}"#, r#"{"a\\":{}}"#),
            (r#"{"a":"{{}}"}"#, r#"{"a":"{}"}"#),
            // Not JSON: a form, and a document with the escape.
            ("a={}", "a=L"),
            (r#"{"a":{{}},"b":"{}"}"#, r#"{"a":{},"b":"L"}"#),
        ] {
            let template = Template::of_body(text.as_bytes());
            assert_eq!(template.with("L"), filled, "{text:?}");
        }
    }
}
