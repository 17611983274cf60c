//! A client that records when each chunk arrived, which browsers and curl do not show.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use serde_json::Value;

use crate::PATIENCE;

/// A response whose head was read. Its chunks follow.
pub struct Reply {
    pub status: u16,
    pub headers: HashMap<String, String>,
    from: BufReader<TcpStream>,
}

/// A tick, and when it arrived.
#[derive(Debug)]
pub struct Tick {
    pub at: Instant,
    pub json: Value,
}

impl Tick {
    pub fn remaining(&self) -> u64 {
        self.json["remaining"]
            .as_u64()
            .expect("a tick has `remaining`")
    }
}

/// Connects and sends a plain GET.
pub fn get(address: SocketAddr, path: &str) -> Reply {
    send(
        address,
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes(),
    )
    .expect("an answer")
}

/// Connects, sends these bytes, and reads the head of the answer.
pub fn send(address: SocketAddr, request: &[u8]) -> io::Result<Reply> {
    let mut connection = connect(address);
    connection.write_all(request)?;
    Reply::read(connection)
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).expect("the server accepts");
    connection
        .set_read_timeout(Some(PATIENCE))
        .expect("a valid time-out");
    connection
}

impl Reply {
    pub fn read(connection: TcpStream) -> io::Result<Self> {
        let mut from = BufReader::new(connection);
        let status_line = line(&mut from)?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("not HTTP: {status_line}")))?;
        let mut headers = HashMap::new();
        loop {
            let header = line(&mut from)?;
            let Some((name, value)) = header.split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        Ok(Self {
            status,
            headers,
            from,
        })
    }

    /// The next chunk, or `None` at the proper end of the body.
    pub fn chunk(&mut self) -> io::Result<Option<String>> {
        let size = line(&mut self.from)?;
        let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        self.from.read_exact(&mut chunk)?;
        chunk.truncate(size);
        let text = String::from_utf8(chunk).map_err(io::Error::other)?;
        Ok((size > 0).then_some(text))
    }

    /// The next tick of an ndjson stream, or `None` at its proper end.
    pub fn tick(&mut self) -> Option<Tick> {
        let chunk = self.chunk().expect("a chunk or a proper end")?;
        let at = Instant::now();
        assert!(
            chunk.ends_with('\n') && chunk.lines().count() == 1,
            "a line a chunk: {chunk:?}"
        );
        let json = serde_json::from_str(&chunk).expect("JSON");
        Some(Tick { at, json })
    }

    /// All remaining ticks, up to the proper end of the stream.
    pub fn ticks(mut self) -> Vec<Tick> {
        std::iter::from_fn(move || self.tick()).collect()
    }

    /// The body of a response with a `Content-Length`.
    pub fn body(mut self) -> String {
        let length = self.headers["content-length"].parse().expect("a length");
        let mut body = vec![0; length];
        self.from.read_exact(&mut body).expect("as long as it says");
        String::from_utf8(body).expect("UTF-8")
    }

    /// The rest of a body, chunked or not.
    pub fn rest(mut self) -> String {
        if self.headers.contains_key("content-length") {
            return self.body();
        }
        std::iter::from_fn(|| self.chunk().expect("a chunk or a proper end")).collect()
    }

    /// Whether the server closes the connection without another byte.
    pub fn closes(mut self) -> bool {
        let mut rest = Vec::new();
        self.from.read_to_end(&mut rest).is_ok() && rest.is_empty()
    }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("cut off: {line:?}"),
        )),
    }
}
