//! Somebody who has the console open, as its page does: reads the events, and asks for them again
//! when the console has closed the stream.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// As long as browsers wait, about, before they ask again.
const PAUSE: Duration = Duration::from_secs(2);

/// A silent console sends a heartbeat every second or two; this is how long the reader may take to
/// see that it is to end.
const SILENCE: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct Seen {
    over: AtomicBool,
    bytes: AtomicU64,
    times_connected: AtomicU64,
}

/// A thread that reads until this is dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    seen: Arc<Seen>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Reader {
    pub(crate) fn start(console: SocketAddr) -> Self {
        let seen = Arc::new(Seen::default());
        let thread = thread::spawn({
            let seen = Arc::clone(&seen);
            move || {
                while !seen.over.load(Ordering::Relaxed) {
                    if read(console, &seen).is_err() && !seen.over.load(Ordering::Relaxed) {
                        thread::sleep(PAUSE);
                    }
                }
            }
        });
        Self {
            seen,
            thread: Some(thread),
        }
    }

    /// How many bytes it has read, and how many times it was connected.
    pub(crate) fn seen(&self) -> (u64, u64) {
        let Seen {
            bytes,
            times_connected,
            ..
        } = &*self.seen;
        (
            bytes.load(Ordering::Relaxed),
            times_connected.load(Ordering::Relaxed),
        )
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.seen.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Reads one stream of events to its end, which is an error, or until the reader is to end.
fn read(console: SocketAddr, seen: &Seen) -> io::Result<()> {
    let mut stream = TcpStream::connect(console)?;
    stream.set_read_timeout(Some(SILENCE))?;
    write!(stream, "GET /events HTTP/1.1\r\nHost: {console}\r\n\r\n")?;
    seen.times_connected.fetch_add(1, Ordering::Relaxed);
    let mut piece = vec![0; 64 * 1024];
    while !seen.over.load(Ordering::Relaxed) {
        match stream.read(&mut piece) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                seen.bytes.fetch_add(count as u64, Ordering::Relaxed);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
