//! One stream: connects, sends the request, and records when each tick arrives.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::chunks::{self, Chunk};
use crate::target::Target;

/// The most connections that are opened at a time. The server's accept queue is bounded, and a
/// client that finds it full tries again only after a second.
const CONNECTS_IN_FLIGHT: usize = 512;

/// The size of the buffer: enough for the head, or for a dozen ticks that arrive together.
const INPUT: usize = 1024;

/// What all streams of a run share.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) start: Instant,
    deadline: Instant,
    server: SocketAddrV4,
    from: u16,
    request: Arc<str>,
    opening: Arc<Semaphore>,
}

/// The record of one stream. Times are in milliseconds from the start of the run.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// How long the connection took.
    pub(crate) connect_ms: Option<f64>,
    /// The ticks: `from`, `from` − 1, … without a gap.
    pub(crate) ticks: Vec<Arrival>,
    pub(crate) ended_ms: f64,
    /// Why the stream failed. `None` when it was completed: 0 remaining, then the zero chunk.
    pub(crate) fault: Option<Fault>,
}

/// The arrival of one tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) at_ms: f64,
    /// The value of `late_ms` in its line.
    pub(crate) server_late_ms: f64,
}

/// Why a stream was not completed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("refused with 503")]
    Refused,
    #[error("{doing}: {}", source.kind())]
    Io {
        doing: &'static str,
        source: io::Error,
    },
    #[error("closed {0}")]
    Closed(&'static str),
    #[error("status {0}")]
    Status(u16),
    #[error("the head is not that of a streamed ndjson countdown")]
    Head,
    #[error("{0}")]
    Chunk(&'static str),
    #[error("a tick was left out, repeated or added")]
    Order,
    #[error("timed out {0}")]
    TimedOut(&'static str),
}

impl Plan {
    /// The streams of `target`, which are abandoned `timeout` from now.
    pub(crate) fn new(target: &Target, timeout: Duration) -> Self {
        let start = Instant::now();
        Self {
            start,
            deadline: start + timeout,
            server: target.server,
            from: target.from,
            request: target.request().into(),
            opening: Arc::new(Semaphore::new(CONNECTS_IN_FLIGHT)),
        }
    }

    /// Runs one stream until it ends or reaches the deadline.
    pub(crate) async fn observe(&self, source: Ipv4Addr) -> Observed {
        let mut seen = Observed::default();
        let ended = timeout_at(self.deadline, self.follow(source, &mut seen)).await;
        seen.fault = match ended {
            Ok(ended) => ended.err(),
            Err(_) => Some(Fault::TimedOut(seen.stage())),
        };
        seen.ended_ms = self.now_ms();
        seen
    }

    async fn follow(&self, source: Ipv4Addr, seen: &mut Observed) -> Result<(), Fault> {
        let mut connection = self.open(source, seen).await?;
        let mut input = Vec::with_capacity(INPUT);
        let mut in_body = false;
        loop {
            let count = connection
                .read_buf(&mut input)
                .await
                .map_err(|source| Fault::Io {
                    doing: "read",
                    source,
                })?;
            if count == 0 {
                return Err(Fault::Closed(seen.stage()));
            }
            let at_ms = self.now_ms();
            let mut used = 0;
            if !in_body {
                let Some(head) = chunks::head(&input).map_err(|_| Fault::Head)? else {
                    continue;
                };
                match head.status {
                    200 if head.chunked_ndjson => in_body = true,
                    200 => return Err(Fault::Head),
                    503 => return Err(Fault::Refused),
                    other => return Err(Fault::Status(other)),
                }
                used = head.len;
            }
            while let Some(chunk) = chunks::chunk(&input[used..]).map_err(Fault::Chunk)? {
                let due = usize::from(self.from).checked_sub(seen.ticks.len());
                match chunk {
                    Chunk::Tick { len, line } if due == Some(line.remaining.into()) => {
                        used += len;
                        seen.ticks.push(Arrival {
                            at_ms,
                            server_late_ms: line.late_ms,
                        });
                    }
                    // All ticks were received; no further one is due.
                    Chunk::End if due.is_none() => return Ok(()),
                    Chunk::Tick { .. } | Chunk::End => return Err(Fault::Order),
                }
            }
            input.drain(..used);
        }
    }

    /// Connects and sends the request when this stream may open.
    async fn open(&self, source: Ipv4Addr, seen: &mut Observed) -> Result<TcpStream, Fault> {
        let _turn = self.opening.acquire().await;
        let asked = Instant::now();
        let connect = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddrV4::new(source, 0).into())?;
            socket.connect(self.server.into()).await
        };
        let mut connection = connect.await.map_err(|source| Fault::Io {
            doing: "connect",
            source,
        })?;
        seen.connect_ms = Some(ms(asked.elapsed()));
        let sent = connection.write_all(self.request.as_bytes()).await;
        sent.map_err(|source| Fault::Io {
            doing: "write",
            source,
        })?;
        Ok(connection)
    }

    fn now_ms(&self) -> f64 {
        ms(self.start.elapsed())
    }
}

impl Observed {
    fn stage(&self) -> &'static str {
        match (self.connect_ms, self.ticks.is_empty()) {
            (None, _) => "before it was connected",
            (Some(_), true) => "before the first tick",
            (Some(_), false) => "before the last tick",
        }
    }
}

/// A duration in milliseconds.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
