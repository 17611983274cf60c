//! One lane: one request on a connection of its own, closed the moment the answer ends.
//!
//! A connection left open would hold a worker of a server that keeps connections alive, and the
//! prober itself would be what serializes the requests. Only a bystander's connections may be kept.

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io;
use std::iter::successors;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Body as _, Bytes, Frame, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;

use super::inlet::{Arrivals, Inlet};
pub(super) use super::reading::Head;
pub(super) use super::recorder::{Client, LaneRecorder, lock};
use super::request::Message;
use super::settings::End;
use super::start_line::StartLine;
use super::{dial, reading, tls};
use holdup_model::{ClientTime, Failure, Lane};

/// The largest head of an answer, and of trailers. Servers commonly send less than 8 KiB.
pub(super) const MAX_HEAD: u32 = 64 * 1024;

/// The largest number of headers in an answer.
pub(super) const MAX_HEADERS: usize = 256;

/// How the failures begin of an answer that is something else, and of one that is HTTP/1.1 but has a fault.
const NOT_HTTP1: &str = "the answer is not HTTP/1.1";
const UNREADABLE: &str = "the answer cannot be read";

/// The largest part of a body that is read at once.
const MAX_BUFFER: usize = 256 * 1024;

/// How to reach the server. It is determined before the first measurement, and is the same for all lanes.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) tls: Option<Tls>,
}

/// How TLS is spoken with the server.
#[derive(Clone)]
pub(super) struct Tls {
    /// Offers HTTP/1.1 …
    pub(super) http1: TlsConnector,
    /// … or HTTP/2 as well.
    pub(super) http2: TlsConnector,
    pub(super) name: ServerName<'static>,
}

/// When to end an exchange that has not ended by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) timeout: Duration,
    pub(super) end: End,
}

/// What the warm-up needs to know about an answer.
pub(super) struct Answer {
    pub(super) head: Head,
    pub(super) peer: SocketAddr,
}

