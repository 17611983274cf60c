//! Reads an answer to its end, over any version of HTTP, and records when each part of it arrives.

use std::borrow::Cow;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::body::Bytes;
use hyper::header::{HeaderName, LOCATION, SERVER};
use hyper::{HeaderMap, Response, StatusCode};
use tokio::time::{Instant as Deadline, timeout_at};

use super::answer;
use super::inlet::Arrivals;
use super::recorder::LaneRecorder;
use super::settings::End;
use holdup_model::Failure;
use holdup_verdict::Platform;

/// What is to be known about an answer's head.
pub(super) struct Head {
    /// Where it redirects to.
    pub(super) location: Option<String>,
    pub(super) platform: Platform,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// When the end of the answer was read.
    pub(super) ended: Instant,
}

impl Head {
    fn of(status: StatusCode, headers: HeaderMap) -> Self {
        let texts = |name| {
            let values = headers.get_all(name).iter();
            values.map(|value| String::from_utf8_lossy(value.as_bytes()))
        };
        let location = texts(LOCATION).next();
        let location = location.filter(|_| status.is_redirection());
        let location = location.map(Cow::into_owned);
        let says: Vec<_> = texts(SERVER).chain(texts(X_POWERED_BY)).collect();
        let platform = Platform::of(says.iter().map(AsRef::as_ref));
        Self {
            location,
            platform,
            status,
            headers,
            ended: Instant::now(),
        }
    }
}

const X_POWERED_BY: HeaderName = HeaderName::from_static("x-powered-by");

/// Reads an answer whose head has just arrived. `next` gives the next part of its body, which is empty for
/// what is no data, and `None` at its end.
pub(super) async fn read<B>(
    response: Response<B>,
    mut next: impl FnMut(&mut B, &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>>,
    end: End,
    (arrivals, recorder): (&Arrivals, LaneRecorder<'_>),
) -> Result<Head, Failure> {
    let status = response.status();
    recorder.record_arrival(arrivals, |lane, at| lane.record_head(at, status.as_u16()));
    if let Some(header) = answer::cache_header(response.headers()) {
        recorder.record(|lane, _| lane.record_cache_header(header));
    }
    let websocket = answer::wants_websocket(&response);
    let (parts, mut body) = response.into_parts();
    let mut head = Head::of(parts.status, parts.headers);
    let next = |context: &mut Context<'_>| next(&mut body, context);
    let (names_it, ended) = read_body(next, end, (arrivals, recorder)).await?;
    head.ended = ended;
    if websocket || (answer::may_want_websocket(status) && names_it) {
        return Err(Failure::WebSocket);
    }
    Ok(head)
}

/// Reads the body to its end, or to what counts as its end. Returns whether its beginning mentions
/// Web sockets, and when its end was read.
async fn read_body(
    mut next: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>>,
    end: End,
    (arrivals, recorder): (&Arrivals, LaneRecorder<'_>),
) -> Result<(bool, Instant), Failure> {
    let mut chunks = 0;
    let mut deadline = None;
    let mut names_websocket = false;
    loop {
        let part = match deadline {
            None => poll_fn(&mut next).await,
            Some(deadline) => {
                let Ok(part) = timeout_at(deadline, poll_fn(&mut next)).await else {
                    recorder.record(|lane, _| lane.record_cut_short());
                    return Ok((names_websocket, Instant::now()));
                };
                part
            }
        };
        let Some(data) = part.transpose()? else {
            break;
        };
        if data.is_empty() {
            continue;
        }
        recorder.record_arrival(arrivals, |lane, at| lane.record_chunk(at, &data));
        if chunks == 0 {
            names_websocket = answer::names_websocket(&data);
            deadline = end.lasting.map(|lasting| Deadline::now() + lasting);
        }
        chunks += 1;
        if end.first.is_some_and(|first| chunks >= first.get()) {
            recorder.record(|lane, _| lane.record_cut_short());
            break;
        }
    }
    Ok((names_websocket, arrivals.latest()))
}
