//! A report as one JSON document; `schema/probe.schema.json` describes it.

use std::time::Duration;

use serde::Serialize;

use super::Report;
use holdup_model::{Lane, as_ms, as_ms_or_null};
use holdup_verdict::experiment::RoundKind;
use holdup_verdict::{Delivery, IdenticalKind, Kind};

/// A [`Report`] as it is published. All times are milliseconds since the probe began.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    url: &'a str,
    redirected_from: Vec<&'a str>,
    requests: usize,
    verdict: Kind,
    at_a_time: Option<usize>,
    #[serde(serialize_with = "as_ms_or_null")]
    solo_ms: Option<Duration>,
    #[serde(serialize_with = "as_ms_or_null")]
    makespan_ms: Option<Duration>,
    reason: Option<String>,
    delivery: Option<&'static str>,
    identical: Option<Same>,
    phases: Vec<Part>,
}

#[derive(Debug, Serialize)]
struct Same {
    verdict: Kind,
    at_a_time: Option<usize>,
    answered_once: bool,
}

#[derive(Debug, Serialize)]
struct Part {
    name: String,
    lanes: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    url: String,
    #[serde(serialize_with = "as_ms")]
    requested_ms: Duration,
    #[serde(serialize_with = "as_ms_or_null")]
    connected_ms: Option<Duration>,
    #[serde(serialize_with = "as_ms_or_null")]
    first_byte_ms: Option<Duration>,
    chunks_ms: Vec<Ms>,
    #[serde(serialize_with = "as_ms_or_null")]
    finished_ms: Option<Duration>,
    status: Option<u16>,
    bytes: u64,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Ms(#[serde(serialize_with = "as_ms")] Duration);

impl Report {
    /// The report as it is published.
    pub fn document(&self) -> Document<'_> {
        let timelines = [
            (RoundKind::Unique, &self.unique),
            (RoundKind::Identical, &self.same),
        ];
        let mut phases = vec![self.part(RoundKind::Solo.to_string(), &self.alone)];
        if !self.rested.is_empty() {
            phases.push(self.part("rested".to_owned(), &self.rested));
        }
        for (phase, timeline) in timelines {
            phases.extend(
                timeline
                    .as_ref()
                    .map(|timeline| self.part(phase.to_string(), &timeline.lanes)),
            );
        }
        Document {
            url: self.url.as_str(),
            redirected_from: self.redirected_from.iter().map(String::as_str).collect(),
            requests: self.requests,
            verdict: self.verdict.kind,
            at_a_time: self.verdict.at_a_time,
            solo_ms: self.verdict.solo,
            makespan_ms: self.verdict.makespan,
            reason: self.verdict.because(),
            delivery: match self.delivery {
                Delivery::Streamed { .. } => Some("streamed"),
                Delivery::Buffered { .. } => Some("buffered"),
                Delivery::Single => Some("single"),
                _ => None,
            },
            identical: self.same_document(),
            phases,
        }
    }

    fn same_document(&self) -> Option<Same> {
        let found = self.identical.as_ref()?;
        Some(Same {
            verdict: found.ran,
            at_a_time: found.at_a_time,
            answered_once: found.kind == IdenticalKind::AnsweredOnce,
        })
    }

    fn part(&self, name: String, lanes: &[Lane]) -> Part {
        let row = |lane: &Lane| Row {
            url: self.origin.clone() + lane.label(),
            requested_ms: lane.asked_at(),
            connected_ms: lane.connected_at(),
            first_byte_ms: lane.first_byte_at(),
            chunks_ms: lane.chunks().iter().map(|chunk| Ms(chunk.at)).collect(),
            finished_ms: lane.finished_at(),
            status: lane.status(),
            bytes: lane.bytes(),
            error: lane.failure().map(ToString::to_string),
        };
        Part {
            name,
            lanes: lanes.iter().map(row).collect(),
        }
    }
}
