//! Requests over HTTP/2 (RFC 9113): one on a connection of its own, or many on one connection.
//!
//! The prober must not be what makes the requests wait. Its windows are as large as the protocol allows, and
//! what was read is released at once. Only the number of streams that the server allows at a time is obeyed:
//! further requests wait here for their turn, and their lanes begin when they would have been sent.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use http_body_util::BodyExt as _;
use hyper::Uri;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue};
use tokio::time::timeout;

use super::connection::{self, Answer, Endpoint, Noticed, Opened, Terms};
use super::inlet::Arrivals;
use super::reading::{self, Head};
use super::recorder::{Client, LaneRecorder};
use super::request::Message;
use super::settings::End;
use super::sips::Sips;
use super::start_line::StartLine;
use holdup_model::{Failure, HumanDuration, Lane, Timeline};
use holdup_verdict::experiment::Peer;

/// The largest window of a stream, and of a connection.
const WINDOW: u32 = (1 << 31) - 1;

/// How many streams may be open until the server has said how many it allows. No server allows this many, so
/// the number shows whether it has.
const NOT_SAID: usize = usize::MAX - 1;

/// How many streams a client can ever open on a connection. A server that allows this many sets no limit.
const ALL_STREAMS: u32 = 1 << 30;

/// How long a server may take to say what it allows, which it does as soon as it accepts a connection.
const SETTINGS: Duration = Duration::from_secs(10);

/// Headers of HTTP/1.1 connections, which HTTP/2 does not allow (RFC 9113, section 8.2.2).
const OF_HTTP1: [HeaderName; 3] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

const NOT_AGREED: &str = "the server does not agree to HTTP/2 over TLS (ALPN)";

const ANSWERS_HTTP1: &str = "the server answers with HTTP/1.1 when it is addressed in HTTP/2";

/// What the server said beside its answers.
#[derive(Default)]
struct Heard {
    /// Whether it spoke HTTP/1.
    http1: Arc<AtomicBool>,
    /// Why it ended the connection.
    goodbye: OnceLock<Reason>,
}

/// What drives a connection. Nothing is sent or received unless it is polled.
pub(super) struct Driver {
    connection: Option<h2::client::Connection<Sips, Bytes>>,
    heard: Arc<Heard>,
}

/// Sends requests on a connection.
pub(super) struct Streams {
    sender: SendRequest<Bytes>,
    peer: SocketAddr,
    arrivals: Arrivals,
    scheme: &'static str,
    heard: Arc<Heard>,
}

/// Why there is no connection on which requests can be sent.
pub(super) enum Unusable {
    /// The server does not accept HTTP/2, for this reason.
    Refused(String),
    /// The server was not reached.
    Failed(Failure),
}

