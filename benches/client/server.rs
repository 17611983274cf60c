//! A server that notes when it sends each chunk.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime;
use tokio::time::sleep_until;

/// How many chunks an answer has, and the time from one to the next.
const CHUNKS: u32 = 10;
const PERIOD: Duration = Duration::from_millis(100);

/// The head of each answer.
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\
                      Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";

/// Longer than the head of any request here.
const HEAD: usize = 4096;

/// Connections that wait to be accepted: more than any run opens.
const BACKLOG: u32 = 16_384;

/// What the server did for a request.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    /// When it had received the request.
    pub(crate) asked: Instant,
    /// When it sent each chunk: just before the system call.
    pub(crate) sent: Vec<Instant>,
}

/// A server on a thread of its own, which ends with the process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) started: Instant,
    streams: Arc<Mutex<HashMap<String, Stream>>>,
}

impl Server {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let streams = Arc::new(Mutex::default());
        let listener = runtime.block_on(async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(([127, 0, 0, 1], 0).into())?;
            socket.listen(BACKLOG)
        })?;
        let address = listener.local_addr()?;
        let noted = Arc::clone(&streams);
        thread::spawn(move || {
            runtime.block_on(async {
                while let Ok((connection, _)) = listener.accept().await {
                    let noted = Arc::clone(&noted);
                    tokio::spawn(async move {
                        // A client that leaves shows in the report: chunks are missing.
                        let _ = answer(connection, &noted).await;
                    });
                }
            });
        });
        Ok(Self {
            address,
            started: Instant::now(),
            streams,
        })
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) {
        lock(&self.streams).clear();
    }

    /// What it did for the request with this path and query.
    pub(crate) fn stream(&self, path: &str) -> Option<Stream> {
        lock(&self.streams).get(path).cloned()
    }
}

fn lock(streams: &Mutex<HashMap<String, Stream>>) -> MutexGuard<'_, HashMap<String, Stream>> {
    streams.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    mut connection: TcpStream,
    noted: &Mutex<HashMap<String, Stream>>,
) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut head = Vec::with_capacity(HEAD);
    while !head.ends_with(b"\r\n\r\n") {
        if connection.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let asked = Instant::now();
    let path = String::from_utf8_lossy(&head);
    let path = path.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut sent = Vec::with_capacity(CHUNKS as usize);
    for number in 0..CHUNKS {
        sleep_until((asked + PERIOD * number).into()).await;
        let head = if number == 0 { ANSWER } else { "" };
        let end = if number + 1 == CHUNKS {
            "0\r\n\r\n"
        } else {
            ""
        };
        let text = format!("{head}a\r\nchunk {number:>3}\n\r\n{end}");
        sent.push(Instant::now());
        connection.write_all(text.as_bytes()).await?;
    }
    lock(noted).insert(path, Stream { asked, sent });
    connection.shutdown().await
}
