//! One connection, and what is asked on it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt as _};
use hyper::body::Bytes;
use tokio::task::unconstrained;
use tokio::time;

use super::super::connection::{self, Client, LaneRecorder, Link, Terms};
use super::super::event::{Event, Observer};
use super::super::inlets::{Inlets, Readers};
use super::super::place::Place;
use super::super::reading::Head;
use super::super::request::Message;
use super::id::{AnswerId, MOST_OF_BODY};
use holdup_model::{Failure, HumanDuration, Lane, Timeline};
use holdup_verdict::Heard;

/// How often the number of connections so far is published.
const BEAT: Duration = Duration::from_millis(100);

/// Opens connections to one place.
#[derive(Clone, Copy)]
pub(super) struct Visitor<'a> {
    pub(super) place: &'a Place,
    pub(super) terms: Terms,
    pub(super) client: Client<'a>,
}

/// An answer that came to its end.
pub(super) struct Ended {
    pub(super) head: Head,
    /// As much of the body as was wanted.
    body: Vec<u8>,
}

impl Ended {
    /// Who gave it.
    pub(super) fn heard(&self, id: &AnswerId) -> Heard {
        id.of(self.head.status.as_u16(), &self.head.headers, &self.body)
    }
}

impl Visitor<'_> {
    /// Sends one request on a fresh connection, which is closed when the answer ends.
    pub(super) async fn once(self, name: String, with_body: bool) -> Result<Ended, Failure> {
        let message = self.message(&name)?;
        let visit = async {
            let mut link = self.connect().await?;
            self.exchange(&mut link, message, with_body).await
        };
        self.in_time(visit).await
    }

    /// The message of this name.
    pub(super) fn message(self, name: &str) -> Result<Message, Failure> {
        self.place.message(&self.place.question(name), false)
    }

    /// Opens a connection.
    pub(super) async fn connect(self) -> Result<Link, Failure> {
        let lanes = uncounted();
        let recorder = self.recorder(&lanes);
        let opened = connection::open(&self.place.endpoint, recorder).await?;
        Link::on(opened, recorder).await
    }

    /// Sends a message, and reads the answer to its end, with its body if it is wanted.
    pub(super) async fn exchange(
        self,
        link: &mut Link,
        message: Message,
        with_body: bool,
    ) -> Result<Ended, Failure> {
        let mut body = Vec::new();
        let mut show = |part: &Bytes| {
            // What comes after one byte too many is not needed.
            if with_body && body.len() <= MOST_OF_BODY {
                let room = MOST_OF_BODY + 1 - body.len();
                body.extend_from_slice(&part[..part.len().min(room)]);
            }
        };
        let lanes = uncounted();
        let recorder = self.recorder(&lanes);
        let end = self.terms.end;
        let head = link.exchange_showing(message, end, recorder, &mut show);
        let head = head.await?;
        Ok(Ended { head, body })
    }

    /// What `work` returns, unless it takes too long.
    pub(super) async fn in_time<T>(
        self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let longest = self.terms.timeout;
        let done = time::timeout(longest, work).await;
        done.unwrap_or_else(|_| {
            let longest = HumanDuration(longest);
            Err(Failure::Other(format!("no end within {longest}")))
        })
    }

    fn recorder<'b>(&'b self, lanes: &'b Mutex<Timeline>) -> LaneRecorder<'b> {
        LaneRecorder {
            timeline: lanes,
            place: 0,
            client: self.client,
        }
    }
}

/// A lane that nobody looks at: what comes of a connection is only counted.
fn uncounted() -> Mutex<Timeline> {
    Mutex::new(Timeline::from(vec![Lane::start("", Duration::ZERO)]))
}

/// Reads all connections while the work goes on.
pub(super) async fn driven<T>(inlets: &Inlets, work: impl Future<Output = T>) -> T {
    let mut readers = Readers::default();
    unconstrained(async {
        tokio::select! {
            biased;
            never = inlets.go_on(&mut readers) => match never {},
            done = work => done,
        }
    })
    .await
}

/// Takes what comes of so many connections, and publishes how many there were so far.
pub(super) async fn counted<T>(
    of: usize,
    visits: impl Stream<Item = T>,
    observe: &mut Observer<'_>,
    mut take: impl FnMut(T),
) {
    let mut visits = std::pin::pin!(visits);
    let mut published: Option<Instant> = None;
    let mut done = 0;
    while let Some(one) = visits.next().await {
        take(one);
        done += 1;
        if published.is_none_or(|at| at.elapsed() >= BEAT) {
            published = Some(Instant::now());
            observe(Event::Connections { done, of });
        }
    }
}
