//! One lane: one request on a connection of its own, closed the moment the answer ends.
//!
//! A connection left open would hold a worker of a server that keeps connections alive, and the
//! prober itself would be what serializes the requests. Only a bystander's connections may be kept.

use std::borrow::Cow;
use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::Response;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HeaderName, LOCATION, SERVER};
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant as Deadline, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;

use super::own_time::OwnTime;
use super::request::Message;
use super::settings::End;
use super::{answer, dial, tls};
use holdup_model::{ClientTime, Failure, Lane, Timeline};
use holdup_verdict::Platform;

/// The largest head of an answer, and of trailers. Servers commonly send less than 8 KiB.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// The largest number of headers in an answer.
pub(super) const MAX_HEADERS: usize = 256;

/// The largest part of a body that is read at once.
const MAX_BUFFER: usize = 256 * 1024;

/// How to reach the server. It is determined before the first measurement, and is the same for all lanes.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// When to end an exchange that has not ended by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) timeout: Duration,
    pub(super) end: End,
}

/// The lane to record to, and the clock for its times.
#[derive(Clone, Copy)]
pub(super) struct LaneRecorder<'a> {
    pub(super) timeline: &'a Mutex<Timeline>,
    pub(super) place: usize,
    pub(super) clock: Instant,
    pub(super) own: &'a OwnTime,
}

impl LaneRecorder<'_> {
    pub(super) fn timeline(&self) -> MutexGuard<'_, Timeline> {
        lock(self.timeline)
    }

    fn record(&self, mark: impl FnOnce(&mut Lane, Duration)) {
        let now = self.clock.elapsed();
        if let Some(lane) = self.timeline().lanes.get_mut(self.place) {
            mark(lane, now);
        }
    }

    pub(super) fn fail(&self, failure: Failure) {
        self.record(|lane, now| lane.fail(now, failure));
    }
}

/// What the warm-up needs to know about an answer.
pub(super) struct Answer {
    pub(super) head: Head,
    pub(super) peer: SocketAddr,
}

/// What the warm-up needs to know about an answer's head.
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

/// Locks the lanes, even after a panic: no panic leaves them half written.
pub(super) fn lock(timeline: &Mutex<Timeline>) -> MutexGuard<'_, Timeline> {
    timeline.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends the request on a connection of its own and records when each part of the answer arrives. `None` if it
/// failed.
pub(super) async fn ask(
    endpoint: &Endpoint,
    message: Result<Message, Failure>,
    terms: Terms,
    recorder: LaneRecorder<'_>,
) -> Option<Answer> {
    let exchange = async |message| {
        let opened = open(endpoint, recorder).await?;
        let mut link = Link::on(opened.wire, recorder).await?;
        let head = link.exchange(message, terms.end, recorder).await?;
        let peer = opened.peer;
        Ok((Answer { head, peer }, opened.late))
    };
    bounded(message, terms, recorder, exchange).await
}

/// Runs an exchange within its time, and records how it ends. The exchange returns how late the prober noticed
/// that the connection was established.
pub(super) async fn bounded<T>(
    message: Result<Message, Failure>,
    terms: Terms,
    recorder: LaneRecorder<'_>,
    exchange: impl AsyncFnOnce(Message) -> Result<(T, Duration), Failure>,
) -> Option<T> {
    // The message is built before the clock starts.
    let message = match message {
        Ok(message) => message,
        Err(failure) => {
            recorder.fail(failure);
            return None;
        }
    };
    recorder.record(|lane, now| *lane = Lane::start(lane.label(), now));
    let exchange = timeout(terms.timeout, exchange(message));
    match exchange.await.unwrap_or_else(|_| Err(timed_out(recorder))) {
        Ok((answer, late)) => {
            let own = ClientTime {
                late_for_it: late + recorder.own.late_now(),
                ..recorder.own.so_far()
            };
            recorder.record(|lane, now| {
                lane.record_client_time(own);
                lane.finish(now);
            });
            Some(answer)
        }
        Err(failure) => {
            recorder.fail(failure);
            None
        }
    }
}

/// The failure for a time-out, which distinguishes an answer that keeps arriving from one that does not.
fn timed_out(recorder: LaneRecorder<'_>) -> Failure {
    let timeline = recorder.timeline();
    match timeline.lanes.get(recorder.place).map(Lane::chunk_count) {
        Some(chunks) if chunks > 1 => Failure::Endless { chunks },
        _ => Failure::TimedOut,
    }
}

/// What carries HTTP: TCP, or TLS over it.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

/// A connection that was just established.
pub(super) struct Opened {
    pub(super) wire: Box<dyn Wire>,
    pub(super) peer: SocketAddr,
    /// How late the prober noticed that it was established.
    pub(super) late: Duration,
}

/// Connects, and records when the connection was established.
pub(super) async fn open(
    endpoint: &Endpoint,
    recorder: LaneRecorder<'_>,
) -> Result<Opened, Failure> {
    let io = |error: io::Error| failed(&error);
    // The measured lanes have one address. The warm-up may have several, and the first that
    // answers is kept.
    let stream = dial::first(&endpoint.addresses).await.map_err(io)?;
    recorder.record(Lane::record_connect);
    let mut late = recorder.own.late_now();
    stream.set_nodelay(true).map_err(io)?;
    let peer = stream.peer_addr().map_err(io)?;
    let wire: Box<dyn Wire> = match &endpoint.tls {
        None => Box::new(stream),
        Some((connector, name)) => {
            let stream = connector.connect(name.clone(), stream).await;
            late += recorder.own.late_now();
            Box::new(stream.map_err(io)?)
        }
    };
    Ok(Opened { wire, peer, late })
}

