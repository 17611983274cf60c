//! Connections to an app that has several workers.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::PATIENCE;
use crate::client::{Reply, connect};

/// A connection, and the number of the worker that serves it.
pub struct Connection {
    pub worker: usize,
    stream: TcpStream,
}

impl Connection {
    /// Opens a connection to each worker, and returns them ordered by worker. `/number` has to
    /// answer with the number of its worker.
    pub fn to_each(address: SocketAddr, workers: usize) -> Vec<Self> {
        let deadline = Instant::now() + PATIENCE;
        let mut found = BTreeMap::new();
        while found.len() < workers {
            assert!(Instant::now() < deadline, "{:?}", found.keys());
            // actix assigns new connections to the workers in rotation.
            let mut stream = connect(address);
            let worker = ask(&mut stream, "/number").parse().expect("a number");
            found.entry(worker).or_insert(stream);
        }
        let found = found.into_iter();
        found
            .map(|(worker, stream)| Self { worker, stream })
            .collect()
    }

    pub fn get(&mut self, path: &str) -> String {
        ask(&mut self.stream, path)
    }
}

/// Sends a GET request on a connection that stays open.
fn ask(stream: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let same = stream.try_clone().expect("a descriptor");
    let reply = Reply::read(same).expect("an answer");
    assert_eq!(reply.status, 200, "{path}");
    reply.body()
}
