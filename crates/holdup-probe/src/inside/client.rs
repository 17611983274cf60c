//! A client of a console: one GET request per connection, over HTTP/1.1.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HeaderName, LOCATION};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use url::Url;

use super::error::BadConsole;
use super::text::clean;
use crate::connection::{Endpoint, MAX_HEAD, MAX_HEADERS, broken_off, failed};
use crate::dial;
use crate::question::Question;
use crate::recorder::cut_off_if;
use crate::request::{Message, Request};
use crate::route;
use crate::target::Target;
use crate::tls;
use holdup_model::Failure;

/// The largest part of a body that is read at once.
const MAX_BUFFER: usize = 64 * 1024;

/// The longest error document that is read.
const MOST_OF_ERROR: usize = 16 * 1024;

/// What `holdup replay` adds to all of its answers.
const REPLAY: HeaderName = HeaderName::from_static("x-holdup-replay");

/// A console, and the way to it.
pub(super) struct Console {
    endpoint: Endpoint,
    /// The URL as it was given.
    given: String,
    /// The URL below which the console's paths are.
    base: Url,
}

/// An answer, of which the head was read.
pub(super) struct Answer {
    response: Response<Incoming>,
    _connection: Connection,
}

/// The task that drives a connection. The connection closes when this is dropped.
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Console {
    /// Finds out how the console is reached.
    pub(super) async fn find(
        target: &Target,
        insecure: bool,
        longest: Duration,
    ) -> Result<Self, BadConsole> {
        let given = target.url().to_owned();
        match route::find(target, insecure, longest).await {
            Ok(endpoint) => Ok(Self {
                endpoint,
                given,
                base: base(target.parsed()),
            }),
            Err(why) => Err(unread(given, why)),
        }
    }

    /// The URL as it was given.
    pub(super) fn given(&self) -> &str {
        &self.given
    }

    /// Asks for `/events`.
    pub(super) async fn events(&mut self) -> Result<Answer, BadConsole> {
        let answer = self.page("events").await?;
        if let Some(bad) = refusal(answer.response.status()) {
            return Err(bad.of(answer, "events", self).await);
        }
        match answer.content_type() {
            Some(kind) if kind.starts_with("text/event-stream") => Ok(answer),
            Some(kind) => Err(self.no_console(format!("/events is of the type {kind}"))),
            None => Err(self.no_console("/events has no type".to_owned())),
        }
    }

    /// Asks for a document of the console, of at most so many bytes.
    pub(super) async fn document(
        &mut self,
        path: &str,
        most: usize,
    ) -> Result<Vec<u8>, BadConsole> {
        let mut answer = self.page(path).await?;
        if answer.response.status() == StatusCode::NOT_FOUND && self.has_state().await {
            return Err(BadConsole::Older {
                url: self.given.clone(),
                path: format!("/{path}"),
            });
        }
        if let Some(bad) = refusal(answer.response.status()) {
            return Err(bad.of(answer, path, self).await);
        }
        match answer.content_type() {
            Some(kind) if kind.starts_with("application/json") => {}
            Some(kind) => return Err(self.no_console(format!("/{path} is of the type {kind}"))),
            None => return Err(self.no_console(format!("/{path} has no type"))),
        }
        let mut document = Vec::new();
        while let Some(part) = answer.part().await {
            document.extend_from_slice(&part.map_err(|why| self.unreachable(why))?);
            if document.len() > most {
                return Err(self.no_console(format!("/{path} has more than {most} bytes")));
            }
        }
        Ok(document)
    }

    /// Asks for a page of the console. A URL with a path may be that of a console behind a proxy, or that of one
    /// of the console's pages: if nothing is found below the path, the console is looked for at the root. A console
    /// of an older version lacks some pages, so it is not left for the root, where the app itself may answer.
    async fn page(&mut self, path: &str) -> Result<Answer, BadConsole> {
        let mut answer = self.get(path).await;
        let is_missing = |answer: &Answer| answer.response.status() == StatusCode::NOT_FOUND;
        let is_below = self.base.path() != "/" && answer.as_ref().is_ok_and(is_missing);
        if is_below && !self.get("state").await.as_ref().is_ok_and(Answer::is_state) {
            let mut root = self.base.clone();
            root.set_path("/");
            let below = std::mem::replace(&mut self.base, root);
            answer = self.get(path).await;
            if !answer.as_ref().is_ok_and(|answer| !is_missing(answer)) {
                self.base = below;
            }
        }
        match answer {
            Ok(answer) if answer.response.headers().contains_key(REPLAY) => {
                Err(BadConsole::Record {
                    url: self.given.clone(),
                })
            }
            Ok(answer) => Ok(answer),
            Err(why) => Err(self.unreachable(why)),
        }
    }

    /// Whether there is a page that every console has, below the URL or at the root.
    async fn has_state(&mut self) -> bool {
        let answer = self.page("state").await;
        answer.as_ref().is_ok_and(Answer::is_state)
    }

    /// The body of the answer for a path of the console: `Ok(None)` if it is not there. It is cut after `most`
    /// bytes.
    pub(super) async fn text(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, Failure> {
        let mut answer = self.get(path).await?;
        match answer.response.status() {
            StatusCode::OK => Ok(Some(answer.beginning(most).await)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(Failure::Other(format!("status {status}"))),
        }
    }

    /// The error for an address at which no console answers.
    pub(super) fn unreachable(&self, why: Failure) -> BadConsole {
        unread(self.given.clone(), why)
    }

    /// The error for something that is no console.
    pub(super) fn no_console(&self, why: String) -> BadConsole {
        BadConsole::NotAConsole {
            url: self.given.clone(),
            why,
        }
    }

    async fn get(&self, path: &str) -> Result<Answer, Failure> {
        let url = self.base.join(path);
        let url = url.map_err(|error| Failure::Other(error.to_string()))?;
        let label = String::new();
        let request = Request::default().to(&Question { url, label })?;
        let io = |error: std::io::Error| failed(&error);
        let stream = dial::first(&self.endpoint.addresses).await.map_err(io)?;
        stream.set_nodelay(true).map_err(io)?;
        match &self.endpoint.tls {
            None => send(stream, request).await,
            Some(tls) => {
                let stream = tls.http1.connect(tls.name.clone(), stream).await;
                send(stream.map_err(io)?, request).await
            }
        }
    }
}

/// What a status other than 200 means.
fn refusal(status: StatusCode) -> Option<Refusal> {
    match status {
        StatusCode::OK => None,
        StatusCode::FORBIDDEN => Some(Refusal::Forbidden),
        StatusCode::SERVICE_UNAVAILABLE => Some(Refusal::Busy),
        status if status.is_redirection() => Some(Refusal::Redirects),
        _ => Some(Refusal::Other),
    }
}

enum Refusal {
    Forbidden,
    Busy,
    Redirects,
    Other,
}

impl Refusal {
    /// The error for this answer.
    async fn of(self, mut answer: Answer, path: &str, console: &Console) -> BadConsole {
        let (url, status) = (console.given.clone(), answer.response.status());
        let to = answer.response.headers().get(LOCATION);
        let to = to.map(|to| clean(&String::from_utf8_lossy(to.as_bytes())));
        let problem = answer.problem().await;
        match (self, problem, to) {
            (Self::Forbidden, Some(why), _) => BadConsole::Refused { url, why },
            (Self::Busy, Some(why), _) => BadConsole::Busy { url, why },
            (Self::Redirects, _, Some(to)) => BadConsole::Redirects {
                url,
                status: status.as_u16(),
                to,
            },
            _ => console.no_console(format!("/{path} is answered with the status {status}")),
        }
    }
}

impl Answer {
    /// The next part of the body, `None` at its end.
    pub(super) async fn part(&mut self) -> Option<Result<Bytes, Failure>> {
        loop {
            let frame = self.response.frame().await?;
            match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(data)) => return Some(Ok(data)),
                // Trailers.
                Ok(Err(_)) => {}
                Err(error) => return Some(Err(cut_off_if(true, broken_off(&error)))),
            }
        }
    }

    /// The body's beginning: at most so many bytes, and no more if it breaks off.
    async fn beginning(&mut self, most: usize) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(Ok(part)) = self.part().await {
            text.extend_from_slice(&part[..part.len().min(most - text.len())]);
            if text.len() == most {
                break;
            }
        }
        text
    }

    /// Whether it may be a console's answer for `/state`.
    fn is_state(&self) -> bool {
        let kind = self.content_type().unwrap_or_default();
        self.response.status() == StatusCode::OK && kind.starts_with("application/json")
    }

    fn content_type(&self) -> Option<String> {
        let kind = self.response.headers().get(CONTENT_TYPE)?;
        Some(clean(&String::from_utf8_lossy(kind.as_bytes())).to_ascii_lowercase())
    }

    /// What a console says about its refusal. `None` if it is not a console that says it.
    async fn problem(&mut self) -> Option<String> {
        #[derive(Deserialize)]
        struct Problem {
            #[serde(rename = "type")]
            kind: String,
            detail: String,
        }
        let kind = self.content_type()?;
        if !kind.starts_with("application/problem+json") {
            return None;
        }
        let text = timeout(Duration::from_secs(1), self.beginning(MOST_OF_ERROR)).await;
        let problem: Problem = serde_json::from_slice(&text.ok()?).ok()?;
        let is_ours = problem.kind.starts_with("urn:holdup:problem:");
        is_ours.then(|| clean(&problem.detail))
    }
}

