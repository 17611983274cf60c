//! What came of connections that were kept for several requests.

use std::collections::BTreeSet;

use serde::Serialize;

use super::tally::{Heard, Tally, WorkerId};

/// What came of one connection that was to be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptConnection {
    /// What came of its requests, in order.
    pub heard: Vec<Heard>,
    /// Whether the server closed it before all requests were sent.
    pub closed: bool,
}

/// What a kept connection has to do with a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeptKind {
    /// All its requests go to one worker.
    Stays,
    /// Its requests go to several.
    Moves,
    /// The server closes it after an answer.
    Closed,
    /// It does not show.
    Unclear,
}

/// How requests on kept connections fell on the workers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Kept {
    /// What they show.
    #[serde(rename = "verdict")]
    pub kind: KeptKind,
    /// The connections that were opened.
    pub connections: usize,
    /// The requests that were to be sent on each.
    pub requests_each: usize,
    /// Those of which all answers came from one worker.
    pub stayed: usize,
    /// Those of which the answers came from several.
    pub moved: usize,
    /// Those that the server closed earlier.
    pub closed: usize,
    /// The answers of each worker, most of them first.
    pub workers: Vec<KeptAnswers>,
    /// The finding in one sentence.
    pub sentence: String,
}

/// How often a worker answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeptAnswers {
    /// Which worker.
    #[serde(flatten)]
    pub id: WorkerId,
    /// How often.
    pub answers: usize,
}

/// So few connections may stay with a worker by chance.
const FEW: usize = 5;

impl Kept {
    /// `seen` is the number of workers that fresh connections fell on.
    pub(super) fn of(connections: &[KeptConnection], requests_each: usize, seen: usize) -> Self {
        let mut tally = Tally::default();
        let (mut stayed, mut moved) = (0, 0);
        for connection in connections {
            let mut workers = BTreeSet::new();
            let mut named = 0;
            for heard in &connection.heard {
                if let Heard::From(worker) = heard {
                    workers.insert(worker);
                    named += 1;
                }
                tally.add(heard.clone());
            }
            moved += usize::from(workers.len() > 1);
            stayed += usize::from(workers.len() == 1 && named == requests_each);
        }
        let closed = connections.iter().filter(|one| one.closed).count();
        let several = seen.max(tally.workers.len()) > 1;
        let kind = match (stayed, moved) {
            (_, 1..) => KeptKind::Moves,
            (FEW.., 0) if several => KeptKind::Stays,
            (0, 0) if closed > 0 && closed == connections.len() => KeptKind::Closed,
            _ => KeptKind::Unclear,
        };
        let workers = tally.ordered().into_iter();
        let mut kept = Self {
            kind,
            connections: connections.len(),
            requests_each,
            stayed,
            moved,
            closed,
            workers: workers
                .map(|(id, answers)| KeptAnswers {
                    id: id.clone(),
                    answers,
                })
                .collect(),
            sentence: String::new(),
        };
        kept.sentence = kept.words(several);
        kept
    }

    fn words(&self, several: bool) -> String {
        let (all, each) = (self.connections, self.requests_each);
        match self.kind {
            KeptKind::Stays => format!(
                "A kept connection stays with its worker: on {}, one worker answered all {each} requests.",
                some(self.stayed, all)
            ),
            KeptKind::Moves => format!(
                "A kept connection does not stay with one worker: on {}, several workers answered the {each} \
                 requests. What hands them out looks at each request, not at the connection.",
                some(self.moved, all)
            ),
            KeptKind::Closed => {
                "The server closes each connection after its answer, so none can be kept."
                    .to_owned()
            }
            KeptKind::Unclear if !several => {
                "Whether a kept connection stays with its worker does not \
                                              show, because only one worker was seen."
                    .to_owned()
            }
            KeptKind::Unclear => format!(
                "Whether a kept connection stays with its worker does not show: of {all} connections, {} could \
                 be kept for {each} answers that name their worker.",
                self.stayed
            ),
        }
    }
}

/// `each of 40 connections`, or `38 of 40 connections`.
fn some(count: usize, all: usize) -> String {
    if count == all {
        format!("each of {all} connections")
    } else {
        format!("{count} of {all} connections")
    }
}
