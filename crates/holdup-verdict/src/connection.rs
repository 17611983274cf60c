//! How requests on one HTTP/2 connection fare, compared with one connection each.

use serde::Serialize;

use super::reason::Reason;
use super::verdict::{Kind, Verdict};

/// How requests on one HTTP/2 connection fare.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Connection {
    /// The protocol: `h2`.
    pub protocol: &'static str,
    /// How they ran.
    pub verdict: Kind,
    /// How many ran at a time, if it shows.
    pub at_a_time: Option<usize>,
    /// How many streams the server allows at a time on one connection; `None` if it sets no limit.
    pub max_concurrent_streams: Option<u32>,
    /// The finding in one sentence.
    pub sentence: String,
    /// How the same requests ran with one connection each: over HTTP/2, or over HTTP/1.1 if the former shows
    /// nothing. `None` if they were not sent.
    #[serde(skip)]
    pub own: Option<Verdict>,
    /// Why there was nothing to measure, in words and without a full stop: the server does not agree to
    /// HTTP/2, or refused it.
    #[serde(skip)]
    pub refused: Option<String>,
}

/// What a server said about the one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// How many streams it allows at a time.
    pub(super) max: Option<u32>,
    /// What it did to the connection, in words.
    pub(super) notes: Vec<String>,
}

impl Connection {
    /// The finding from the verdict on requests that shared a connection, and from those on requests that had
    /// one each: over HTTP/2 (`own`), and over HTTP/1.1.
    pub(super) fn of(one: &Verdict, own: Verdict, http1: &Verdict, said: &Said) -> Self {
        let (kind, at_a_time) = seen(one, said.max);
        let shows = |verdict: &Verdict| verdict.kind != Kind::Inconclusive;
        let (own, over) = if shows(http1) && !shows(&own) {
            (http1.clone(), " over HTTP/1.1")
        } else {
            (own, "")
        };
        Self {
            protocol: "h2",
            verdict: kind,
            at_a_time,
            max_concurrent_streams: said.max,
            sentence: sentence((one, ran(kind, at_a_time, one)), (&own, over), said),
            own: Some(own),
            refused: None,
        }
    }

    /// There is no finding, because the server does not accept HTTP/2.
    pub(super) fn refused(why: &str) -> Self {
        Self {
            refused: Some(why.to_owned()),
            ..Self::unknown(why)
        }
    }

    /// There is no finding, for this reason, which has no full stop.
    pub(super) fn unknown(why: &str) -> Self {
        Self {
            protocol: "h2",
            verdict: Kind::Inconclusive,
            at_a_time: None,
            max_concurrent_streams: None,
            sentence: format!("One HTTP/2 connection was not measured: {why}."),
            own: None,
            refused: None,
        }
    }
}

/// The verdict, in the light of what the server allows. A few requests that waited are no finding by
/// themselves: something else may have held them up. They are one if exactly as many did not wait as the server
/// allows, because the others had to.
fn seen(one: &Verdict, max: Option<u32>) -> (Kind, Option<usize>) {
    let max = max.and_then(|max| usize::try_from(max).ok());
    match (&one.reason, max) {
        (Some(Reason::Stragglers { count }), Some(max))
            if max > 0 && max.saturating_add(*count) == one.lanes =>
        {
            (Kind::Limited, Some(max))
        }
        _ => (one.kind, one.at_a_time),
    }
}

/// The finding in words, from the verdict on requests that shared a connection and how they ran, and from the
/// one on requests that had one each and what sets those apart.
fn sentence(
    (one, ran_on_one): (&Verdict, Option<String>),
    (own, over): (&Verdict, &str),
    said: &Said,
) -> String {
    let n = one.lanes;
    let because = |verdict: &Verdict| verdict.because().unwrap_or_else(|| "no reason".to_owned());
    let finding = match (ran_on_one, ran(own.kind, own.at_a_time, own)) {
        (Some(one), Some(own)) if one == own => {
            format!("On one HTTP/2 connection the {n} requests {one}, as on {n} connections{over}")
        }
        (Some(one), Some(own)) => format!(
            "On one HTTP/2 connection the {n} requests {one}; on {n} connections{over} they {own}"
        ),
        (Some(one), None) => format!(
            "On one HTTP/2 connection the {n} requests {one}; on {n} connections it is inconclusive: {}",
            because(own)
        ),
        (None, _) => format!(
            "How the {n} requests ran on one HTTP/2 connection is inconclusive: {}",
            because(one)
        ),
    };
    let mut parts = vec![finding];
    parts.extend(said.max.map(|max| {
        let streams = if max == 1 { "stream" } else { "streams" };
        format!("the server allows {max} {streams} at a time (SETTINGS_MAX_CONCURRENT_STREAMS)")
    }));
    for note in &said.notes {
        // The reason of an inconclusive verdict may have told it.
        if !parts.iter().any(|part| part.contains(note.as_str())) {
            parts.push(note.clone());
        }
    }
    parts.join("; ") + "."
}

/// How requests ran, in words that follow "they"; `None` if it is not known.
fn ran(kind: Kind, at_a_time: Option<usize>, verdict: &Verdict) -> Option<String> {
    let shared = verdict.reason == Some(Reason::Shared);
    let at_a_time = at_a_time.unwrap_or_default();
    Some(match kind {
        Kind::Concurrent => "ran at the same time".to_owned(),
        Kind::Serialized if shared => "took as long together as one after the other".to_owned(),
        Kind::Serialized => "ran one at a time".to_owned(),
        Kind::Limited if shared => format!("took as long together as {at_a_time} at a time"),
        Kind::Limited => format!("were limited to {at_a_time} at a time"),
        Kind::Inconclusive => return None,
    })
}
