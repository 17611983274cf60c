//! A server that sends exactly the bytes that a test wants, with a thread for each connection.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::PATIENCE;

/// Serves until the tests end. `answer` is called for each connection once the request's head is
/// read, with the connection's number, counted from 0. The connection closes when it returns.
pub fn serve(answer: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> SocketAddr {
    serve_heads(move |stream, number, _| answer(stream, number))
}

/// The same, with the path that was asked for.
pub fn serve_paths(answer: impl Fn(TcpStream, &str) + Send + Sync + 'static) -> SocketAddr {
    serve_heads(move |stream, _, head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        answer(stream, path);
    })
}

fn serve_heads(answer: impl Fn(TcpStream, usize, &str) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                stream
                    .set_read_timeout(Some(PATIENCE))
                    .expect("a valid time-out");
                let head = BufReader::new(&stream);
                let lines = head.lines().map_while(Result::ok);
                let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                if let Some(first) = head.first() {
                    answer(stream, number, first);
                }
            });
        }
    });
    address
}

/// Writes all bytes, and ignores a client that has left.
pub fn write(mut stream: &TcpStream, bytes: impl AsRef<[u8]>) -> bool {
    stream.write_all(bytes.as_ref()).is_ok()
}
