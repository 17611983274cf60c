//! A report as one JSON document; `schema/probe.schema.json` describes it.

use serde::Serialize;

use super::Report;
use super::inside::Inside;
use holdup_model::Lane;
use holdup_verdict::experiment::RoundKind;
use holdup_verdict::{IdenticalKind, Kind, Verdict};

/// The version of the document. A field that is added does not change it.
const SCHEMA: u32 = 1;

/// A [`Report`] as it is published. All times are milliseconds since the probe began.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: u32,
    url: &'a str,
    redirected_from: Vec<&'a str>,
    requests: usize,
    #[serde(flatten)]
    findings: Findings,
    inside: Option<&'a Inside>,
    phases: Vec<Round<'a>>,
}

/// The findings of a [`Report`], without the lanes that support them: a part of the [`Document`].
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    #[serde(flatten)]
    verdict: Verdict,
    delivery: Option<&'static str>,
    delivery_sentence: String,
    identical: Option<Same>,
}

#[derive(Debug, Clone, Serialize)]
struct Same {
    verdict: Kind,
    at_a_time: Option<usize>,
    answered_once: bool,
    sentence: String,
}

#[derive(Debug, Serialize)]
struct Round<'a> {
    name: String,
    lanes: Vec<Row<'a>>,
}

/// A lane, and the whole URL that its label is a part of.
#[derive(Debug, Serialize)]
struct Row<'a> {
    url: String,
    #[serde(flatten)]
    lane: &'a Lane,
}

impl Report {
    /// The report as it is published.
    pub fn document(&self) -> Document<'_> {
        let timelines = [
            (RoundKind::Unique, &self.unique),
            (RoundKind::Identical, &self.same),
        ];
        let mut phases = vec![self.round(RoundKind::Solo.to_string(), &self.alone)];
        if !self.rested.is_empty() {
            phases.push(self.round("rested".to_owned(), &self.rested));
        }
        for (phase, timeline) in timelines {
            phases.extend(
                timeline
                    .as_ref()
                    .map(|timeline| self.round(phase.to_string(), &timeline.lanes)),
            );
        }
        Document {
            schema: SCHEMA,
            url: self.url.as_str(),
            redirected_from: self.redirected_from.iter().map(String::as_str).collect(),
            requests: self.requests,
            findings: self.findings(),
            inside: self.inside.as_ref(),
            phases,
        }
    }

    /// What was found, as it is published.
    pub fn findings(&self) -> Findings {
        Findings {
            verdict: self.verdict.clone(),
            delivery: self.delivery.name(),
            delivery_sentence: self.delivery.to_string(),
            identical: self.same_document(),
        }
    }

    fn same_document(&self) -> Option<Same> {
        let found = self.identical.as_ref()?;
        Some(Same {
            verdict: found.ran,
            at_a_time: found.at_a_time,
            answered_once: found.kind == IdenticalKind::AnsweredOnce,
            sentence: found.sentence.clone(),
        })
    }

    fn round<'a>(&self, name: String, lanes: &'a [Lane]) -> Round<'a> {
        let row = |lane: &'a Lane| Row {
            url: self.origin.clone() + lane.label(),
            lane,
        };
        Round {
            name,
            lanes: lanes.iter().map(row).collect(),
        }
    }
}
