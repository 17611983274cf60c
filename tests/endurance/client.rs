//! Clients that come and go in various ways, and check every tick that they read.

use holdup_testkit::PATIENCE;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// What a client does with its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Reads the stream to its end.
    Finish,
    /// Closes after a few ticks.
    Abandon,
    /// Resets the connection after a few ticks.
    Reset,
    /// Does not read for a while, then reads the stream to its end.
    StopReading,
    /// Closes its sending side, which the lab treats as leaving.
    HalfClose,
    /// Reads the stream to its end, and sends an invalid request on the same connection.
    Garbage,
}

/// The counts of all clients.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) finished: AtomicU64,
    pub(crate) left: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) ticks: AtomicU64,
    /// Connections that broke while the server was stopping or stopped, which is not a fault.
    pub(crate) broken: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Tally {
    pub(crate) fn wrong(&self) -> Vec<String> {
        self.wrong.lock().expect("no client panics").clone()
    }

    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn said(&self) -> String {
        let mut text = String::new();
        for (name, counter) in [
            ("finished", &self.finished),
            ("left", &self.left),
            ("refused", &self.refused),
            ("broken", &self.broken),
            ("ticks", &self.ticks),
        ] {
            write!(text, "{} {name}, ", counter.load(Ordering::Relaxed)).expect("text");
        }
        write!(text, "{} wrong", self.wrong().len()).expect("text");
        text
    }
}

/// Pseudo-random numbers, the same in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn way(&mut self) -> Way {
        match self.below(100) {
            0..70 => Way::Finish,
            70..80 => Way::Abandon,
            80..87 => Way::Reset,
            87..92 => Way::StopReading,
            92..96 => Way::HalfClose,
            _ => Way::Garbage,
        }
    }
}

/// Requests one countdown after another until `until`.
pub(crate) async fn come_and_go(server: SocketAddr, seed: u64, until: Instant, tally: &Tally) {
    let mut dice = Dice::new(seed + 1);
    // The clients do not all start at the same moment.
    sleep(Duration::from_millis(dice.below(3000))).await;
    while Instant::now() < until {
        let way = dice.way();
        let handler = match dice.below(10) {
            0..6 => "coroutine",
            6..9 => "callback",
            _ => "threadpool",
        };
        let from = 1 + dice.below(12);
        let path = format!("/{handler}?from={from}&period=500ms&x={seed}");
        match one(server, &mut dice, way, &path, from, tally).await {
            Ok(Ended::Finished) => Tally::count(&tally.finished),
            Ok(Ended::Left) => Tally::count(&tally.left),
            Ok(Ended::Refused) => {
                Tally::count(&tally.refused);
                sleep(Duration::from_secs(1)).await;
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let mut wrong = tally.wrong.lock().expect("no client panics");
                wrong.push(format!("{way:?} {path}: {error}"));
            }
            Err(_) => {
                Tally::count(&tally.broken);
                sleep(Duration::from_millis(500)).await;
            }
        }
    }
}

enum Ended {
    Finished,
    Left,
    Refused,
}

fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// Runs one stream. An error of the kind `InvalidData` is the server's fault.
async fn one(
    server: SocketAddr,
    dice: &mut Dice,
    way: Way,
    path: &str,
    from: u64,
    tally: &Tally,
) -> io::Result<Ended> {
    // Each client has its own source address. Otherwise closed connections, which keep their ports
    // for a minute, would use up all ports.
    let part = |dice: &mut Dice| u8::try_from(1 + dice.below(250)).expect("small");
    let source = Ipv4Addr::new(127, part(dice), part(dice), part(dice));
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    let mut stream = Countdown {
        stream: socket.connect(server).await?,
        buffer: Vec::new(),
        expected: from,
        ended: false,
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: l\r\n\r\n");
    stream.stream.write_all(request.as_bytes()).await?;
    if stream.head().await? == 503 {
        return Ok(Ended::Refused);
    }
    if way == Way::StopReading {
        sleep(Duration::from_secs(1 + dice.below(10))).await;
    }
    let few = from.saturating_sub(dice.below(3));
    while let Some(remaining) = stream.tick().await? {
        Tally::count(&tally.ticks);
        let enough = remaining <= few;
        match way {
            Way::Abandon if enough => return Ok(Ended::Left),
            Way::Reset if enough => {
                stream.stream.set_zero_linger()?;
                return Ok(Ended::Left);
            }
            Way::HalfClose if enough => {
                stream.stream.shutdown().await?;
                stream.closes().await?;
                return Ok(Ended::Left);
            }
            _ => {}
        }
    }
    if way == Way::Garbage {
        stream
            .stream
            .write_all(b"\x16\x03 no request\r\n\r\n")
            .await?;
        stream.closes().await?;
    }
    Ok(Ended::Finished)
}

/// A countdown that is being read.
struct Countdown {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The number that the next tick must have.
    expected: u64,
    ended: bool,
}

impl Countdown {
    async fn more(&mut self) -> io::Result<()> {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        match read.map_err(|_| wrong("nothing came for a minute"))?? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Reads the head, and returns the status.
    async fn head(&mut self) -> io::Result<u16> {
        let end = loop {
            match self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end,
                None => self.more().await?,
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
        match status {
            Some(status @ (200 | 503)) => Ok(status),
            _ => Err(wrong(format!("the answer is {head:?}"))),
        }
    }

    /// The next tick, which must have the expected number, or `None` at the proper end.
    async fn tick(&mut self) -> io::Result<Option<u64>> {
        loop {
            if let Some(chunk) = self.chunk()? {
                if chunk.is_empty() {
                    if self.ended {
                        return Ok(None);
                    }
                    return Err(wrong(format!("it ended before tick {}", self.expected)));
                }
                let start = format!("{{\"remaining\":{},", self.expected);
                if self.ended || !chunk.starts_with(start.as_bytes()) {
                    let chunk = String::from_utf8_lossy(&chunk).into_owned();
                    return Err(wrong(format!("not tick {}: {chunk:?}", self.expected)));
                }
                let remaining = self.expected;
                self.ended = remaining == 0;
                self.expected = remaining.saturating_sub(1);
                return Ok(Some(remaining));
            }
            self.more().await?;
        }
    }

    /// A complete chunk, if there is one.
    fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(line) = self.buffer.windows(2).position(|two| two == b"\r\n") else {
            return Ok(None);
        };
        let size = std::str::from_utf8(&self.buffer[..line]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or_else(|| wrong("no chunk's size"))?;
        let end = line + 2 + size + 2;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let chunk = self.buffer[line + 2..end - 2].to_vec();
        self.buffer.drain(..end);
        Ok(Some(chunk))
    }

    /// Reads until the server closes the connection. A reset also counts as closing.
    async fn closes(&mut self) -> io::Result<()> {
        loop {
            match self.more().await {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
                Err(_) => return Ok(()),
                Ok(()) => self.buffer.clear(),
            }
        }
    }
}
