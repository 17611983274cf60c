//! A report as one JSON document; `schema/probe.schema.json` describes it.

use serde::Serialize;

use super::Report;
use super::inside::Inside;
use holdup_model::Lane;
use holdup_verdict::experiment::RoundKind;
use holdup_verdict::{
    Began, Beside, Cause, Connection, IdenticalKind, Kind, Limit, Session, Verdict, Versus,
};

/// The version of the document. A field that is added does not change it.
const SCHEMA: u32 = 2;

/// A [`Report`] as it is published. All times are milliseconds since the probe began.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: u32,
    url: &'a str,
    redirected_from: Vec<&'a str>,
    requests: usize,
    #[serde(flatten)]
    summary: Summary,
    phases: Vec<Round<'a>>,
}

/// The findings of a [`Report`], without the lanes that support them: a part of the [`Document`].
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    #[serde(flatten)]
    verdict: Verdict,
    delivery: Option<&'static str>,
    delivery_sentence: String,
    identical: Option<Same>,
    beside: Option<Vec<Located<Beside>>>,
    limit: Option<Limit>,
    connection: Option<Connection>,
    session: Option<Session>,
    began: Option<Began>,
    versus: Option<Located<Versus>>,
    inside: Option<Inside>,
    cause: Cause,
}

/// A finding about another URL than the measured one.
#[derive(Debug, Clone, Serialize)]
struct Located<T> {
    url: String,
    #[serde(flatten)]
    found: T,
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
            (RoundKind::Unique, &self.found.unique),
            (RoundKind::Identical, &self.found.same),
        ];
        let mut phases = vec![self.round(RoundKind::Solo.to_string(), &self.found.alone)];
        if !self.found.rested.is_empty() {
            phases.push(self.round("rested".to_owned(), &self.found.rested));
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
            summary: self.summary(),
            phases,
        }
    }

    /// What was found, as it is published.
    pub fn summary(&self) -> Summary {
        let found = &self.found;
        Summary {
            verdict: found.verdict.clone(),
            delivery: found.delivery.name(),
            delivery_sentence: found.delivery.to_string(),
            identical: self.same_document(),
            beside: self.beside_documents(),
            limit: found.limit.clone(),
            connection: found.connection.clone(),
            session: found.session.clone(),
            began: found.began.clone(),
            versus: self.versus_document(),
            inside: self.inside.clone(),
            cause: found.cause.clone(),
        }
    }

    fn same_document(&self) -> Option<Same> {
        let found = self.found.identical.as_ref()?;
        Some(Same {
            verdict: found.ran,
            at_a_time: found.at_a_time,
            answered_once: found.kind == IdenticalKind::AnsweredOnce,
            sentence: found.sentence.clone(),
        })
    }

    fn beside_documents(&self) -> Option<Vec<Located<Beside>>> {
        let found = self.beside.iter().zip(&self.found.beside);
        let located = found.map(|(url, found)| Located {
            url: url.clone(),
            found: found.clone(),
        });
        (!self.beside.is_empty()).then(|| located.collect())
    }

    fn versus_document(&self) -> Option<Located<Versus>> {
        let (url, found) = self.versus.as_ref().zip(self.found.versus.as_ref())?;
        Some(Located {
            url: url.clone(),
            found: found.clone(),
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
