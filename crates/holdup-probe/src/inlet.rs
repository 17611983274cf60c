//! The bytes of a connection, with the time at which each of them was read.
//!
//! With many connections, it takes the prober longer to work on what has arrived than to read it. So all sockets are
//! read first, each by a [`Reader`], and each part that was read keeps its time. Whoever works on it
//! later finds that time in [`Arrivals`].

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How much is read at once at first. It doubles with each part that takes up all of it.
const FIRST: usize = 4 * 1024;

/// The most that is read before it is worked on. What exceeds it waits in the socket, so that the server has to
/// wait as well.
const MOST: usize = 64 * 1024;

/// A connection that may be read before its bytes are asked for.
#[derive(Debug)]
pub(super) struct Inlet(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    stream: TcpStream,
    /// What was read and not yet handed over: from `next` on.
    buffer: Vec<u8>,
    next: usize,
    /// Up to which byte of the buffer each part goes, and when it was read.
    parts: VecDeque<(usize, Instant)>,
    /// How much is read at once.
    at_once: usize,
    /// The end, if it was read: when, and the error that it was.
    end: Option<(Instant, Option<io::Error>)>,
    /// When the part was read that was handed over last.
    latest: Option<Instant>,
    /// Whether a part was handed over to its end, so that it is to be worked on before the next one.
    handed_over: bool,
    /// Whoever waits for more bytes …
    waiting: Option<Waker>,
    /// … and the reader, which waits until there is room.
    full: Option<Waker>,
    /// Whether a [`Reader`] reads the connection.
    has_reader: bool,
}

/// When the parts of a connection were read.
#[derive(Debug, Clone)]
pub(super) struct Arrivals(Weak<Mutex<State>>);

/// Reads a connection as soon as there is something to read, until it is closed.
#[derive(Debug)]
pub(super) struct Reader(Weak<Mutex<State>>);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inlet {
    pub(super) fn of(stream: TcpStream) -> Self {
        Self(Arc::new(Mutex::new(State {
            stream,
            buffer: Vec::new(),
            next: 0,
            parts: VecDeque::new(),
            at_once: FIRST,
            end: None,
            latest: None,
            handed_over: false,
            waiting: None,
            full: None,
            has_reader: false,
        })))
    }

    pub(super) fn arrivals(&self) -> Arrivals {
        Arrivals(Arc::downgrade(&self.0))
    }
}

impl Arrivals {
    /// When the part was read that is being worked on: now, if nothing was read.
    pub(super) fn latest(&self) -> Instant {
        let state = self.0.upgrade();
        let latest = state.and_then(|state| lock(&state).latest);
        latest.unwrap_or_else(Instant::now)
    }

    /// A reader for the connection.
    pub(super) fn reader(&self) -> Reader {
        Reader(Weak::clone(&self.0))
    }
}

impl State {
    /// Reads what there is, up to [`MOST`]. Pending as long as there may be more to read later.
    fn fill(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.end.is_none() {
            if self.buffer.len() - self.next >= MOST {
                self.full = Some(context.waker().clone());
                return Poll::Pending;
            }
            if self.next == self.buffer.len() || self.next >= MOST {
                self.drop_handed_over();
            }
            self.buffer.reserve(self.at_once);
            let mut room = (&mut self.stream).take(self.at_once as u64);
            let read = pin!(room.read_buf(&mut self.buffer)).poll(context);
            let now = Instant::now();
            match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => self.end = Some((now, None)),
                Poll::Ready(Ok(count)) => {
                    if count >= self.at_once {
                        self.at_once = (self.at_once * 2).min(MOST);
                    }
                    self.parts.push_back((self.buffer.len(), now));
                }
                Poll::Ready(Err(error)) => self.end = Some((now, Some(error))),
            }
            if let Some(waiting) = self.waiting.take() {
                waiting.wake();
            }
        }
        Poll::Ready(())
    }

    /// Makes room: what was handed over is needed no more.
    fn drop_handed_over(&mut self) {
        self.buffer.drain(..self.next);
        for (end, _) in &mut self.parts {
            *end -= self.next;
        }
        self.next = 0;
    }

    /// Hands over what is left of the first part, as far as there is room for it.
    fn hand_over(&mut self, room: &mut ReadBuf<'_>) -> bool {
        let Some((end, read_at)) = self.parts.front().copied() else {
            return false;
        };
        let count = room.remaining().min(end - self.next);
        room.put_slice(&self.buffer[self.next..self.next + count]);
        self.next += count;
        self.latest = Some(read_at);
        if self.next == end {
            self.parts.pop_front();
            self.handed_over = true;
        }
        if self.buffer.len() - self.next < MOST
            && let Some(full) = self.full.take()
        {
            full.wake();
        }
        true
    }
}

