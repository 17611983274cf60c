//! The countdown with the least possible code between it and the kernel: one thread, epoll, a heap
//! of due times, and one `write` for each tick. `holdup-peer-floor PORT`
//!
//! It does less than a real server: it reads only the query of a request, never waits to write (a
//! client that does not read for too long is disconnected), and sends the head with the first tick
//! and the end with the last, each pair in one `write`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

const LISTENER: u64 = u64::MAX;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\
                    Transfer-Encoding: chunked\r\nX-Content-Type-Options: nosniff\r\n\
                    X-Accel-Buffering: no\r\nCache-Control: no-store, no-transform\r\n\r\n";

struct Stream {
    socket: TcpStream,
    number: u64,
    first: Instant,
    period: Duration,
    from: u32,
    /// The tick that is due next.
    k: u32,
}

/// A due time for the stream at an index. The stream's number is included because the index may
/// belong to another stream by then.
type Due = Reverse<(Instant, usize, u64)>;

#[derive(Default)]
struct Server {
    /// The streams, by file descriptor.
    streams: Vec<Option<Stream>>,
    due: BinaryHeap<Due>,
    started: u64,
    chunk: Vec<u8>,
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    let port: u16 = port.expect("the port is the first argument");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    // `listen` is called again, for a longer queue than the standard library's.
    rustix::net::listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);

    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    let listening = EventData::new_u64(LISTENER);
    epoll::add(&poll, &listener, listening, EventFlags::IN)?;
    let mut server = Server::default();
    let mut events = Vec::with_capacity(1024);
    loop {
        let pause = server.pause().map(|it| it.try_into().expect("short"));
        epoll::wait(&poll, spare_capacity(&mut events), pause.as_ref())?;
        for event in events.drain(..) {
            match event.data.u64() {
                LISTENER => {
                    while let Ok((socket, _)) = listener.accept() {
                        socket.set_nonblocking(true)?;
                        let index = socket.as_raw_fd() as u64;
                        epoll::add(&poll, &socket, EventData::new_u64(index), EventFlags::IN)?;
                        server.accept(socket);
                    }
                }
                index => server.read(index as usize),
            }
        }
        server.tick();
    }
}

impl Server {
    /// The time until the next tick is due, in whole milliseconds, the resolution of the other
    /// servers' timers.
    fn pause(&self) -> Option<Duration> {
        let Reverse((at, ..)) = self.due.peek()?;
        let us = at.saturating_duration_since(Instant::now()).as_micros();
        Some(Duration::from_millis(us.div_ceil(1000) as u64))
    }

    fn accept(&mut self, socket: TcpStream) {
        let index = socket.as_raw_fd() as usize;
        if self.streams.len() <= index {
            self.streams.resize_with(index + 1, || None);
        }
        self.started += 1;
        self.streams[index] = Some(Stream {
            socket,
            number: self.started,
            first: Instant::now(),
            period: Duration::ZERO,
            from: 0,
            k: 0,
        });
    }

    /// Reads a request, which must arrive in one piece, or the client's end of the connection.
    fn read(&mut self, index: usize) {
        let Some(stream) = &mut self.streams[index] else {
            return;
        };
        let mut request = [0; 1024];
        let count = match stream.socket.read(&mut request) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Ok(count) if count > 0 => count,
            _ => return self.streams[index] = None,
        };
        let Some((from, period)) = query(&request[..count]) else {
            return self.streams[index] = None;
        };
        (stream.from, stream.period, stream.k) = (from, period, 0);
        stream.first = Instant::now();
        self.due.push(Reverse((stream.first, index, stream.number)));
    }

    /// Sends every tick that is due.
    fn tick(&mut self) {
        let now = Instant::now();
        while let Some(&Reverse((at, index, number))) = self.due.peek() {
            if at > now {
                return;
            }
            self.due.pop();
            let this = self.streams[index].as_mut();
            let Some(stream) = this.filter(|stream| stream.number == number) else {
                continue;
            };
            stream.chunk(&mut self.chunk);
            let written = stream.socket.write(&self.chunk).ok();
            if written != Some(self.chunk.len()) {
                self.streams[index] = None;
                continue;
            }
            stream.k += 1;
            if stream.k <= stream.from {
                let at = stream.first + stream.period * stream.k;
                self.due.push(Reverse((at, index, number)));
            }
        }
    }
}

impl Stream {
    fn chunk(&self, to: &mut Vec<u8>) {
        let Self {
            number, from, k, ..
        } = self;
        let elapsed = self.first.elapsed();
        let late = elapsed.saturating_sub(self.period * *k);
        let tenths = |duration: Duration| {
            let tenths = (duration.as_micros() + 50) / 100;
            (tenths / 10, tenths % 10)
        };
        let ((elapsed, elapsed_tenths), (late, late_tenths)) = (tenths(elapsed), tenths(late));
        let remaining = from - k;

        to.clear();
        if *k == 0 {
            to.extend_from_slice(HEAD.as_bytes());
        }
        // The chunk's size has two hexadecimal digits, because a line has 96 to 130 bytes.
        let size = to.len();
        to.extend_from_slice(b"00\r\n");
        let written = writeln!(
            to,
            "{{\"remaining\":{remaining},\"handler\":\"coroutine\",\"stream\":{number},\"worker\":0,\
             \"elapsed_ms\":{elapsed}.{elapsed_tenths},\"late_ms\":{late}.{late_tenths}}}",
        );
        written.expect("writing to a Vec does not fail");
        let len = to.len() - size - 4;
        to[size] = b"0123456789abcdef"[len >> 4 & 15];
        to[size + 1] = b"0123456789abcdef"[len & 15];
        to.extend_from_slice(if remaining == 0 {
            b"\r\n0\r\n\r\n"
        } else {
            b"\r\n"
        });
    }
}

/// `from` and `period` in the first line of a request.
fn query(request: &[u8]) -> Option<(u32, Duration)> {
    let line = std::str::from_utf8(request).ok()?.lines().next()?;
    let query = line
        .strip_prefix("GET /coroutine?from=")?
        .strip_suffix(" HTTP/1.1")?;
    let (from, period) = query.split_once("&period=")?;
    let period = match period.strip_suffix("ms") {
        Some(ms) => Duration::from_millis(ms.parse().ok()?),
        None => Duration::from_secs(period.strip_suffix('s')?.parse().ok()?),
    };
    Some((from.parse().ok()?, period))
}
