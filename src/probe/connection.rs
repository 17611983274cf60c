//! One lane: one request on a connection of its own, closed the moment the answer ends.
//!
//! A connection left open would hold a worker of a server that keeps connections alive, and the
//! prober itself would be what serializes the requests.

use std::borrow::Cow;
use std::cell::RefCell;
use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::client::conn::http1;
use hyper::header::{HeaderName, LOCATION, SERVER};
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;
use url::Url;

use super::request::{Message, Request};
use super::tls;
use crate::timeline::{Failure, Lane, Timeline};
use crate::verdict::Platform;

/// The largest head of an answer, and of trailers. Servers commonly send less than 8 KiB.
const MAX_HEAD: usize = 64 * 1024;

/// The most headers in an answer.
const MAX_HEADERS: usize = 256;

/// The most that is read of a body at a time.
const MAX_BUFFER: usize = 256 * 1024;

/// How a server is reached: the same for all lanes, found out before the first is measured.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// Where a lane is recorded, and the clock it is recorded by.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    pub(super) timeline: &'a RefCell<Timeline>,
    pub(super) place: usize,
    pub(super) clock: Instant,
}

impl Slot<'_> {
    fn record(&self, mark: impl FnOnce(&mut Lane, Duration)) {
        let now = self.clock.elapsed();
        if let Some(lane) = self.timeline.borrow_mut().lanes.get_mut(self.place) {
            mark(lane, now);
        }
    }

    pub(super) fn fail(&self, failure: Failure) {
        self.record(|lane, now| lane.fail(now, failure));
    }
}

/// What the look-ahead must know of an answer.
pub(super) struct Answer {
    pub(super) head: Head,
    pub(super) peer: SocketAddr,
}

/// What the look-ahead must know of an answer's head.
pub(super) struct Head {
    /// Where it redirects to.
    pub(super) location: Option<String>,
    pub(super) platform: Platform,
}

impl Head {
    fn of<B>(response: &Response<B>) -> Self {
        let texts = |name| {
            let values = response.headers().get_all(name).iter();
            values.map(|value| String::from_utf8_lossy(value.as_bytes()))
        };
        let location = texts(LOCATION).next();
        let location = location.filter(|_| response.status().is_redirection());
        let says: Vec<_> = texts(SERVER).chain(texts(X_POWERED_BY)).collect();
        Self {
            location: location.map(Cow::into_owned),
            platform: Platform::of(says.iter().map(AsRef::as_ref)),
        }
    }
}

const X_POWERED_BY: HeaderName = HeaderName::from_static("x-powered-by");

/// Asks for `url` and records what comes back when. `None` if it failed.
pub(super) async fn ask(
    route: &Route,
    request: &Request,
    url: &Url,
    patience: Duration,
    slot: Slot<'_>,
) -> Option<Answer> {
    // Made before the clock starts.
    let request = match request.to(url) {
        Ok(request) => request,
        Err(error) => {
            slot.fail(Failure::Other(format!("the URL: {error}")));
            return None;
        }
    };
    slot.record(|lane, now| *lane = Lane::asked(lane.label(), now));
    let exchange = timeout(patience, exchange(route, request, slot));
    match exchange.await.unwrap_or(Err(Failure::TimedOut)) {
        Ok(answer) => {
            slot.record(Lane::finish);
            Some(answer)
        }
        Err(failure) => {
            slot.fail(failure);
            None
        }
    }
}

async fn exchange(route: &Route, request: Message, slot: Slot<'_>) -> Result<Answer, Failure> {
    // The measured lanes have one address. The look-ahead may have several, and the first that
    // answers is kept.
    let mut connected = Err(Failure::Other("the name has no address".to_owned()));
    for address in &route.addresses {
        connected = TcpStream::connect(address)
            .await
            .map_err(|error| failed(&error));
        if connected.is_ok() {
            break;
        }
    }
    let stream = connected?;
    slot.record(Lane::connect);
    let io = |error: io::Error| failed(&error);
    stream.set_nodelay(true).map_err(io)?;
    let peer = stream.peer_addr().map_err(io)?;
    let head = match &route.tls {
        None => speak(stream, request, slot).await?,
        Some((connector, name)) => {
            let stream = connector.connect(name.clone(), stream).await;
            speak(stream.map_err(io)?, request, slot).await?
        }
    };
    Ok(Answer { head, peer })
}

/// Sends the request and reads the answer to its end.
async fn speak<S>(stream: S, request: Message, slot: Slot<'_>) -> Result<Head, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let broken = |error: hyper::Error| broken(&error, slot);
    let handshake = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_BUFFER)
        .handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(broken)?;
    let mut connection = pin!(connection);
    // It is handed over here, so that the connection finds and sends it in its first turn.
    let response = sender.send_request(request);
    let mut exchange = pin!(async {
        let response = response.await.map_err(broken)?;
        let status = response.status();
        slot.record(|lane, now| lane.answer(now, status.as_u16()));
        let head = Head::of(&response);
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            if let Some(data) = frame.map_err(broken)?.data_ref() {
                slot.record(|lane, now| lane.chunk(now, data));
            }
        }
        Ok(head)
    });
    // One task drives both, so that a chunk's time is taken in the turn in which it was read.
    let mut open = true;
    poll_fn(|context| {
        if open && connection.as_mut().poll(context).is_ready() {
            // How it ended, the exchange learns as well.
            open = false;
        }
        exchange.as_mut().poll(context)
    })
    .await
}

/// An error of the network in the timeline's terms.
fn failed(error: &io::Error) -> Failure {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (error.kind(), tls) {
        (_, Some(error)) => Failure::Other(tls::failure(error)),
        (io::ErrorKind::ConnectionRefused, _) => Failure::Refused,
        (io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe, _) => Failure::Reset,
        (io::ErrorKind::UnexpectedEof, _) => Failure::CutOff,
        (io::ErrorKind::TimedOut, _) => Failure::TimedOut,
        _ if Errno::from_io_error(error) == Some(Errno::MFILE) => {
            Failure::Other("the prober may not open more files (ulimit -n)".to_owned())
        }
        _ => Failure::Other(error.to_string()),
    }
}

/// An error of HTTP in the timeline's terms.
fn broken(error: &hyper::Error, slot: Slot<'_>) -> Failure {
    let began = slot
        .timeline
        .borrow()
        .lanes
        .get(slot.place)
        .is_some_and(|lane| lane.status().is_some());
    let torn = if began {
        Failure::CutOff
    } else {
        Failure::Reset
    };
    if error.is_parse() {
        // hyper's own words say which: "message head is too large", "invalid HTTP version parsed".
        return Failure::Other(format!("the answer is not HTTP/1.1: {error}"));
    }
    let network = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    match network.map(failed) {
        Some(Failure::Reset | Failure::CutOff) => torn,
        Some(failure) => failure,
        None if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => torn,
        None => Failure::Other(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_on_open_files_is_named() {
        let error = io::Error::from(Errno::MFILE);
        let words = failed(&error).to_string();
        assert_eq!(words, "the prober may not open more files (ulimit -n)");
    }
}
