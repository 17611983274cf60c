//! Clients that read their answers, and clients that leave before.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use holdup_testkit::client::connect;
use rustix::net::sockopt::set_socket_linger;

const CLIENTS: usize = 12;

/// What is asked, and how the answer begins and ends; `None` if the client leaves without it.
const KINDS: [(&str, Option<(&str, &str)>); 11] = [
    ("/served", Some(("HTTP/1.1 200", "served"))),
    ("/inner/served", Some(("HTTP/1.1 200", "served"))),
    ("/locked", Some(("HTTP/1.1 200", "locked"))),
    ("/joined", Some(("HTTP/1.1 200", "joined"))),
    ("/late", Some(("HTTP/1.1 504", "late"))),
    ("/streams", Some(("HTTP/1.1 200", "0\r\n\r\n"))),
    ("/never?drop", Some(("HTTP/1.1 504", "dropped"))),
    // Its connection ends with it.
    ("/panics", Some(("", ""))),
    ("/served", None),
    ("/never", None),
    ("/forever", None),
];

/// How many requests of each kind there were.
#[derive(Debug, Default)]
pub(crate) struct Answers([AtomicU64; KINDS.len()]);

impl Answers {
    pub(crate) fn all_kinds_happened(&self) -> bool {
        self.0.iter().all(|count| count.load(Ordering::Relaxed) > 0)
    }
}

pub(crate) struct Clients {
    is_over: Arc<AtomicBool>,
    answers: Arc<Answers>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let is_over: Arc<AtomicBool> = Arc::default();
        let answers: Arc<Answers> = Arc::default();
        let client = |number: usize| {
            let is_over = Arc::clone(&is_over);
            let answers = Arc::clone(&answers);
            thread::spawn(move || {
                let mut kept = None;
                let mut kind = number;
                while !is_over.load(Ordering::Relaxed) {
                    ask(address, &mut kept, KINDS[kind]);
                    answers.0[kind].fetch_add(1, Ordering::Relaxed);
                    kind = (kind + 1) % KINDS.len();
                }
            })
        };
        let threads = (0..CLIENTS)
            .map(|number| client(number % KINDS.len()))
            .collect();
        Self {
            is_over,
            answers,
            threads,
        }
    }

    /// Waits for all answers. Panics if one does not come.
    pub(crate) fn stop(self) -> Arc<Answers> {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("each answer came");
        }
        self.answers
    }
}

fn ask(address: SocketAddr, kept: &mut Option<TcpStream>, kind: (&str, Option<(&str, &str)>)) {
    let mut connection = kept.take().unwrap_or_else(|| connect(address));
    let (path, expected) = kind;
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
    connection
        .write_all(request.as_bytes())
        .expect("the server reads");
    let Some((begin, end)) = expected else {
        thread::yield_now();
        // A reset, which actix takes for the end. After a mere close it would answer first.
        set_socket_linger(&connection, Some(Duration::ZERO)).expect("a socket");
        return;
    };
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    while end.is_empty() || !answer.ends_with(end.as_bytes()) {
        match connection.read(&mut part) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&part[..length]),
            Err(error) if end.is_empty() => {
                assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "{path}");
                break;
            }
            Err(error) => panic!("no answer to {path}: {error}"),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.starts_with(begin) && answer.ends_with(end),
        "{path}: {answer:?}"
    );
    if !end.is_empty() {
        *kept = Some(connection);
    }
}
