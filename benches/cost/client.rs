//! The load: one thread that keeps a server's connections busy for a fraction of a second.
//!
//! Tools such as `wrk` measure whole seconds, in which the machine changes its speed.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
const ANSWERED: &[u8] = b"HTTP/1.1 200 OK\r\n";
/// What all apps answer.
pub(crate) const BODY: &str = "done";

/// An answer is shorter.
const MOST_BYTES: usize = 1024;

/// No answer takes so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// The connections to one server. They stay open.
pub(crate) struct Client {
    poll: OwnedFd,
    connections: Vec<Connection>,
    events: Vec<Event>,
}

#[derive(Debug)]
struct Connection {
    socket: TcpStream,
    answer: Vec<u8>,
}

/// What one load came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) requests: u32,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
}

impl Client {
    /// Connects so many times.
    ///
    /// # Errors
    ///
    /// If the server does not listen at `address`.
    pub(crate) fn connect(address: SocketAddr, connections: usize) -> io::Result<Self> {
        let poll = epoll::create(CreateFlags::CLOEXEC)?;
        let connections = (0..connections).map(|index| {
            let socket = TcpStream::connect(address)?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            let data = EventData::new_u64(index as u64);
            epoll::add(&poll, &socket, data, EventFlags::IN)?;
            Ok(Connection {
                socket,
                answer: Vec::with_capacity(MOST_BYTES),
            })
        });
        Ok(Self {
            connections: connections.collect::<io::Result<_>>()?,
            poll,
            events: Vec::with_capacity(64),
        })
    }

    /// Sends a request on each connection, and another one after each answer until `length` is over.
    /// Then it waits for the answers that are still to come.
    ///
    /// # Errors
    ///
    /// If a connection fails, or an answer is not what all apps answer: a figure with failed requests in
    /// it means nothing.
    pub(crate) fn load(&mut self, length: Duration) -> Result<Answered, Box<dyn Error>> {
        let began = Instant::now();
        for connection in &mut self.connections {
            connection.ask()?;
        }
        let (mut requests, mut open) = (0, self.connections.len());
        let patience = PATIENCE.try_into()?;
        while open > 0 {
            epoll::wait(
                &self.poll,
                spare_capacity(&mut self.events),
                Some(&patience),
            )?;
            if self.events.is_empty() {
                return Err(format!("no answer for {PATIENCE:?}").into());
            }
            for event in self.events.drain(..) {
                let index = usize::try_from(event.data.u64())?;
                let connection = &mut self.connections[index];
                if !connection.read()? {
                    continue;
                }
                requests += 1;
                if began.elapsed() < length {
                    connection.ask()?;
                } else {
                    open -= 1;
                }
            }
        }
        Ok(Answered {
            requests,
            took: began.elapsed(),
        })
    }
}

impl Connection {
    fn ask(&mut self) -> Result<(), Box<dyn Error>> {
        // The buffer of a socket without anything to send has room for a request.
        self.socket.write_all(REQUEST)?;
        Ok(())
    }

    /// Reads what is there, and says whether the answer is complete.
    fn read(&mut self) -> Result<bool, Box<dyn Error>> {
        let mut piece = [0; MOST_BYTES];
        let count = self.socket.read(&mut piece)?;
        if count == 0 {
            return Err("a server closed a connection".into());
        }
        self.answer.extend_from_slice(&piece[..count]);
        if !self.answer.ends_with(BODY.as_bytes()) && self.answer.len() < MOST_BYTES {
            return Ok(false);
        }
        if !self.answer.starts_with(ANSWERED) || self.answer.len() >= MOST_BYTES {
            let answer = String::from_utf8_lossy(&self.answer);
            return Err(format!("a server answered {answer:?}").into());
        }
        self.answer.clear();
        Ok(true)
    }
}
