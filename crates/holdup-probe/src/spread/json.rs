//! A report as one JSON document; `schema/probe-spread.schema.json` describes it.

use serde::Serialize;

use super::report::SpreadReport;
use holdup_verdict::Spread;

/// The version of the document. A field that is added does not change it.
const SCHEMA: u32 = 1;

/// A [`SpreadReport`] as it is published.
#[derive(Debug, Serialize)]
pub struct SpreadDocument<'a> {
    schema: u32,
    url: &'a str,
    redirected_from: &'a [String],
    at_once: usize,
    by: Option<By<'a>>,
    spread: &'a Spread,
}

#[derive(Debug, Serialize)]
struct By<'a> {
    kind: &'a str,
    name: &'a str,
}

impl SpreadReport {
    /// The report as it is published.
    pub fn document(&self) -> SpreadDocument<'_> {
        SpreadDocument {
            schema: SCHEMA,
            url: &self.url,
            redirected_from: &self.redirected_from,
            at_once: self.at_once,
            by: self.by.as_ref().map(|by| By {
                kind: by.kind,
                name: &by.name,
            }),
            spread: &self.spread,
        }
    }
}
