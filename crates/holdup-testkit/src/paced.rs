//! A server that sends many bytes evenly over a given time, to any number of clients at once.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::pause;

/// The interval between writes.
const STEP: Duration = Duration::from_millis(5);

/// Serves until the tests end, with a thread for each connection, so that all run side by side.
pub fn serve(bytes: usize, over: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(stream, bytes, over));
        }
    });
    address
}

/// Writes on a fixed schedule. A late write does not shorten the pauses after it, but a client that
/// does not read delays the writes.
fn answer(mut stream: TcpStream, bytes: usize, over: Duration) {
    let head = BufReader::new(&stream).lines().map_while(Result::ok);
    if head.take_while(|line| !line.is_empty()).count() == 0 {
        return;
    }
    let begun = Instant::now();
    let steps = u32::try_from(over.as_millis() / STEP.as_millis()).expect("few");
    let piece = vec![b'x'; bytes / steps as usize];
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        piece.len() * steps as usize
    );
    let mut open = stream.write_all(head.as_bytes()).is_ok();
    for step in 1..=steps {
        pause((STEP * step).saturating_sub(begun.elapsed()));
        open = open && stream.write_all(&piece).is_ok();
    }
}