/// Sends the request on a connection of its own over HTTP/2, which may have to wait at a line, and records when each
/// part of the answer arrives. `None` if it failed.
pub(super) async fn ask(
    endpoint: &Endpoint,
    message: Result<Message, Failure>,
    terms: Terms,
    (line, recorder): (Option<&StartLine>, LaneRecorder<'_>),
) -> Option<Answer> {
    let exchange = async |message| {
        let opened = connection::open_offering_http2(endpoint, recorder).await?;
        let mut moments = opened.moments.clone();
        let (streams, mut driver) = begin(endpoint, opened).await.map_err(|why| match why {
            Unusable::Refused(why) => Failure::Other(why),
            Unusable::Failed(failure) => failure,
        })?;
        if let Some(line) = line {
            line.wait(recorder).await;
        }
        let mut exchange = pin!(streams.exchange(message, terms.end, recorder));
        // One task drives both, so that a part is worked on before the next one is handed over, and its time is
        // still known.
        let answer = poll_fn(|context| {
            driver.poll(context);
            exchange.as_mut().poll(context)
        });
        let answer = answer.await?;
        let ended = answer.head.ended;
        moments.push(ended);
        Ok((answer, Noticed { moments, ended }))
    };
    connection::bounded(message, terms, recorder, exchange).await
}

/// Opens a connection for many requests, and waits until the server has said how many it allows at a time.
pub(super) async fn share(
    endpoint: &Endpoint,
    terms: Terms,
    client: Client<'_>,
) -> Result<(Streams, Driver), Unusable> {
    let begun = client.clock.elapsed();
    let lane = Mutex::new(Timeline::from(vec![Lane::start("", begun)]));
    let recorder = LaneRecorder {
        timeline: &lane,
        place: 0,
        client,
    };
    let opened = timeout(
        terms.timeout,
        connection::open_offering_http2(endpoint, recorder),
    );
    let opened = opened.await.unwrap_or(Err(Failure::TimedOut));
    let opened = opened.map_err(Unusable::Failed)?;
    let (streams, mut driver) = begin(endpoint, opened).await?;
    let longest = SETTINGS.min(terms.timeout);
    let said = timeout(longest, poll_fn(|context| driver.poll_settings(context)));
    match said.await {
        Ok(Ok(())) => Ok((streams, driver)),
        Ok(Err(error)) => Err(Unusable::Refused(streams.refusal(error.as_ref()))),
        Err(_) => Err(Unusable::Refused(format!(
            "the server does not begin to speak HTTP/2 (SETTINGS) within {}",
            HumanDuration(longest)
        ))),
    }
}

/// Speaks HTTP/2 on a connection that has just been opened.
async fn begin(endpoint: &Endpoint, opened: Opened) -> Result<(Streams, Driver), Unusable> {
    if opened.agreed_to_http2 == Some(false) {
        return Err(Unusable::Refused(NOT_AGREED.to_owned()));
    }
    let heard = Arc::new(Heard::default());
    let wire = Sips::of(opened.wire, Arc::clone(&heard.http1));
    let handshake = Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .initial_max_send_streams(NOT_SAID)
        .max_header_list_size(connection::MAX_HEAD)
        .enable_push(false)
        .handshake(wire);
    let (sender, connection) = handshake.await.map_err(|error| {
        let failure = error.get_io().map(connection::failed);
        Unusable::Failed(failure.unwrap_or_else(|| Failure::Other(error.to_string())))
    })?;
    let streams = Streams {
        sender,
        peer: opened.peer,
        arrivals: opened.arrivals,
        scheme: endpoint.tls.as_ref().map_or("http", |_| "https"),
        heard: Arc::clone(&heard),
    };
    let driver = Driver {
        connection: Some(connection),
        heard,
    };
    Ok((streams, driver))
}

impl Driver {
    /// Sends and receives what there is. The requests get the connection's errors as well.
    fn poll(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && let Poll::Ready(ended) = connection.poll_unpin(context)
        {
            self.connection = None;
            let error = ended.err();
            let error = error.filter(|error| error.is_remote() && error.is_go_away());
            if let Some(reason) = error.and_then(|error| error.reason()) {
                self.heard.goodbye.get_or_init(|| reason);
            }
        }
    }

    /// Sends and receives what there is, as long as it is polled: it has no end.
    pub(super) async fn go_on(driver: &mut Option<Self>) -> Infallible {
        let polled = poll_fn(|context| {
            if let Some(driver) = driver {
                driver.poll(context);
            }
            Poll::Pending
        });
        polled.await
    }

    /// Ready once the server has said what it allows, or has ended the connection.
    fn poll_settings(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Option<h2::Error>>> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(Err(None));
        };
        let ended = connection.poll_unpin(context);
        if connection.max_concurrent_send_streams() != NOT_SAID {
            return Poll::Ready(Ok(()));
        }
        let ended = ready!(ended);
        self.connection = None;
        Poll::Ready(Err(ended.err()))
    }
}

impl Streams {
    /// Sends the request on a stream of the connection, and records when each part of the answer arrives.
    /// `None` if it failed. The [driver](Driver) has to be polled meanwhile.
    pub(super) async fn ask(
        &self,
        message: Result<Message, Failure>,
        terms: Terms,
        recorder: LaneRecorder<'_>,
    ) -> Option<Answer> {
        let exchange = async |message| {
            recorder.record(Lane::record_connect);
            let answer = self.exchange(message, terms.end, recorder).await?;
            let ended = answer.head.ended;
            let moments = vec![ended];
            Ok((answer, Noticed { moments, ended }))
        };
        connection::bounded(message, terms, recorder, exchange).await
    }