/// An HTTP/1.1 connection, for one request at a time.
pub(super) struct Link {
    sender: http1::SendRequest<Full<Bytes>>,
    connection: Option<http1::Connection<TokioIo<Box<dyn Wire>>, Full<Bytes>>>,
}

impl Link {
    /// Speaks HTTP/1.1 on `wire`.
    pub(super) async fn on(
        wire: Box<dyn Wire>,
        recorder: LaneRecorder<'_>,
    ) -> Result<Self, Failure> {
        let handshake = http1::Builder::new()
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD)
            .max_buf_size(MAX_BUFFER)
            .handshake(TokioIo::new(wire));
        let (sender, connection) = handshake.await.map_err(|error| broken(&error, recorder))?;
        Ok(Self {
            sender,
            connection: Some(connection),
        })
    }

    /// Sends a request and reads the answer to its end.
    pub(super) async fn exchange(
        &mut self,
        request: Message,
        end: End,
        recorder: LaneRecorder<'_>,
    ) -> Result<Head, Failure> {
        let broken = |error: hyper::Error| broken(&error, recorder);
        // The request is handed over here, so that the connection sends it in its first poll.
        let response = self.sender.send_request(request);
        let mut exchange = pin!(async {
            let response = response.await.map_err(broken)?;
            let status = response.status();
            recorder.record(|lane, now| lane.record_head(now, status.as_u16()));
            if let Some(header) = answer::kept(response.headers()) {
                recorder.record(|lane, _| lane.record_cache_header(header));
            }
            let websocket = answer::wants_websocket(&response);
            let head = Head::of(&response);
            let names_it = read(response.into_body(), end, recorder)
                .await
                .map_err(broken)?;
            if websocket || (answer::may_want_websocket(status) && names_it) {
                return Err(Failure::WebSocket);
            }
            Ok(head)
        });
        // One task drives both, so that a chunk's time is taken in the poll that read it.
        poll_fn(|context| {
            self.connection.poll(context);
            exchange.as_mut().poll(context)
        })
        .await
    }

    /// Waits until another request can be sent. Returns false if the server has closed the connection.
    pub(super) async fn is_open(&mut self) -> bool {
        let Self { sender, connection } = self;
        poll_fn(|context| {
            // The server may have closed it since the last exchange.
            connection.poll(context);
            sender.poll_ready(context)
        })
        .await
        .is_ok()
            && connection.is_some()
    }
}

/// A connection that is polled until it has ended. The exchange gets its error as well.
trait Driven {
    fn poll(&mut self, context: &mut Context<'_>);
}

impl<C: Future + Unpin> Driven for Option<C> {
    fn poll(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = self
            && Pin::new(connection).poll(context).is_ready()
        {
            *self = None;
        }
    }
}

/// Reads the body to its end, or to what counts as its end. Returns whether its beginning mentions
/// Web sockets.
async fn read(
    mut body: Incoming,
    end: End,
    recorder: LaneRecorder<'_>,
) -> Result<bool, hyper::Error> {
    let mut chunks = 0;
    let mut deadline = None;
    let mut names_websocket = false;
    loop {
        let frame = match deadline {
            None => body.frame().await,
            Some(deadline) => match timeout_at(deadline, body.frame()).await {
                Ok(frame) => frame,
                Err(_) => break,
            },
        };
        let Some(frame) = frame.transpose()? else {
            break;
        };
        let Some(data) = frame.data_ref().filter(|data| !data.is_empty()) else {
            continue;
        };
        recorder.record(|lane, now| lane.record_chunk(now, data));
        if chunks == 0 {
            names_websocket = answer::names_websocket(data);
            deadline = end.lasting.map(|lasting| Deadline::now() + lasting);
        }
        chunks += 1;
        if end.first.is_some_and(|first| chunks >= first.get()) {
            break;
        }
    }
    Ok(names_websocket)
}

/// Converts a network error into a [`Failure`].
pub(super) fn failed(error: &io::Error) -> Failure {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (error.kind(), tls) {
        (_, Some(error)) => Failure::Other(tls::failure(error)),
        (io::ErrorKind::ConnectionRefused, _) => Failure::Refused,
        (io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe, _) => Failure::Reset,
        (io::ErrorKind::UnexpectedEof, _) => Failure::CutOff,
        (io::ErrorKind::TimedOut, _) => Failure::TimedOut,
        _ if Errno::from_io_error(error) == Some(Errno::MFILE) => Failure::Other(
            "the prober may not open more files; raise the limit (ulimit -n)".to_owned(),
        ),
        _ => Failure::Other(error.to_string()),
    }
}

/// Converts an HTTP error of this lane into a [`Failure`].
fn broken(error: &hyper::Error, recorder: LaneRecorder<'_>) -> Failure {
    let began = recorder
        .timeline()
        .lanes
        .get(recorder.place)
        .is_some_and(|lane| lane.status().is_some());
    broken_off(error, began)
}

/// Converts an HTTP error into a [`Failure`], given whether the answer had begun.
pub(super) fn broken_off(error: &hyper::Error, began: bool) -> Failure {
    let torn = if began {
        Failure::CutOff
    } else {
        Failure::Reset
    };
    if error.is_parse() {
        // hyper's message describes the fault: "message head is too large", "invalid HTTP version parsed".
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
        assert_eq!(
            words,
            "the prober may not open more files; raise the limit (ulimit -n)"
        );
    }
}