impl AsyncRead for Inlet {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let state = &mut *lock(&self.0);
        if state.parts.is_empty() && !state.has_reader {
            let _ = state.fill(context);
        }
        // Each part is worked on before the next one is handed over, so that its time is still known.
        let is_more = !state.parts.is_empty() || state.end.is_some();
        if std::mem::take(&mut state.handed_over) && is_more {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if room.remaining() == 0 || state.hand_over(room) {
            return Poll::Ready(Ok(()));
        }
        if let Some((at, error)) = &mut state.end {
            state.latest = Some(*at);
            return Poll::Ready(error.take().map_or(Ok(()), Err));
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for Inlet {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut lock(&self.0).stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut lock(&self.0).stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.0).stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.0).stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.0).stream).poll_shutdown(context)
    }
}

impl Future for Reader {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // The connection is kept by its lane alone, so that it is closed as soon as the lane ends.
        let Some(state) = self.0.upgrade() else {
            return Poll::Ready(());
        };
        let mut state = lock(&state);
        state.has_reader = true;
        state.fill(context)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(state) = self.0.upgrade() {
            let mut state = lock(&state);
            state.has_reader = false;
            if let Some(waiting) = state.waiting.take() {
                waiting.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use holdup_testkit::pause;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn connected() -> (TcpStream, Inlet) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let client = TcpStream::connect(address).await.expect("it listens");
        let (server, _) = listener.accept().await.expect("a client");
        (server, Inlet::of(client))
    }

    /// Polls the reader once.
    async fn read(reader: &mut Reader) -> bool {
        std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *reader).poll(context).is_ready()))
            .await
    }

    #[tokio::test]
    async fn a_part_keeps_the_time_at_which_it_was_read() {
        let (mut server, mut inlet) = connected().await;
        let arrivals = inlet.arrivals();
        let mut reader = arrivals.reader();
        let mut read_by = Vec::new();
        for part in [b"one", b"two"] {
            server.write_all(part).await.expect("it is connected");
            let parts = |inlet: &Inlet| lock(&inlet.0).parts.len();
            let before = parts(&inlet);
            while parts(&inlet) == before {
                tokio::task::yield_now().await;
                assert!(!read(&mut reader).await);
            }
            read_by.push(Instant::now());
            pause(Duration::from_millis(20));
        }
        let mut buffer = [0; 2];
        let mut seen = Vec::new();
        while seen.len() < 6 {
            let count = inlet.read(&mut buffer).await.expect("bytes");
            seen.extend(
                buffer[..count]
                    .iter()
                    .map(|byte| (*byte, arrivals.latest())),
            );
        }
        let bytes: Vec<u8> = seen.iter().map(|(byte, _)| *byte).collect();
        assert_eq!(bytes, b"onetwo");
        for (place, (_, at)) in seen.iter().enumerate() {
            // Each was read before this test looked, and the second one after that.
            assert!(*at <= read_by[place / 3], "{place}");
            assert!(place < 3 || *at > read_by[0], "{place}");
        }
    }

    #[tokio::test]
    async fn without_a_reader_it_reads_by_itself_to_the_end() {
        let (mut server, mut inlet) = connected().await;
        let all: Vec<u8> = (0..3 * MOST).map(|place| place.to_le_bytes()[0]).collect();
        let sent = all.clone();
        let sending = tokio::spawn(async move {
            server.write_all(&sent).await.expect("it is read");
        });
        let mut reader = inlet.arrivals().reader();
        let mut seen = vec![0; 1000];
        inlet.read_exact(&mut seen).await.expect("bytes");
        // It may get a reader later, and lose it again.
        read(&mut reader).await;
        let mut more = vec![0; MOST];
        let reading = async {
            tokio::select! {
                read = inlet.read_exact(&mut more) => read.expect("bytes"),
                () = &mut reader => panic!("it has not ended"),
            }
        };
        reading.await;
        drop(reader);
        seen.extend(more);
        inlet.read_to_end(&mut seen).await.expect("bytes");
        sending.await.expect("it was sent");
        assert!(seen == all, "{} bytes of {}", seen.len(), all.len());
    }

    #[tokio::test]
    async fn what_nobody_works_on_stays_in_the_socket() {
        let (mut server, inlet) = connected().await;
        let mut reader = inlet.arrivals().reader();
        let sending = tokio::spawn(async move {
            // It ends when the connection does.
            let _ = server.write_all(&vec![b'x'; 64 * MOST]).await;
        });
        for _ in 0..1000 {
            read(&mut reader).await;
            tokio::task::yield_now().await;
        }
        assert!(lock(&inlet.0).buffer.len() < 3 * MOST);
        // A reader does not keep a connection open.
        drop(inlet);
        sending.await.expect("it ended");
        assert!(read(&mut reader).await);
    }
}