    /// Sends a request and reads the answer to its end.
    async fn exchange(
        &self,
        message: Message,
        end: End,
        recorder: LaneRecorder<'_>,
    ) -> Result<Answer, Failure> {
        let broken = |error: h2::Error| self.broken(&error, recorder);
        let (head, body) = self.translated(message).await?;
        // A clone has no turn of its own to wait for, so the request takes its place in the queue at once.
        let mut sender = self.sender.clone();
        let (response, mut sending) = sender.send_request(head, body.is_empty()).map_err(broken)?;
        if !body.is_empty() {
            sending.send_data(body, true).map_err(broken)?;
        }
        let response = response.await.map_err(broken)?;
        let next = |body: &mut RecvStream, context: &mut Context<'_>| {
            let Some(data) = ready!(body.poll_data(context)) else {
                return Poll::Ready(None);
            };
            let data = data.and_then(|data| {
                body.flow_control().release_capacity(data.len())?;
                Ok(data)
            });
            Poll::Ready(Some(data.map_err(broken)))
        };
        let head: Head = reading::read(response, next, end, (&self.arrivals, recorder)).await?;
        let peer = self.peer;
        Ok(Answer { head, peer })
    }

    /// The head of a request as HTTP/2 writes it, and its body.
    async fn translated(&self, message: Message) -> Result<(hyper::Request<()>, Bytes), Failure> {
        let (mut head, body) = message.into_parts();
        let Ok(body) = body.collect().await;
        let body = body.to_bytes();
        let host = head.headers.remove(HOST);
        let host = host.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
        let mut uri = Uri::builder().scheme(self.scheme).authority(host);
        if let Some(path) = head.uri.path_and_query() {
            uri = uri.path_and_query(path.clone());
        }
        head.uri = uri.build().map_err(|error| {
            let host = String::from_utf8_lossy(host).into_owned();
            Failure::Other(format!(
                "the host {host:?} cannot be sent over HTTP/2: {error}"
            ))
        })?;
        for name in OF_HTTP1 {
            head.headers.remove(name);
        }
        if !body.is_empty() {
            let length = HeaderValue::from(body.len());
            head.headers.insert(CONTENT_LENGTH, length);
        }
        Ok((hyper::Request::from_parts(head, ()), body))
    }

    /// What the server said about the connection.
    pub(super) fn peer(&self) -> Peer {
        let max = u32::try_from(self.sender.current_max_send_streams());
        Peer {
            // Without a setting it is a larger number.
            max_concurrent_streams: max.ok().filter(|max| *max < ALL_STREAMS),
            refused: None,
            notes: self.goodbye().into_iter().collect(),
        }
    }

    /// Why the server ended the connection, in words.
    fn goodbye(&self) -> Option<String> {
        self.heard.goodbye.get().copied().map(goodbye)
    }

    fn speaks_http1(&self) -> bool {
        self.heard.http1.load(Ordering::Relaxed)
    }

    /// Why the server did not accept the connection.
    fn refusal(&self, error: Option<&h2::Error>) -> String {
        match error {
            _ if self.speaks_http1() => ANSWERS_HTTP1.to_owned(),
            Some(error) if error.is_go_away() && error.is_remote() => self.words(error),
            Some(error) if error.get_io().is_none() => {
                format!("what the server sends is not HTTP/2: {error}")
            }
            _ => "the server closes a connection that begins with HTTP/2".to_owned(),
        }
    }

    /// Converts an error of the connection or of a stream into a [`Failure`].
    fn broken(&self, error: &h2::Error, recorder: LaneRecorder<'_>) -> Failure {
        match error.get_io().map(connection::failed) {
            Some(Failure::Reset | Failure::Closed) if self.speaks_http1() => {
                Failure::Other(self.refusal(None))
            }
            Some(failure @ (Failure::Reset | Failure::Closed)) => match self.goodbye() {
                Some(why) => Failure::Other(why),
                None => recorder.torn(failure),
            },
            Some(failure) => failure,
            None => Failure::Other(self.words(error)),
        }
    }

    /// An error of HTTP/2 in words.
    fn words(&self, error: &h2::Error) -> String {
        match error.reason() {
            _ if self.speaks_http1() => self.refusal(None),
            Some(Reason::REFUSED_STREAM) if error.is_remote() => {
                "the server refused the stream (REFUSED_STREAM)".to_owned()
            }
            Some(reason) if error.is_remote() && error.is_reset() => {
                format!("the server ended the stream (RST_STREAM, {reason:?})")
            }
            Some(reason) if error.is_remote() => goodbye(reason),
            Some(reason) => format!("the answer is not HTTP/2: {reason} ({reason:?})"),
            None => error.to_string(),
        }
    }
}

fn goodbye(reason: Reason) -> String {
    format!("the server closed the connection (GOAWAY, {reason:?})")
}