/// Sends the request on a connection of its own, which may have to wait at a line, and records when each part of the
/// answer arrives. `None` if it failed.
pub(super) async fn ask(
    endpoint: &Endpoint,
    message: Result<Message, Failure>,
    terms: Terms,
    (start, recorder): (Option<&StartLine>, LaneRecorder<'_>),
) -> Option<Answer> {
    let exchange = async |message| {
        let opened = open(endpoint, recorder).await?;
        let (peer, mut moments) = (opened.peer, opened.moments.clone());
        let mut link = Link::on(opened, recorder).await?;
        if let Some(start) = start {
            start.wait(recorder).await;
        }
        let head = link.exchange(message, terms.end, recorder).await?;
        let ended = head.ended;
        moments.push(ended);
        Ok((Answer { head, peer }, Noticed { moments, ended }))
    };
    bounded(message, terms, recorder, exchange).await
}

/// When the prober noticed the beginning and the end of an exchange.
pub(super) struct Noticed {
    /// When it noticed that the connection was established, and the end.
    pub(super) moments: Vec<Instant>,
    /// When the end was read.
    pub(super) ended: Instant,
}

/// Runs an exchange within its time, and records how it ends.
pub(super) async fn bounded<T>(
    message: Result<Message, Failure>,
    terms: Terms,
    recorder: LaneRecorder<'_>,
    exchange: impl AsyncFnOnce(Message) -> Result<(T, Noticed), Failure>,
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
        Ok((answer, Noticed { moments, ended })) => {
            let own = recorder.client.own;
            let since = recorder.client.clock + recorder.lane(Lane::requested_at);
            let own = ClientTime {
                late_for_it: own.late_for(since, &moments),
                ..own.so_far()
            };
            recorder.record_at(ended, |lane, at| {
                lane.record_client_time(own);
                lane.finish(at);
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
    pub(super) arrivals: Arrivals,
    pub(super) peer: SocketAddr,
    /// When the prober noticed that it was established, without and with TLS.
    pub(super) moments: Vec<Instant>,
    /// Whether the server agreed to HTTP/2. `None` without TLS, which says nothing about it.
    pub(super) agreed_to_http2: Option<bool>,
}

/// Connects for HTTP/1.1, and records when the connection was established.
pub(super) async fn open(
    endpoint: &Endpoint,
    recorder: LaneRecorder<'_>,
) -> Result<Opened, Failure> {
    let tls = endpoint.tls.as_ref().map(|tls| (&tls.http1, &tls.name));
    connect(endpoint, tls, recorder).await
}

/// Connects, and offers HTTP/2 if TLS is used.
pub(super) async fn open_offering_http2(
    endpoint: &Endpoint,
    recorder: LaneRecorder<'_>,
) -> Result<Opened, Failure> {
    let tls = endpoint.tls.as_ref().map(|tls| (&tls.http2, &tls.name));
    connect(endpoint, tls, recorder).await
}

async fn connect(
    endpoint: &Endpoint,
    tls: Option<(&TlsConnector, &ServerName<'static>)>,
    recorder: LaneRecorder<'_>,
) -> Result<Opened, Failure> {
    let io = |error: io::Error| failed(&error);
    // The measured lanes have one address. The warm-up may have several, and the first that
    // answers is kept.
    let stream = dial::first(&endpoint.addresses).await.map_err(io)?;
    recorder.record(Lane::record_connect);
    let mut moments = vec![Instant::now()];
    stream.set_nodelay(true).map_err(io)?;
    let peer = stream.peer_addr().map_err(io)?;
    let stream = Inlet::of(stream);
    let arrivals = stream.arrivals();
    recorder.client.inlets.add(&arrivals);
    let (wire, agreed_to_http2): (Box<dyn Wire>, _) = match tls {
        None => (Box::new(stream), None),
        Some((connector, name)) => {
            let stream = connector.connect(name.clone(), stream).await;
            moments.push(Instant::now());
            let stream = stream.map_err(io)?;
            let agreed = stream.get_ref().1.alpn_protocol() == Some(tls::HTTP2);
            (Box::new(stream), Some(agreed))
        }
    };
    Ok(Opened {
        wire,
        arrivals,
        peer,
        moments,
        agreed_to_http2,
    })
}

type Io = TokioIo<Box<dyn Wire>>;

/// An HTTP/1.1 connection, for one request at a time.
pub(super) struct Link {
    sender: http1::SendRequest<Full<Bytes>>,
    connection: Option<http1::Connection<Io, Full<Bytes>>>,
    arrivals: Arrivals,
}

impl Link {
    /// When its parts are read.
    pub(super) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Speaks HTTP/1.1 on a connection that was just opened.
    pub(super) async fn on(opened: Opened, recorder: LaneRecorder<'_>) -> Result<Self, Failure> {
        let handshake = http1::Builder::new()
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD as usize)
            .max_buf_size(MAX_BUFFER)
            .handshake(TokioIo::new(opened.wire));
        let (sender, connection) = handshake.await.map_err(|error| broken(&error, recorder))?;
        Ok(Self {
            sender,
            connection: Some(connection),
            arrivals: opened.arrivals,
        })
    }

    /// Sends a request and reads the answer to its end.
    pub(super) async fn exchange(
        &mut self,
        request: Message,
        end: End,
        recorder: LaneRecorder<'_>,
    ) -> Result<Head, Failure> {
        self.exchange_showing(request, end, recorder, &mut |_| ())
            .await
    }

    /// The same, and shows each part of the body as it is read.
    pub(super) async fn exchange_showing(
        &mut self,
        request: Message,
        end: End,
        recorder: LaneRecorder<'_>,
        show: &mut (dyn FnMut(&Bytes) + Send),
    ) -> Result<Head, Failure> {
        let broken = |error: hyper::Error| broken(&error, recorder);
        // The request is handed over here, so that the connection sends it in its first poll.
        let response = self.sender.send_request(request);
        let arrivals = &self.arrivals;
        let mut exchange = pin!(async {
            let response = response.await.map_err(broken)?;
            let next = |body: &mut Incoming, context: &mut Context<'_>| {
                let frame = ready!(Pin::new(body).poll_frame(context));
                let mut data = |frame: Frame<Bytes>| {
                    let data = frame.into_data().unwrap_or_default();
                    show(&data);
                    data
                };
                Poll::Ready(frame.map(|frame| frame.map(&mut data).map_err(broken)))
            };
            reading::read(response, next, end, (arrivals, recorder)).await
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
        let Self {
            sender, connection, ..
        } = self;
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

/// Converts a network error into a [`Failure`], as if no answer had begun.
pub(super) fn failed(error: &io::Error) -> Failure {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (error.kind(), tls) {
        (_, Some(error)) => Failure::Other(tls::failure(error)),
        (io::ErrorKind::ConnectionRefused, _) => Failure::Refused,
        (io::ErrorKind::ConnectionReset, _) => Failure::Reset,
        // The system's own comes after a reset; h2 has one of its own for a connection that the server has closed.
        (io::ErrorKind::BrokenPipe, _) if error.raw_os_error().is_some() => Failure::Reset,
        (io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof, _) => Failure::Closed,
        (io::ErrorKind::TimedOut, _) => Failure::TimedOut,
        _ if Errno::from_io_error(error) == Some(Errno::MFILE) => Failure::Other(
            "the prober may not open more files; raise the limit (ulimit -n)".to_owned(),
        ),
        _ => Failure::Other(error.to_string()),
    }
}

/// Converts an HTTP error of this lane into a [`Failure`].
fn broken(error: &hyper::Error, recorder: LaneRecorder<'_>) -> Failure {
    recorder.torn(broken_off(error))
}

/// Converts an HTTP error into a [`Failure`], as if no answer had begun.
pub(super) fn broken_off(error: &hyper::Error) -> Failure {
    if error.is_parse() {
        return Failure::Other(unreadable(error));
    }
    let network = successors(error.source(), |&source| source.source())
        .find_map(|source| source.downcast_ref::<io::Error>());
    match network.map(failed) {
        Some(failure) => failure,
        None if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => {
            Failure::Closed
        }
        None => Failure::Other(error.to_string()),
    }
}

/// What is wrong with an answer that cannot be parsed. hyper's message describes the fault: "invalid HTTP version
/// parsed", "invalid content-length parsed".
fn unreadable(error: &hyper::Error) -> String {
    let fault = error.to_string();
    if fault == "message head is too large" {
        let most = MAX_HEAD / 1024;
        format!("{UNREADABLE}: its head has more than {MAX_HEADERS} headers or {most} KiB")
    } else if fault.starts_with("invalid HTTP version") {
        format!("{NOT_HTTP1}: {fault}")
    } else {
        format!("{UNREADABLE}: {fault}")
    }
}

/// Whether this is the failure of an answer that is not HTTP/1.1.
pub(super) fn is_not_http1(failure: &Failure) -> bool {
    matches!(failure, Failure::Other(what) if what.starts_with(NOT_HTTP1))
}

/// Whether this is the failure of an answer that cannot be parsed.
pub(super) fn is_unreadable(failure: &Failure) -> bool {
    let begins = |what: &String| what.starts_with(NOT_HTTP1) || what.starts_with(UNREADABLE);
    matches!(failure, Failure::Other(what) if begins(what))
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
