//! `/events`: what each reader receives, and the limit on the number of readers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpRequest, HttpResponse};
use futures_util::{Stream, stream};
use tokio::sync::broadcast::{self, error::RecvError};

use super::hub::{Batch, Command};
use super::message::Message;
use super::site::Site;
use holdup_http::problem::Problem;

pub(super) async fn events(
    site: Data<Site>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let most = site.most_readers;
    let reader = Reader::enter(&site.readers, most)
        .ok_or_else(|| Problem::unavailable(format!("all {most} places for readers are taken; close another page of this console, and try again")))?;
    let app = site.app_url(&request);
    let (snapshot, news) = site.ask(|reply| Command::Join(app, reply)).await?;
    let first = VecDeque::from([Bytes::from_static(b"retry: 1000\n\n"), snapshot]);
    let body = stream_of(first, news, reader);
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body))
}

/// The stream of one reader: the snapshot, then every batch, until the reader is too far behind.
fn stream_of(
    first: VecDeque<Bytes>,
    news: broadcast::Receiver<Bytes>,
    reader: Reader,
) -> impl Stream<Item = Result<Bytes, Error>> {
    let begin = Some((first, news, reader));
    stream::unfold(begin, async |reading| {
        let (mut first, mut news, reader) = reading?;
        if let Some(piece) = first.pop_front() {
            return Some((Ok(piece), Some((first, news, reader))));
        }
        match news.recv().await {
            Ok(piece) => Some((Ok(piece), Some((first, news, reader)))),
            Err(RecvError::Lagged(missed)) => {
                let detail = format!(
                    "this reader fell behind by {missed} batches; reconnect for a fresh picture"
                );
                let mut last = Batch::default();
                last.add(&Message::Behind { detail });
                Some((Ok(last.into_bytes()), None))
            }
            Err(RecvError::Closed) => None,
        }
    })
}

/// A reader of the events. It is counted until it is dropped.
struct Reader(Arc<AtomicUsize>);

impl Reader {
    fn enter(readers: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let enter = |n| (n < most).then_some(n + 1);
        readers
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter)
            .ok()?;
        Some(Self(Arc::clone(readers)))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