fn unread(url: String, why: Failure) -> BadConsole {
    match why {
        Failure::Other(why) if tls::is_about_trust(&why) => BadConsole::Unverified { url, why },
        why => BadConsole::Unreachable { url, why },
    }
}

/// The URL below which the paths of a console are, given its own URL or that of one of its pages.
fn base(url: &Url) -> Url {
    let mut base = url.clone();
    base.set_query(None);
    let path = url.path().trim_end_matches('/');
    let pages = [
        "/events",
        "/state",
        "/requests",
        "/waits",
        "/metrics",
        "/healthz",
        "/trace.json",
    ];
    let page = pages.iter().find_map(|page| path.strip_suffix(page));
    base.set_path(&format!("{}/", page.unwrap_or(path)));
    base
}

async fn send<S>(stream: S, request: Message) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| broken_off(&error);
    let handshake = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD as usize)
        .max_buf_size(MAX_BUFFER)
        .handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(broken)?;
    let connection = tokio::spawn(async move {
        // The answer gets the connection's error as well.
        connection.await.ok();
    });
    let connection = Connection(connection);
    let response = sender.send_request(request).await.map_err(broken)?;
    Ok(Answer {
        response,
        _connection: connection,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_a_console_are_below_its_url() {
        for (given, events) in [
            ("http://localhost:8081", "http://localhost:8081/events"),
            ("http://localhost:8081/", "http://localhost:8081/events"),
            ("http://localhost:8081/?a=b", "http://localhost:8081/events"),
            (
                "http://localhost:8081/events",
                "http://localhost:8081/events",
            ),
            (
                "http://localhost:8081/state/",
                "http://localhost:8081/events",
            ),
            ("https://h/console", "https://h/console/events"),
            ("https://h/console/", "https://h/console/events"),
            ("https://h/console/events?x", "https://h/console/events"),
            ("https://h/my%20app/events", "https://h/my%20app/events"),
        ] {
            let target = Target::parse(given).expect("a URL");
            let url = base(target.parsed()).join("events").expect("a URL");
            assert_eq!(url.as_str(), events, "{given}");
        }
    }
}
